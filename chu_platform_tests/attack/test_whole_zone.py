"""The attacks that solve linear programs, on the whole published zone with leaks; they take minutes."""

from collections.abc import Iterator
from functools import cache

import duckdb
import numpy as np
import pytest

from chu_platform.attack import Result
from chu_platform.attack.figures import is_small
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.run import ATTACKS
from chu_platform_tests.attack.leaking_zone import files, inputs
from chu_platform_tests.attack.zone import PLACES

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge(inputs())


@pytest.fixture(scope="module")
def truth(knowledge: Knowledge) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """The true values of the unknowns. A code without category that no year has is 0."""
    return knowledge.system.values(knowledge.truth)


def test_the_truth_satisfies_every_relation(
    knowledge: Knowledge, truth: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> None:
    """An attacker who supposes something false would be harmless."""
    system = knowledge.system
    low, high = system.column_bounds
    assert np.all((truth >= low - 1e-6) & (truth <= high + 1e-6))
    sums = system.matrix @ truth
    assert np.all((sums >= system.row_bounds[0] - 1e-6) & (sums <= system.row_bounds[1] + 1e-6))
    assert system.left_out == []
    assert len(system.unknown) > 60_000
    assert system.rows > 50_000


def test_what_has_one_possible_value_is_true(
    knowledge: Knowledge, truth: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> None:
    result = ATTACKS[1](knowledge)
    intervals = knowledge.intervals
    assert intervals is not None
    fixed = intervals.is_fixed
    assert np.allclose(intervals.low[fixed], truth[fixed], atol=1e-3)
    assert np.all((intervals.low <= truth + 1e-3) & (intervals.high >= truth - 1e-3))
    assert result.disclosed > 20_000, "each of the 10 272 leaves, and what follows from them"


def test_intervals_hold_the_truth(knowledge: Knowledge) -> None:
    """Each small figure that is disclosed is small indeed, and each that attack 1 knows is disclosed."""
    known = {(f.table, f.key) for f in ATTACKS[1](knowledge).found}
    result = ATTACKS[7](knowledge)
    found = {(f.table, f.key) for f in result.found}
    small = {cell for (cell, _), value in knowledge.truth.items() if is_small(value)}
    assert result.disclosed > 20_000
    assert result.tried - result.disclosed > 0, "some small figures are safe"
    assert len(known & found) > 0.9 * len(known)
    assert small


@cache
def other_of_two() -> set[str]:
    """The departments with exactly two establishments that have consultations."""
    with duckdb.connect() as connection:
        connection.register("place", files()["published"][PLACES])
        connection.register("establishment", files()["registers"]["establishments"])
        rows = connection.sql(
            """
            SELECT department_code FROM place JOIN establishment ON code = establishment_key
            WHERE level = 'establishment' GROUP BY 1 HAVING count(*) = 2
            """
        ).fetchall()
    return {code for (code,) in rows}


def test_fifty_insiders(knowledge: Knowledge) -> None:
    result: Result = ATTACKS[10](knowledge)
    assert result.tried == 50
    departments = dict(
        zip(
            *(files()["registers"]["establishments"][c].to_pylist() for c in ("establishment_key", "department_code")),
            strict=True,
        )
    )
    learned: Iterator[tuple[str, str]] = (
        (dict(f.key)["code"], f.what.rpartition(" ")[2])
        for f in result.found
        if f.table == PLACES and dict(f.key)["level"] == "establishment"
    )
    pairs = set(learned)
    assert all(other != insider for other, insider in pairs), "nobody learns about the own establishment"
    assert any(departments[other] == departments[insider] for other, insider in pairs) == bool(other_of_two())
