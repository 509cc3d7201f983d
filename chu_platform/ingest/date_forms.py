"""Dates in other forms than the group writes them: ISO, with dashes, without zeros, with a time.

In database tables, day and month may be exchanged: which comes first is the same in a whole column, and numbers above
12 tell it. In files, the declared order holds.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

import duckdb

from chu_platform.errors import ChuError
from chu_platform.ingest.identifiers import trimmed
from chu_platform.tables.duckdb_sql import sql_name, sql_path

_TIME: Final = r"([ T]\d\d?:\d\d.*)?"
ISO_PATTERN: Final = rf"(\d{{4}})[-/.](\d\d?)[-/.](\d\d?){_TIME}"
COMPACT_PATTERN: Final = r"(\d{4})(\d\d)(\d\d)()"
# Day and month, in either order, then the year.
MIXED_PATTERN: Final = rf"(\d\d?)[-/.](\d\d?)[-/.](\d{{4}}){_TIME}"
# So few dates in the other order may be typing errors.
MIN_CONTRADICTIONS: Final = 10
MAX_CONTRADICTING_SHARE: Final = 0.05


class DateForm(Enum):
    """How dates are written as text; the value is the form of DuckDB."""

    US = "%-m/%-d/%Y"
    FRENCH = "%d/%m/%Y"
    ISO = "%Y-%m-%d"


def in_declared_forms(
    name: str, rows: Path, forms: Mapping[str, DateForm], log: Callable[[str], None]
) -> Mapping[str, str]:
    """SQL of the text of the columns whose dates are not in the declared form; empty in the usual case.

    `rows` is the Parquet file of the text of a table called `name`. What is no date in any form stays as it is. Raises
    ChuError when a column has many dates in both orders of day and month.
    """
    changed: dict[str, str] = {}
    with duckdb.connect() as connection:
        for column, form in forms.items():
            text = f"trim({sql_name(column)})"
            source = f"read_parquet({sql_path(rows)})"
            others = f"{MIXED_PATTERN}|{COMPACT_PATTERN}"
            if form is DateForm.ISO and not _any(connection, source, f"regexp_full_match({text}, '{others}')"):
                continue
            day_first = _day_first(connection, source, text, form, f"{name}: the column {column!r}")
            declared_order = form is not DateForm.US
            has_iso = form is not DateForm.ISO and _any(
                connection, source, f"regexp_full_match({text}, '{ISO_PATTERN}|{COMPACT_PATTERN}')"
            )
            if has_iso or form is DateForm.ISO or day_first != declared_order:
                changed[column] = _text(column, text, form, day_first)
                order = "day/month/year" if day_first else "month/day/year"
                log(f"{name}: dates of {column!r} are not in the declared form; read as ISO or {order}")
    return changed


def _any(connection: duckdb.DuckDBPyConnection, source: str, condition: str) -> bool:
    return bool(connection.execute(f"SELECT 1 FROM {source} WHERE {condition} LIMIT 1").fetchall())


def _day_first(connection: duckdb.DuckDBPyConnection, source: str, text: str, form: DateForm, what: str) -> bool:
    """Whether the day comes first in the dates of a column; as in the declared form if no date tells."""
    first, second = (_part(text, MIXED_PATTERN, number) for number in (1, 2))
    ((days, months),) = connection.execute(
        f"SELECT count(*) FILTER ({first} > 12 AND {second} <= 12), count(*) FILTER ({second} > 12 AND {first} <= 12) "
        f"FROM {source}"
    ).fetchall()
    fewer = min(days, months)
    if fewer >= MIN_CONTRADICTIONS and fewer > MAX_CONTRADICTING_SHARE * (days + months):
        raise ChuError(
            f"{what} has dates in two orders: in {days} rows the day comes before the month, in {months} rows behind "
            "it; nothing was committed, ask for one order"
        )
    return bool(days > months) if days != months else form is not DateForm.US


def _part(text: str, pattern: str, number: int) -> str:
    return f"try_cast(regexp_extract({text}, '^{pattern}$', {number}) AS INTEGER)"


def _text(column: str, text: str, form: DateForm, day_first: bool) -> str:
    """SQL of the text of a column in its declared form."""
    return f"coalesce(strftime({_day(text, day_first)}, '{form.value}'), {sql_name(column)})"


def _day(text: str, day_first: bool) -> str:
    """SQL of the day that a text gives; null if it is no date."""
    month, day = (2, 1) if day_first else (1, 2)
    read = {
        ISO_PATTERN: [_part(text, ISO_PATTERN, number) for number in (1, 2, 3)],
        COMPACT_PATTERN: [_part(text, COMPACT_PATTERN, number) for number in (1, 2, 3)],
        MIXED_PATTERN: [_part(text, MIXED_PATTERN, number) for number in (3, month, day)],
    }
    branches = " ".join(
        f"WHEN regexp_full_match({text}, '{pattern}') THEN try_cast(concat_ws('-', {year}, "
        f"lpad(({month_})::VARCHAR, 2, '0'), lpad(({day_})::VARCHAR, 2, '0')) AS DATE)"
        for pattern, (year, month_, day_) in read.items()
    )
    return f"CASE {branches} END"


# A date whose day comes before its month, or ISO, for `Delivered.typing`. The first branch is for speed. A list of one
# text names it; braces are doubled for `str.format`.
_OTHER_DATE: Final = f"[{_day('t', True)} FOR t IN [text]][1]".replace("{", "{{").replace("}", "}}")
FRENCH_DATE: Final = (
    "CASE WHEN regexp_full_match({text}, '\\d\\d/\\d\\d/\\d{{4}}') "
    "THEN try_strptime({text}, '%d/%m/%Y')::DATE ELSE "
    + _OTHER_DATE.replace("[text]", f"[{trimmed('{text}')}]")
    + " END"
)
