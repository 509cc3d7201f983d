"""Comparison of a CSV file and a workbook: both may be the same table, saved in two formats."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.ingest.csv_dialect import decoded, separator_of
from chu_platform.ingest.fingerprints import FileState
from chu_platform.ingest.identifiers import BLANKS
from chu_platform.ingest.workbook_rows import ERRORS, opened_sheets

SUFFIXES: Final = frozenset((".csv", ".xlsx"))
# Larger files are not compared: they count as different.
MAX_SIZE: Final = 1 << 26
NUMBER: Final = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def have_same_cells(one: Path, other: Path) -> bool:
    """Whether one file is a CSV file, the other one a workbook, and both have the same cells in the same rows.

    Blank rows and cells at the end of rows do not matter, nor how a number is written: 010 is 10, and 74,10 is 74.1.
    False if one of them cannot be read.
    """
    if {one.suffix.lower(), other.suffix.lower()} != SUFFIXES:
        return False
    try:
        states = [FileState.of(file.stat()) for file in (one, other)]
    except OSError:
        return False
    return all(state.size <= MAX_SIZE for state in states) and _same(one, states[0], other, states[1])


@lru_cache(maxsize=32)
def _same(one: Path, _state: FileState, other: Path, _other_state: FileState) -> bool:
    try:
        return all(row == row_of_other for row, row_of_other in zip_longest(_rows(one), _rows(other)))
    except (ChuError, csv.Error, UnicodeDecodeError, OSError):
        return False


def _rows(file: Path) -> Iterator[Sequence[str]]:
    """The rows that are not blank, with every cell in one form."""
    for row in _csv_rows(file) if file.suffix.lower() == ".csv" else _workbook_rows(file):
        cells = [_one_form(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells


def _csv_rows(file: Path) -> Iterator[Sequence[str]]:
    text = decoded(file.read_bytes(), "cp1252").removeprefix("\ufeff").lstrip()
    header = text.partition("\n")[0].encode()
    yield from csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(header))


def _workbook_rows(file: Path) -> Iterator[Sequence[str]]:
    """The rows of all visible sheets, one after the other: only a workbook of one table has those of a CSV file."""
    with opened_sheets(file, file.name) as sheets:
        for sheet in sheets:
            if sheet.is_visible:
                yield from (cells for _, cells in sheet.rows())


def _one_form(cell: str) -> str:
    text = cell.strip(BLANKS)
    if NUMBER.fullmatch(text):
        return repr(float(text.replace(",", ".")))
    return "" if text in ERRORS else text
