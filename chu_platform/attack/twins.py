"""Unknowns that no relation tells apart: they have the same interval, so that one of them stands for all.

Two cells of the finest level are twins if their unknowns have the same bounds, stand in the same rows with other cells
of that level, and in equal rows otherwise. Exchanging them then changes nothing in the system.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Words = NDArray[np.uint64]


def twin_classes(
    matrix: "csr_array",
    rows: tuple[Floats, Floats],
    columns: tuple[Floats, Floats, Floats],
    blocks: Numbers,
    measures: Numbers,
) -> Numbers:
    """The class of each unknown: those of one class are twins; shape (unknowns,).

    `columns` are the lower bounds, upper bounds and steps of the unknowns. `blocks` is the cell of each unknown of the
    finest level, -1 for the others, which have no twins. `measures` is the measure of each unknown.
    """
    n = len(blocks)
    row_of = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    in_block = blocks >= 0
    alone = _mixed(np.arange(n), np.ones(n))
    color = np.where(in_block, _mixed(measures, *columns), alone)
    # Rows between several cells of the finest level are themselves; others are what they say.
    block = blocks[matrix.indices]
    least = np.full(matrix.shape[0], n)
    most = np.full(matrix.shape[0], -1)
    np.minimum.at(least, row_of, np.where(block >= 0, block, n))
    np.maximum.at(most, row_of, block)
    content = _summed(_mixed(matrix.data, color[matrix.indices]), row_of, matrix.shape[0])
    numbers = np.arange(matrix.shape[0])
    row_color = np.where(most > least, _mixed(numbers, numbers + 0.5), _mixed(*rows, content))
    entry = _mixed(color[matrix.indices], matrix.data, row_color[row_of])
    inside = block >= 0
    signature = _summed(entry[inside], block[inside], n) + _summed(color[in_block], blocks[in_block], n)
    found = np.where(in_block, _mixed(signature[blocks], color), alone)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def _mixed(*values: NDArray[np.float64] | NDArray[np.int64] | Words) -> Words:
    """A hash of each tuple of values."""
    found = np.full(len(values[0]), 0x9E3779B97F4A7C15, np.uint64)
    for value in values:
        found = (found ^ _word(value)) * np.uint64(0xFF51AFD7ED558CCD)
        found ^= found >> np.uint64(31)
        found *= np.uint64(0xC4CEB9FE1A85EC53)
        found ^= found >> np.uint64(29)
    return found


def _word(value: NDArray[np.float64] | NDArray[np.int64] | Words) -> Words:
    """Values as bits; fractions that differ by rounding only are equal."""
    if value.dtype == np.uint64:
        return value.astype(np.uint64)
    return (np.round(value.astype(np.float64), 9) + 0.0).view(np.uint64)


def _summed(words: Words, of: Numbers, number: int) -> Words:
    """The sum of the words of each number, which does not depend on their order."""
    found = np.zeros(number, np.uint64)
    np.add.at(found, of, words)
    return found
