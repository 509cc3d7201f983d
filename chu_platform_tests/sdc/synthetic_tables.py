"""Synthetic tables for the tests of disclosure control: values and relations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc import SMALL_CELL, Relations, relations_by_key
from chu_platform.sdc.family import Family, Insiders, Repeats, System
from chu_platform.sdc.levels import Levels


def grid(inner: NDArray[np.float64]) -> tuple[NDArray[np.float64], Relations]:
    """A rows x columns table with its margins and total: values row by row, margins last.

    Cells of 0 are left out, as in the lake.
    """
    rows, columns = inner.shape
    values = np.zeros((rows + 1, columns + 1))
    values[:rows, :columns] = inner
    values[:, columns] = values.sum(axis=1)
    values[rows] = values.sum(axis=0)
    cell = np.where(values > 0, np.cumsum(values > 0).reshape(values.shape) - 1, -1)
    lines = [
        *((line[columns], line[:columns]) for line in cell),
        *((line[rows], line[:rows]) for line in cell.T),
    ]
    sums = [(int(total), [int(c) for c in parts if c >= 0]) for total, parts in lines if total >= 0]
    return values[values > 0], Relations.of(*sums)


def one_measure(values: NDArray[np.float64], relations: Relations) -> Family:
    """A family with one measure, of which the values up to 10 are unsafe; nothing else protects it."""
    n = len(values)
    return Family(
        weight=values,
        unsafe=values <= SMALL_CELL,
        levels=Levels.of(np.zeros(n, np.int64), np.zeros(n, np.bool_), np.arange(n), [relations]),
        systems=[System("events", values[:, None], relations)],
        unions=None,
        insiders=Insiders(np.zeros(n), np.zeros(n, np.bool_)),
        repeats=Repeats(np.zeros(0, np.int64), np.zeros(0, np.int64)),
    )


@dataclass(frozen=True)
class Level:
    """A level of a hierarchy: the code of each leaf at this level, and the published period grains."""

    codes: NDArray[np.int64]
    grains: Sequence[str]


def family(
    levels: Sequence[Level],
    periods: dict[str, NDArray[np.int64]],
    leaf: NDArray[np.int64],
    month: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> tuple[NDArray[np.float64], Relations]:
    """Events (leaf, month, weight) summed by each level and grain.

    `levels` go from fine to coarse. `periods` gives the period of each month by grain, from short to long. Relations:
    a cell is the sum of the cells of the next finer level at the same grain, and of the next shorter grain at the same
    level.
    """
    values: list[NDArray[np.float64]] = []
    tables: dict[tuple[int, str], tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = {}
    n = 0
    for i, level in enumerate(levels):
        for grain in level.grains:
            width = int(level.codes.max()) + 1
            keys, place = np.unique(periods[grain][month] * width + level.codes[leaf], return_inverse=True)
            values.append(np.bincount(place, weights=weight).astype(np.float64))
            tables[i, grain] = (np.arange(n, n + len(keys)), keys // width, keys % width)
            n += len(keys)
    relations = []
    for (i, grain), (cells, period, code) in tables.items():
        if (i + 1, grain) in tables:
            above = np.zeros(int(levels[i].codes.max()) + 1, np.int64)
            above[levels[i].codes] = levels[i + 1].codes
            parents, *keys_above = tables[i + 1, grain]
            relations.append(relations_by_key(parents, keys_above, cells, (period, above[code])))
        longer = list(periods)[list(periods).index(grain) + 1 :]
        for coarse in [g for g in longer if (i, g) in tables][:1]:
            of_period = np.zeros(int(periods[grain].max()) + 1, np.int64)
            of_period[periods[grain]] = periods[coarse]
            parents, *keys_above = tables[i, coarse]
            relations.append(relations_by_key(parents, keys_above, cells, (of_period[period], code)))
    return np.concatenate(values), Relations.concat(relations)


def calendar(months: int) -> dict[str, NDArray[np.int64]]:
    """The period number of each of `months` months, the first of which is a June, by grain; shortest grain first."""
    month = np.arange(months)
    return {
        "month": month,
        "quarter": (month + 5) // 3 - 1,
        "year": (month + 5) // 12,
        "all": np.zeros(months, np.int64),
    }
