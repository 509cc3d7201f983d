"""The declaration of the delivered rows behind a published indicator."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chu_platform.tables.table import Table

# Numbers of one column, a value for each cell.
Floats = NDArray[np.float64]
# Figures by name.
Figures = Mapping[str, Floats]
# The code of a value that is in no reference and no register.
UNKNOWN: Final = "inconnu"


class InputSet(StrEnum):
    """A set of input tables (`input_tables`), from which the recomputations of several indicators compute."""

    CARE = "care"
    CYCLES = "cycles"
    DEATHS = "deaths"
    PLACES = "places"
    PRESCRIPTIONS = "prescriptions"
    PROFESSIONS = "professions"
    SURVEYS = "surveys"


@dataclass(frozen=True)
class SourceRows:
    """Rows of a source table that take part in a cell.

    `match` is DuckDB SQL over the columns of the source: a text that identifies a row. `values` is a query of one
    column, the texts of the wanted rows; it may read the input tables and the relations `cell` and `numerator`. `role`
    is `numerator`, `denominator` or `attribution` (rows that determine the cell of an event).
    """

    table: Table
    role: str
    match: str
    values: str


def keep_counts(counts: Figures) -> Figures:
    """Add no figure: the figures are the counts."""
    return counts


@dataclass(frozen=True)
class Recomputation:
    """The delivered rows of every cell of an indicator, and the figures that follow from them.

    `rows` is DuckDB SQL over the tables of `input_set`. It gives one row for each cell (the key columns of the
    indicator) and each delivered row that counts in it. `counts` is SQL that aggregates the relation `numerator`, the
    part of `rows` that belongs to the relation `cell` (the keys of the cells wanted), to one row for each cell.
    `complete` adds the figures that are computed from counts in Python. `sources` are the source rows to show.
    Where the figures of a year need the rows of that year and of so many `years_before`, those of other years need not
    be read; None: they need all rows.
    """

    input_set: InputSet
    rows: str
    counts: str
    sources: Sequence[SourceRows]
    complete: Callable[[Figures], Figures] = keep_counts
    years_before: int | None = None

    def years_of(self, cells: pa.Table) -> Collection[int] | None:
        """The years whose rows the figures of these cells need; None: all."""
        if self.years_before is None:
            return None
        own = cells["year"] if "year" in cells.column_names else pc.year(cells["period_start"])
        return {year - before for year in own.to_pylist() for before in range(self.years_before + 1)}

    def figures(self, counted: pa.Table, keys: Sequence[str]) -> pa.Table:
        """The figures of the cells in `counted`, the result of `counts`; a division by zero gives null."""
        counts = {
            name: counted[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
            for name in counted.column_names
            if name not in keys
        }
        with np.errstate(divide="ignore", invalid="ignore"):
            figures = self.complete(counts)
        columns = {name: counted[name] for name in keys}
        for name, values in figures.items():
            columns[name] = pa.array(values, pa.float64(), mask=~np.isfinite(values))
        return pa.table(columns)
