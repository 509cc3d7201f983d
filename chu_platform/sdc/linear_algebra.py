"""Exact sparse linear algebra: the unknowns of a homogeneous integer system that are not determined by it.

Method: peeling and elimination modulo the prime p = 2^61 - 1 give a random vector of the null space. An unknown is
determined if and only if it is 0 in every vector of the null space. An undetermined unknown is 0 in one random vector
with probability 1/p only, so one vector is enough. The probability of an error is about 10^-13 for 400 000 unknowns,
and the error is safe: an unknown is reported as determined although it is not. The opposite error is possible only if
the rank of the matrix is smaller modulo p, that is if p divides a minor of it. Minors of sums over hierarchies and
grids are small numbers.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PRIME = 2**61 - 1
_SEED = 20_150_620  # a constant, so that the same input always takes the same path; the result does not depend on it

Row = dict[int, int]
Pivot = tuple[int, Row]


def moving_columns(system: csr_array) -> NDArray[np.bool_]:
    """The columns of the integer matrix `system` whose unknown is not 0 in every solution of `system @ x = 0`.

    Returns a boolean array of shape (columns,).
    """
    peeled_rows, peeled_columns, core_rows = peel(system, np.ones(system.shape[1], np.bool_))
    pivots = _eliminate([_row(system, r) for r in core_rows.tolist()])
    vector: list[int] = np.random.default_rng(_SEED).integers(1, PRIME, system.shape[1]).tolist()
    for column, row in reversed(pivots):
        vector[column] = _solve(row, column, vector)
    starts, columns, entries = system.indptr.tolist(), system.indices.tolist(), system.data.tolist()
    for r, column in zip(reversed(peeled_rows.tolist()), reversed(peeled_columns.tolist()), strict=True):
        total, coefficient = 0, 1
        for k in range(starts[r], starts[r + 1]):
            if columns[k] == column:
                coefficient = entries[k]
            else:
                total += entries[k] * vector[columns[k]]
        # Nearly every coefficient is +1 or -1, and equal to its inverse.
        inverse = coefficient if coefficient in (1, -1) else pow(coefficient, -1, PRIME)
        vector[column] = -total * inverse % PRIME
    return np.fromiter((value != 0 for value in vector), np.bool_, len(vector))


def _row(system: csr_array, r: int) -> Row:
    span = slice(system.indptr[r], system.indptr[r + 1])
    return dict(zip(system.indices[span].tolist(), system.data[span].tolist(), strict=True))


def _solve(row: Row, column: int, vector: list[int]) -> int:
    total = sum(entry * vector[other] for other, entry in row.items() if other != column)
    return -total * pow(row[column], -1, PRIME) % PRIME


def peel(
    system: csr_array, eligible: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Remove rows, repeatedly, that are the only row with some eligible column.

    Such a row only determines this column from its other columns. Returns the removed rows, the column that each of
    them determines (both in the order of removal), and the remaining rows. A row never contains the column of a row
    removed before it, so values are computed from the last removed row to the first.
    """
    starts = system.indptr.astype(np.int64)
    columns = system.indices.astype(np.int64)
    sizes = np.diff(starts)
    rows = np.repeat(np.arange(system.shape[0], dtype=np.int64), sizes)
    # If a column is in one remaining row, the sum of the numbers of its remaining rows is the number of that row.
    count = np.bincount(columns, minlength=system.shape[1])
    row_sum = np.zeros(system.shape[1], np.int64)
    np.add.at(row_sum, columns, rows)
    remaining = sizes > 0
    peeled_rows: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    peeled_columns: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    single = np.flatnonzero((count == 1) & eligible)
    while len(single):
        taken, first = np.unique(row_sum[single], return_index=True)
        peeled_rows.append(taken)
        peeled_columns.append(single[first])
        remaining[taken] = False
        lengths = sizes[taken]
        offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        touched = columns[np.repeat(starts[taken], lengths) + offsets]
        np.subtract.at(count, touched, 1)
        np.subtract.at(row_sum, touched, np.repeat(taken, lengths))
        again = np.unique(touched)
        single = again[(count[again] == 1) & eligible[again]]
    return np.concatenate(peeled_rows), np.concatenate(peeled_columns), np.flatnonzero(remaining)


def _eliminate(rows: list[Row]) -> list[Pivot]:
    """Gaussian elimination modulo `PRIME`; returns (column, row) pivots, whose row has no column of an earlier pivot.

    To limit fill-in, the next pivot is a column that is in only one row, if there is one. Otherwise it is, in the
    shortest row, the column that is in the fewest rows. In a grid of many rows and few columns this eliminates the
    many short sums first, and few long sums remain.
    """
    holders: dict[int, set[int]] = {}
    for i, row in enumerate(rows):
        for column in row:
            holders.setdefault(column, set()).add(i)
    shortest = [(len(row), i) for i, row in enumerate(rows)]
    heapq.heapify(shortest)
    single = sorted((column for column, held in holders.items() if len(held) == 1), reverse=True)
    done = [False] * len(rows)
    pivots: list[Pivot] = []
    while shortest or single:
        if single:
            column = single.pop()
            if len(holders[column]) != 1:
                continue
            (i,) = holders[column]
        else:
            length, i = heapq.heappop(shortest)
            if done[i] or length != len(rows[i]):
                continue
            if not rows[i]:
                done[i] = True
                continue
            column = min(rows[i], key=lambda c: (len(holders[c]), c))
        pivot = rows[i]
        done[i] = True
        pivots.append((column, pivot))
        for other in pivot:
            holders[other].discard(i)
        inverse = pow(pivot[column], -1, PRIME)
        for j in sorted(holders[column]):
            factor = rows[j][column] * inverse % PRIME
            _subtract(rows[j], factor, pivot, holders, j)
            heapq.heappush(shortest, (len(rows[j]), j))
        single.extend(other for other in pivot if len(holders[other]) == 1)
    return pivots


def _subtract(target: Row, factor: int, pivot: Row, holders: dict[int, set[int]], place: int) -> None:
    """`target -= factor * pivot` in place. Updates `holders` (rows by column); `place` is the number of the row."""
    for column, entry in pivot.items():
        before = target.get(column)
        after = ((before or 0) - factor * entry) % PRIME
        if after:
            target[column] = after
            if before is None:
                holders[column].add(place)
        elif before is not None:
            del target[column]
            holders[column].discard(place)
