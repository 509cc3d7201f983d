"""Relations built from keys, and their sums."""

from __future__ import annotations

import numpy as np
import pytest

from chu_platform.sdc import Relations, relations_by_key
from chu_platform.sdc.relations import connected_parts

pytestmark = pytest.mark.unit


def _sums(relations: Relations) -> list[tuple[int, list[int]]]:
    cuts = relations.starts
    return [
        (int(parent), relations.children[cuts[r] : cuts[r + 1]].tolist()) for r, parent in enumerate(relations.parents)
    ]


def test_a_relation_for_each_parent_that_has_children() -> None:
    found = relations_by_key(
        np.array([7, 5, 9]),
        np.array(["b", "a", "none"]),
        np.array([0, 1, 2, 3]),
        np.array(["a", "b", "a", "lost"]),
    )
    assert _sums(found) == [(7, [1]), (5, [0, 2])]


def test_composite_keys_match_in_every_column() -> None:
    found = relations_by_key(
        np.array([10, 11]),
        (np.array([2019, 2020]), np.array(["A", "A"])),
        np.array([0, 1, 2]),
        (np.array([2019, 2020, 2019]), np.array(["A", "A", "B"])),
    )
    assert _sums(found) == [(10, [0]), (11, [1])]


def test_two_parents_with_one_key_are_rejected() -> None:
    with pytest.raises(ValueError, match="same key"):
        relations_by_key(np.array([1, 2]), np.array([5, 5]), np.array([0]), np.array([5]))


def test_no_parent_gives_no_relation() -> None:
    none = np.zeros(0, np.int64)
    assert len(relations_by_key(none, none, np.array([0]), np.array([5]))) == 0


def test_concat_keeps_the_order_and_accepts_an_empty_list() -> None:
    one, two = Relations.of((0, [1, 2])), Relations.of((3, [4]), (5, [6, 7]))
    assert _sums(Relations.concat([one, Relations.of(), two])) == [(0, [1, 2]), (3, [4]), (5, [6, 7])]
    assert len(Relations.concat([])) == 0


def test_sums_of_one_and_of_several_measures() -> None:
    relations = Relations.of((0, [1, 2]), (3, [2]))
    values = np.array([5.0, 2.0, 3.0, 3.0])
    assert relations.sums(values).tolist() == [5.0, 3.0]
    assert relations.sums(np.column_stack([values, 2 * values])).tolist() == [[5.0, 10.0], [3.0, 6.0]]


def test_a_relation_without_children_is_rejected() -> None:
    with pytest.raises(ValueError, match="at least one child"):
        Relations.of((0, []))


def test_connected_parts_of_some_cells() -> None:
    relations = Relations.of((0, [1, 2, 3]), (4, [5, 6]), (3, [7, 8]))
    chosen = np.isin(np.arange(11), [1, 3, 5, 7, 9])
    assert [part.tolist() for part in connected_parts(relations, chosen)] == [[1, 3, 7], [5]]
    assert connected_parts(relations, np.isin(np.arange(11), [9, 10])) == []
