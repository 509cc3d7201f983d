"""The delivered rows of persons on the opposition list: they are neither kept nor among the rejects."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar

import duckdb
import pyarrow as pa

from chu_platform.ingest.delivered import Delivered, delivered_rows
from chu_platform.ingest.oppositions import Oppositions
from chu_platform.ingest.persons import Kind, PersonKey, first_words, form
from chu_platform.ingest.row_sql import RowSql
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.table import Table

if TYPE_CHECKING:
    from chu_platform.ingest.reading import DatabaseSnapshot

Row = TypeVar("Row")
# What stands between the cells of a line, of any format.
BETWEEN_CELLS: Final = re.compile(r"[;,\t|*/\"\n]+")
# A shorter text is no number of a telephone, and no address.
MIN_TOKEN: Final = 6
_LOOSE: Final = re.compile(r"[\s.()-]+")


def contact_form(text: str) -> str | None:
    """The form of a text of kind `contact`; None for one that is too short to be of one person."""
    found = _LOOSE.sub("", text).lower()
    return found if len(found) >= MIN_TOKEN else None


def opposed_condition(
    connection: duckdb.DuckDBPyConnection,
    source: Delivered,
    rows: RowSql,
    oppositions: Oppositions,
    database: "DatabaseSnapshot",
) -> str | None:
    """SQL that is true for a typed row of a person on the list; None if there is no such row in the delivery.

    Tables of the connection hold the texts of these persons, so that no query does.
    """
    conditions = []
    for number, key in enumerate(k for k in source.persons if oppositions.has(k.kind)):
        of_day = ""
        if key.day is not None:
            days = oppositions.listed(
                Kind.DAY, _texts(connection, f"SELECT DISTINCT {key.day} FROM ({rows.checked()})")
            )
            if not days:
                continue
            _keep(connection, f"days_{number}", days)
            of_day = f"{key.day} IN (SELECT text FROM days_{number})"
        if key.through is not None:
            listed = _owned(oppositions, key, database)
        else:
            where = f" WHERE {of_day}" if of_day else ""
            found = (f"SELECT DISTINCT {text} FROM ({rows.checked()}){where}" for text in key.keys)
            listed = oppositions.listed(key.kind, {t for query in found for t in _texts(connection, query)})
        if listed:
            _keep(connection, f"opposed_{number}", listed)
            one = " OR ".join(f"{text} IN (SELECT text FROM opposed_{number})" for text in key.keys)
            # CASE, so that the keys of other days are not computed.
            conditions.append(f"CASE WHEN {of_day or 'true'} THEN coalesce({one}, false) ELSE false END")
    return f"({' OR '.join(conditions)})" if conditions else None


def mentions(
    source: Delivered, columns: Sequence[str], oppositions: Oppositions, texts: Sequence[str]
) -> Sequence[bool]:
    """Which of the texts of whole delivered rows are about a person on the list.

    They have the names of the person in two cells side by side, a cell with a contact of the person, or the number of
    the patient in its cell. `columns` are the delivered columns, in the order of the declaration: if a row has another
    number of cells, each of them may be that cell.
    """
    if not texts or not oppositions.entries:
        return [False] * len(texts)
    cells = [BETWEEN_CELLS.split(text) for text in texts]
    flat = sorted({cell for row in cells for cell in row})
    with duckdb.connect() as connection:
        connection.register("cells", pa.table({"cell": pa.array(flat, pa.string())}))
        rows = connection.sql(f"SELECT cell, {form('cell')}, {first_words('cell')} FROM cells").fetchall()
    forms = {cell: [f for f in dict.fromkeys((whole, first)) if f] for cell, whole, first in rows}
    pairs = {pair for row in cells for pair in _pairs(row, forms)}
    names = set(oppositions.listed(Kind.NAME, pairs))
    tokens = set(oppositions.listed(Kind.CONTACT, {t for cell in flat if (t := contact_form(cell))}))
    numbers = set(oppositions.listed(Kind.PATIENT, {cell.strip() for cell in flat if cell.strip()}))
    places = [columns.index(key.columns[0]) for key in source.persons if _is_number(key)]
    found = []
    for row, text in zip(cells, texts, strict=True):
        in_place = re.split(r"[;,\t|]", text)
        own = [in_place[p] for p in places] if len(in_place) == len(columns) else row if places else []
        is_named = any(pair in names for pair in _pairs(row, forms)) if names else False
        has_token = any(contact_form(cell) in tokens for cell in row) if tokens else False
        found.append(is_named or has_token or any(cell.strip(' "') in numbers for cell in own))
    return found


def without_opposed(
    table: Table, oppositions: Oppositions, rows: Sequence[Row], text_of: Callable[[Row], str]
) -> list[Row]:
    """The rows of a table of rejects whose text is not about a person on the list. `table` is the source."""
    source = delivered_rows(table)
    delivered = [c.name for c in table.columns if c.name not in source.derived]
    about = mentions(source, delivered, oppositions, [text_of(row) for row in rows])
    return [row for row, is_about in zip(rows, about, strict=True) if not is_about]


def _is_number(key: PersonKey) -> bool:
    return key.kind is Kind.PATIENT and key.through is None


def _pairs(row: Sequence[str], forms: dict[str, list[str]]) -> Iterator[str]:
    """The texts of kind `name` that two cells side by side may be."""
    for one, other in pairwise(row):
        for left in forms[one]:
            for right in forms[other]:
                yield f"{left}|{right}"
                yield f"{right}|{left}"


def _owned(oppositions: Oppositions, key: PersonKey, database: "DatabaseSnapshot") -> Sequence[str]:
    """The numbers whose owner is on the list."""
    through = key.through
    assert through is not None
    found: dict[str, list[str]] = {}
    for batch in database.stream(through.table, [through.number, through.owner]):
        for number, owner in zip(batch[0].to_pylist(), batch[1].to_pylist(), strict=True):
            if number is not None and owner is not None:
                found.setdefault(owner.strip(), []).append(number.strip())
    return [number for owner in oppositions.listed(key.kind, found) for number in found[owner]]


def _texts(connection: duckdb.DuckDBPyConnection, query: str) -> Iterable[str]:
    return [text for (text,) in connection.execute(query).fetchall() if text is not None]


def _keep(connection: duckdb.DuckDBPyConnection, name: str, texts: Sequence[str]) -> None:
    connection.register("texts_to_keep", pa.table({"text": pa.array(texts, pa.string())}))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {sql_name(name)} AS SELECT text FROM texts_to_keep")
    connection.unregister("texts_to_keep")
