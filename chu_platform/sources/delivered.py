"""What a delivered source is: where its text comes from, and how its text becomes typed rows or rejects.

Here: the declaration. Not here: reading (files, csv_files, workbooks, care_tables), typing rows (reading).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol


from chu_platform.tables.columns import LONG, STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

if TYPE_CHECKING:
    import duckdb

    from chu_platform.sources.reading import ReadingContext


@dataclass(frozen=True)
class Origin:
    """One file or database table that was read: enough to recognise it again, nothing of its content."""

    name: str
    size: int
    fingerprint: str


@dataclass(frozen=True)
class RawRows:
    """The text of one delivered file or table.

    `relation` is DuckDB SQL (for FROM) that gives every row that has the right number of fields, all VARCHAR, in
    the order of delivery; `lines` is the line (file) or row number (database, workbook) of row `n` of it, as a SQL
    expression. `malformed` are rows that are not even that: (line, reason, text). `constants` are text columns
    that the file's name gives.
    """

    origin: Origin
    relation: str
    lines: str
    malformed: "Callable[[duckdb.DuckDBPyConnection], Sequence[tuple[int, str, str]]]"
    constants: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """A kind of delivery. Raises ChuError when the delivery is missing, unreadable or has other columns."""

    def open(
        self, table: Table, columns: Sequence[str], context: "ReadingContext"
    ) -> AbstractContextManager[Iterator[RawRows]]:
        """The delivered files or tables, one by one; `columns` are those that must exist."""
        ...


@dataclass(frozen=True)
class Check:
    """A row is rejected with `reason` when `condition` (DuckDB SQL over the typed row) is false."""

    reason: str
    column: str
    condition: str


@dataclass(frozen=True)
class Delivered:
    """Rows read from a delivery.

    `typing` overrides, for a column, the SQL that types its text `{text}`; `derived` are the columns that are not
    delivered, as SQL over the typed row; `checks` reject rows; `optional` columns may be missing from a file; `blanks`
    are words that stand for an empty cell in columns that are not text.
    """

    reader: Reader
    typing: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    optional: Sequence[str] = ()
    blanks: Sequence[str] = ()


REJECT_COLUMNS: Sequence[Column] = (
    Column("file", STRING, "delivered file or database table", "Fichier", nullable=False),
    Column("line", LONG, "line of the file, or row number of the table", "Ligne", nullable=False),
    Column("column", STRING, "first column that does not fit", "Colonne"),
    Column("reason", STRING, "reason code", "Motif du rejet", nullable=False),
    Column("shape", STRING, "shape of the value: letters as a, digits as 9", "Forme de la valeur", identifying=True),
    Column("row", STRING, "the whole row as delivered", "Ligne telle que livrée", identifying=True),
)


def rejects_of(table: Table) -> Table:
    """The table of the rejected rows of a delivered table."""
    return Table(
        name=table.name,
        layer=Layer.REJECTS,
        zone=Zone.RESTRICTED,
        grain=f"one row of {table.name} that was delivered and could not be kept",
        label=f"Rejets : {table.label}",
        owner=table.owner,
        columns=REJECT_COLUMNS,
        rows=table.rows,
    )


