"""The needs of readers: who decides what, with which question, and which indicators answer it.

The needs of the project are packaged (`data/needs.csv`); readers add others with `chu need add`, to a file of CHU_HOME.
"""

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import pyarrow as pa

from chu_platform.building_blocks.csv_lines import csv_lines
from chu_platform.errors import ChuError

MAX_LENGTH: Final = 300
# What would name somebody: an e-mail address, a number of a person or of a telephone, a title before a name.
_NAMES_SOMEBODY: Final = re.compile(r"@|\d[\d .]{4,}\d|\b(M\.|Mme|Mlle|Mr|Dr|Pr)[. ]+[A-ZÉÈÀ]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_OPTIONS: Final = {"reader": "who", "not_answerable": "not-answerable"}


@dataclass(frozen=True)
class AddedNeed:
    """A need that a reader has added; `indicator` are names of indicators, or `not_answerable` says why there is none."""

    reader: str
    decides: str
    question: str
    indicator: str = ""
    not_answerable: str = ""


COLUMNS: Final = tuple(field.name for field in fields(AddedNeed))


def added_needs(file: Path) -> pa.Table:
    """The needs in a file, as text columns; no rows if there is no file. `need` numbers them: "A1", "A2".

    Raises ChuError with the line if the file is not as `add_need` writes it.
    """
    found = [{"need": f"A{n}", **asdict(need)} for n, need in enumerate(_read(file), 1)]
    return pa.Table.from_pylist(found, pa.schema([(name, pa.string()) for name in ("need", *COLUMNS)]))


def add_need(file: Path, need: AddedNeed, indicators: Collection[str]) -> str:
    """Add a need to a file, and return its number. Raises ChuError if it is not complete, or names somebody."""
    wrong = _wrong(need)
    if wrong is not None:
        column, problem = wrong
        raise ChuError(f"--{_OPTIONS.get(column, column)} {problem}")
    for name in need.indicator.split():
        if name not in indicators:
            raise ChuError(f"--indicator {name!r} is no indicator: `chu kpi` lists them")
    before = _read(file)
    if any(_same(need.question, other.question) and _same(need.reader, other.reader) for other in before):
        raise ChuError("the register has this question of these readers already: nothing was added")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8", newline="") as written:
        writer = csv.writer(written, lineterminator="\n")
        if file.stat().st_size == 0:
            writer.writerow(COLUMNS)
        writer.writerow([asdict(need)[name] for name in COLUMNS])
    return f"A{len(before) + 1}"


def _read(file: Path) -> Sequence[AddedNeed]:
    return [_of_line(place, row) for place, row in csv_lines(file, COLUMNS)]


def _of_line(place: str, row: Mapping[str, str | None]) -> AddedNeed:
    if set(row) != set(COLUMNS) or None in row.values():
        raise ChuError(f"{place}: it does not have {len(COLUMNS)} columns: correct or delete it")
    need = AddedNeed(**{name: row[name] or "" for name in COLUMNS})
    wrong = _wrong(need)
    if wrong is not None:
        column, problem = wrong
        raise ChuError(f"{place}, column {column}: it {problem}")
    return need


def _wrong(need: AddedNeed) -> tuple[str, str] | None:
    """The column of a need that cannot stay as it is, and what is wrong with it."""
    for column, text in asdict(need).items():
        if not text.strip() and column in ("reader", "decides", "question"):
            return column, "is empty: give a text"
        if len(text) > MAX_LENGTH:
            return column, f"has more than {MAX_LENGTH} characters: shorten it"
        if _CONTROL.search(text):
            return column, "has a line break or another control character: write it in one line"
        if _NAMES_SOMEBODY.search(text):
            return (
                column,
                "seems to name a person: give a function, such as « cadre de santé », and no number of a person",
            )
    if need.indicator.strip() and need.not_answerable.strip():
        return "indicator", "and --not-answerable exclude each other: give one of them"
    if not need.indicator.strip() and not need.not_answerable.strip():
        return "indicator", "or --not-answerable is missing: give one of them"
    return None


def _same(one: str, other: str) -> bool:
    return one.split() == other.split()
