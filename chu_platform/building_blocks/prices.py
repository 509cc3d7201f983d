"""Prices and assumptions of the cost model: declared inputs, which a file of CHU_HOME replaces."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chu_platform.building_blocks.csv_lines import csv_lines
from chu_platform.building_blocks.packaged_references import packaged
from chu_platform.errors import ChuError

PACKAGED: Final = "prices"
COLUMNS: Final = ("name", "label", "value", "unit", "kind", "source", "date")
KINDS: Final = ("prix", "hypothèse")


@dataclass(frozen=True)
class Price:
    """A price or an assumption, with its unit, its source and the date on which it was read or assumed."""

    name: str
    label: str
    value: float
    unit: str
    kind: str
    source: str
    date: str


def prices(file: Path) -> Mapping[str, Price]:
    """The packaged prices by name, those that a file has replaced by them.

    The file has the columns of the packaged one, in any number of lines. Raises ChuError with the line if it is wrong.
    """
    found = {row["name"]: _price(row, f"{PACKAGED}.csv") for row in packaged(PACKAGED).to_pylist()}
    known = set(found)
    for place, row in csv_lines(file, COLUMNS):
        if row["name"] not in known:
            raise ChuError(f"{place}, column name: there is no such price; there are {', '.join(sorted(known))}")
        found[row["name"]] = _price(row, place)
    return found


def _price(row: Mapping[str, str | None], place: str) -> Price:
    """The price of a line. Raises ChuError if a column is missing or wrong."""
    for column in COLUMNS:
        if not (row.get(column) or "").strip():
            raise ChuError(f"{place}, column {column}: it is empty: give a text")
    if set(row) != set(COLUMNS):
        raise ChuError(f"{place}: it does not have {len(COLUMNS)} columns: correct or delete it")
    if row["kind"] not in KINDS:
        raise ChuError(f"{place}, column kind: it must be one of {', '.join(KINDS)}")
    try:
        value = float(row["value"] or "")
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise ChuError(f"{place}, column value: it must be a number from 0 on, with a point: 0.05")
    return Price(**{**row, "value": value})  # type: ignore[arg-type]
