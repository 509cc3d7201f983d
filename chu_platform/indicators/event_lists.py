"""Groups whose events SQL has gathered in lists, one list for each property of the events, and their figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chu_platform.tables.columns import Column

Numbers = NDArray[np.int64]


def lists_of(grouped: pa.Table, names: Sequence[str]) -> list[list[Numbers]]:
    """Of each of these columns of lists, the numbers of each group."""
    return [[_numbers(one) for one in grouped.column(name)] for name in names]


def with_figures(
    grouped: pa.Table, names: Sequence[str], columns: Sequence[Column], figures: Sequence[Mapping[str, Any]]
) -> pa.Table:
    """The groups with `columns`, the `figures` of each group by their names, in place of the lists `names`."""
    grouped = grouped.drop_columns(list(names))
    for column in columns:
        grouped = grouped.append_column(column.name, pa.array([one[column.name] for one in figures], column.type))
    return grouped


def _numbers(values: pa.ListScalar) -> Numbers:
    numbers: Numbers = values.values.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return numbers
