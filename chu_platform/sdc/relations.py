"""Relations between cells of published tables: `parent = sum(children)`, over cell numbers, built from key columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Cells = NDArray[np.int64]
Keys = NDArray[Any] | Sequence[NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Relations:
    """R sums over cells numbered from 0: `value[parents[r]] = sum(value[children[starts[r]:starts[r + 1]]])`.

    A cell may be the parent of several relations (a year is the sum of its quarters and the sum of its
    chapters) and a child of several. Shapes: `parents` (R,), `starts` (R + 1,), `children` (K,).
    """

    parents: Cells
    starts: Cells
    children: Cells

    def __post_init__(self) -> None:
        if len(self.starts) != len(self.parents) + 1 or self.starts[0] != 0 or self.starts[-1] != len(self.children):
            raise ValueError("starts must have one more element than parents, and run from 0 to the number of children")
        if np.any(np.diff(self.starts) < 1):
            raise ValueError("every relation needs at least one child")

    def __len__(self) -> int:
        return len(self.parents)

    @property
    def rows(self) -> Cells:
        """The relation of each entry of `children`, shape (K,)."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.starts))

    @classmethod
    def of(cls, *sums: tuple[int, Sequence[int]]) -> Relations:
        """Relations from a list of `(parent, children)`."""
        sizes = [0, *(len(children) for _, children in sums)]
        return cls(
            np.array([parent for parent, _ in sums], dtype=np.int64),
            np.cumsum(sizes, dtype=np.int64),
            np.array([child for _, children in sums for child in children], dtype=np.int64),
        )

    @classmethod
    def concat(cls, parts: Sequence[Relations]) -> Relations:
        """All relations of `parts`, in their order, over the same cell numbers."""
        sizes = [np.zeros(1, np.int64), *(np.diff(part.starts) for part in parts)]
        none = np.zeros(0, np.int64)
        return cls(
            np.concatenate([none, *(part.parents for part in parts)]),
            np.cumsum(np.concatenate(sizes), dtype=np.int64),
            np.concatenate([none, *(part.children for part in parts)]),
        )

    @cached_property
    def as_child(self) -> list[list[int]]:
        """The relations of which each cell is a child, up to the last cell that is one."""
        return _by_cell(self.children, self.rows)

    @cached_property
    def as_parent(self) -> list[list[int]]:
        """The relations of which each cell is the parent, up to the last cell that is one."""
        return _by_cell(self.parents, np.arange(len(self), dtype=np.int64))

    def where(self, keep: NDArray[np.bool_]) -> Relations:
        """Some of the relations: those where `keep`, shape (R,), is true."""
        sizes = np.diff(self.starts)[keep]
        return Relations(
            self.parents[keep],
            np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)]),
            self.children[keep[self.rows]],
        )

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum of the children of each relation: (n,) gives (R,), (n, m) gives (R, m)."""
        if not len(self):
            return np.zeros((0, *values.shape[1:]))
        return np.asarray(np.add.reduceat(values[self.children], self.starts[:-1], axis=0))

    def matrix(self, columns: Cells, n: int) -> csr_array:
        """The coefficients of the unknown cells `columns` in the relations: +1 for the parent, -1 for each child.

        `n` is the number of all cells. Returns int64, shape (R, len(columns)); rows without unknown cells are empty.
        """
        from scipy.sparse import csr_array  # not needed to load the declarations

        place = np.full(n, -1, np.int64)
        place[columns] = np.arange(len(columns))
        cells = np.concatenate([self.parents, self.children])
        rows = np.concatenate([np.arange(len(self), dtype=np.int64), self.rows])
        signs = np.concatenate([np.ones(len(self), np.int64), np.full(len(self.children), -1, np.int64)])
        is_unknown = place[cells] >= 0
        entries = (signs[is_unknown], (rows[is_unknown], place[cells[is_unknown]]))
        system = csr_array(entries, shape=(len(self), len(columns)))
        system.sum_duplicates()
        system.eliminate_zeros()
        return system


def _by_cell(cells: Cells, relations: Cells) -> list[list[int]]:
    order = np.argsort(cells, kind="stable")
    ends = np.searchsorted(cells[order], np.arange(cells.max(initial=-1) + 2))
    ordered, cuts = relations[order].tolist(), ends.tolist()
    return [ordered[start:end] for start, end in pairwise(cuts)]


def components(matrix: csr_array) -> Cells:
    """The number of the connected component of each column. Two columns of one row are connected."""
    from scipy.sparse.csgraph import connected_components

    numbers = connected_components(bipartite(matrix), directed=False)[1][matrix.shape[0] :]
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def connected_parts(relations: Relations, chosen: NDArray[np.bool_]) -> list[Cells]:
    """The parts of some cells, shape (n,), that relations connect, directly or through others; sorted numbers each.

    Cells of the same relation are connected. Cells in no relation are left out.
    """
    cells = np.flatnonzero(chosen)
    matrix = relations.matrix(cells, len(chosen))
    used = np.unique(matrix.indices)
    if not len(used):
        return []
    part = components(matrix)[used]
    order = np.argsort(part, kind="stable")
    return np.split(cells[used][order], np.flatnonzero(np.diff(part[order])) + 1)


def bipartite(matrix: csr_array) -> csr_array:
    """The graph of a matrix: first its rows, then its columns, with an edge in both directions for each entry."""
    from scipy.sparse import csr_array

    rows, columns = matrix.shape
    row_of_entry = np.repeat(np.arange(rows), np.diff(matrix.indptr))
    ends = np.concatenate([row_of_entry, matrix.indices + rows]), np.concatenate([matrix.indices + rows, row_of_entry])
    return csr_array((np.ones(2 * matrix.nnz), ends), shape=(rows + columns, rows + columns))


def relations_by_key(parent_cells: Cells, parent_keys: Keys, child_cells: Cells, child_keys: Keys) -> Relations:
    """One relation for each parent that has children with its key, in the order of `parent_cells`.

    The children keep their order. Keys are one array (integers or texts), or a sequence of arrays: the columns of a
    composite key. Children whose key has no parent are left out, since they are in no published sum. Raises ValueError
    when two parents have the same key, because the parent of a child would be ambiguous.
    """
    parent_codes, child_codes = _shared_codes(_columns(parent_keys), _columns(child_keys))
    if len(parent_codes) != len(parent_cells) or len(child_codes) != len(child_cells):
        raise ValueError("one key for each cell is needed")
    order = np.argsort(parent_codes, kind="stable")
    ordered = parent_codes[order]
    if np.any(ordered[1:] == ordered[:-1]):
        raise ValueError("two parents have the same key")
    if not len(ordered):
        return Relations.of()
    position = np.minimum(np.searchsorted(ordered, child_codes), len(ordered) - 1)
    matched = ordered[position] == child_codes
    parent_of_child = order[position[matched]]
    by_parent = np.argsort(parent_of_child, kind="stable")
    with_children, sizes = np.unique(parent_of_child, return_counts=True)
    return Relations(
        np.asarray(parent_cells, np.int64)[with_children],
        np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)]),
        np.asarray(child_cells, np.int64)[matched][by_parent],
    )


def _columns(keys: Keys) -> list[NDArray[Any]]:
    return [keys] if isinstance(keys, np.ndarray) else [np.asarray(column) for column in keys]


def _shared_codes(left: list[NDArray[Any]], right: list[NDArray[Any]]) -> tuple[Cells, Cells]:
    """Integer codes; two codes are equal if and only if all key columns are equal."""
    if len(left) != len(right) or not left:
        raise ValueError("parents and children need the same number of key columns")
    codes: Cells | None = None
    for one, other in zip(left, right, strict=True):
        values, inverse = np.unique(np.concatenate([one, other]), return_inverse=True)
        # Codes are renumbered after each column, so that the product of the two ranges cannot overflow.
        codes = inverse if codes is None else np.unique(codes * len(values) + inverse, return_inverse=True)[1]
    assert codes is not None
    return codes[: len(left[0])].astype(np.int64), codes[len(left[0]) :].astype(np.int64)
