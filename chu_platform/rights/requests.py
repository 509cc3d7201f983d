"""What a request for erasure says: persons by number or identity, or deaths of INSEE's opposition list."""

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, Any, Final

import pyarrow.parquet as pq

from chu_platform.building_blocks.csv_lines import csv_lines
from chu_platform.errors import ChuError
from chu_platform.ingest.reading import NoDatabase, ReadingContext, read
from chu_platform.settings import Settings
from chu_platform.sources.opposition_deces import LIST_FILE, opposition_deces

COLUMNS: Final = ("patient", "family_name", "first_names", "birth_date")
IDENTITY: Final = COLUMNS[1:]
# Beginning of the names of temporary folders, which hold the request.
TEMPORARY: Final = "erasure-"
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Identity:
    """Names as they are written, and date of birth (YYYY-MM-DD)."""

    family: str
    first: str
    birth: str


@dataclass(frozen=True)
class Death:
    """A death of INSEE's opposition list: the text that identifies it, and its date (YYYY-MM-DD; 00: unknown)."""

    key: str
    day: str


@dataclass(frozen=True)
class Request:
    """The persons whose erasure is requested: numbers of patients, identities, deaths."""

    patients: Sequence[str] = field(default_factory=list)
    identities: Sequence[Identity] = field(default_factory=list)
    deaths: Sequence[Death] = field(default_factory=list)


def read_persons(file: Path, opened: IO[bytes] | None = None) -> Request:
    """The request in a CSV file with the columns COLUMNS: in each line, a number of a patient, or an identity.

    `opened` has the content, if it is open already. Raises ChuError with line and column, never with a value.
    """
    if opened is None and not file.exists():
        raise ChuError(f"the request {file} does not exist")
    patients: list[str] = []
    identities: list[Identity] = []
    for place, row in csv_lines(file, COLUMNS, opened):
        if set(row) != set(COLUMNS) or None in row.values():
            raise ChuError(f"{place}: it does not have {len(COLUMNS)} columns: correct it")
        cells = {name: (value or "").strip() for name, value in row.items()}
        given = [name for name in IDENTITY if cells[name]]
        if cells["patient"] and given:
            raise ChuError(f"{place}: give the number of a patient or an identity, not both")
        if cells["patient"]:
            if not cells["patient"].isascii() or not cells["patient"].isdigit():
                raise ChuError(f"{place}, column patient: it is not a whole number")
            patients.append(str(int(cells["patient"])))
        elif len(given) == len(IDENTITY):
            identities.append(Identity(cells["family_name"], cells["first_names"], _day(place, cells["birth_date"])))
        else:
            missing = next(name for name in IDENTITY if not cells[name])
            raise ChuError(f"{place}, column {missing}: it is empty: give a patient, or names and date of birth")
    if not patients and not identities:
        raise ChuError(f"{file} names nobody: give a line with a patient, or with names and date of birth")
    return Request(list(dict.fromkeys(patients)), list(dict.fromkeys(identities)))


def _day(place: str, text: str) -> str:
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError:
        shape = re.sub(r"\d", "9", re.sub(r"[^\W\d_]", "a", text))
        raise ChuError(f"{place}, column birth_date: it is no date YYYY-MM-DD (shape {shape})") from None


def read_deaths(settings: Settings, file: Path) -> Request:
    """The request in a file of INSEE's opposition list, read as a delivered one is.

    Raises ChuError if a line cannot be read: what it withdraws would be kept.
    """
    if not file.is_file():
        raise ChuError(f"the list {file} does not exist")
    work = settings.work_folder
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=work, prefix=TEMPORARY) as name:
        folder = Path(name)
        for part in ("pack", "rows", "scratch"):
            (folder / part).mkdir()
        shutil.copyfile(file, folder / "pack" / LIST_FILE)
        context = ReadingContext(folder / "pack", folder / "scratch", NoDatabase(), lambda _: None)
        reading = read(opposition_deces, None, folder / "rows", folder / "scratch", context)
        if reading.rejects:
            _, line, column, reason, shape, _ = reading.rejects[0]
            raise ChuError(
                f"{file} line {line}, column {column or '-'}: {reason}, shape {shape or '-'}: correct it, because what "
                "it withdraws would be kept"
            )
        written = sorted((folder / "rows").rglob("*.parquet"))
        rows: list[dict[str, Any]] = [row for part in written for row in pq.read_table(part).to_pylist()]
    deaths = dict.fromkeys(Death(row["death_key"], row["death_key"].partition("|")[0]) for row in rows)
    if not deaths:
        raise ChuError(f"{file} names no death")
    return Request(deaths=list(deaths))
