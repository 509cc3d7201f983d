"""What a delivered source is: where its text comes from, and how its text becomes typed rows or rejects.

Here: the declaration. Not here: reading (delivered_files, care_tables and the formats), typing rows
(reading).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from chu_platform.errors import ChuError
from chu_platform.tables.checks import (
    Check,
    columns_declared,
    open_rejects_match_delivery,
    rejected_share,
    rows_kept_or_rejected,
)
from chu_platform.tables.columns import LONG, STRING, Column
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.rows import DeliveredRows
from chu_platform.tables.table import Layer, Table, Zone

if TYPE_CHECKING:
    import duckdb

    from chu_platform.ingest.reading import ReadingContext


# More rejects than this, and the file is another one than it seems; nor would they fit in memory.
MAX_REJECTS = 1_000_000
# Nor is it what it seems when more of its rows than this are rejected: nothing of it is published.
MAX_REJECTED_SHARE = 0.5
# A header that is really a row must not put a name, a number or an address into a message: at most this many
# characters, a letter first, no more digits in a row than a year has.
MAX_NAME_LENGTH = 40
PLAUSIBLE_NAME: Final = re.compile(r"(?!.*\d{5})[^\W\d_][\w .()°%/'’-]*")


@dataclass(frozen=True)
class SourceFile:
    """One file or database table that was read: enough to recognise it again, nothing of its content.

    `modified` is when the file was last changed (`files.modified_at`); None for a table of a database.
    """

    name: str
    size: int
    fingerprint: str
    modified: str | None = None


@dataclass(frozen=True)
class Malformed:
    """Lines of a delivery that are no row at all: number of the first, reason code, and their text."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class RawRows:
    """The text of one delivered file or table.

    `relation` is DuckDB SQL (for FROM) that gives the rows, all VARCHAR, with at least the columns `names`.
    `rows` is their number, counted by other means than the relation. `number` is the SQL expression of a
    row's number, from 1 on, in the order of delivery; `locate` gives the lines (or row numbers of a database
    table) and texts of the rows with these numbers, ascending. `malformed` are those that are no rows.
    `constants` are text columns that the file's name gives. `undeclared` are the columns of the delivery that no
    declaration names: what the relation calls each, and what its header does ("": nothing). `encoding` and
    `separator` are those that the file was found to be written in, where it is text.
    """

    origin: SourceFile
    relation: str
    names: Sequence[str]
    rows: int
    number: str
    locate: "Callable[[duckdb.DuckDBPyConnection, Sequence[int]], Sequence[tuple[int, str]]]"
    malformed: Sequence[Malformed] = ()
    constants: Mapping[str, str] = field(default_factory=dict)
    undeclared: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    separator: str | None = None


@dataclass(frozen=True)
class Matched:
    """The names to read a delivery's columns by, in its order; those of `undeclared` clash with no declared one, and
    go with what the header calls them.
    """

    names: Sequence[str]
    undeclared: Mapping[str, str]


@dataclass(frozen=True)
class Expected:
    """The columns that a delivery must have, and those that it may have; their order does not matter.

    `spellings` are other names of a declared column in headers.
    """

    required: Sequence[str]
    optional: Sequence[str] = ()
    spellings: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def match(self, name: str, header: Sequence[str], remark: Callable[[str], None], hint: str = "") -> Matched:
        """The names to read a delivery's columns by.

        Raises ChuError when a required column is missing or a declared one stands twice; `hint` says why, if
        the reader has an idea. Columns that nobody declared are remarked; their values are set apart (quarantine).
        """
        declared = {*self.required, *self.optional}
        header = [self._declared(c, header) for c in header]
        twice = sorted(c for c in declared if header.count(c) > 1)
        missing = [c for c in self.required if c not in header]
        added = [c for c in header if c not in declared]
        if twice:
            raise ChuError(f"{name}: the column {twice[0]!r} stands twice in its header: ask for the delivery again")
        if missing:
            found = f"; it has {len(added)} that are not expected" if added and not hint else ""
            # With few of the names there, the first line is no header but a row, and rows are not told.
            if found and 2 * len(missing) <= len(self.required):
                found += f": {_listed(added)}"
            raise ChuError(f"{name}: {_listed(missing)} missing among its {len(header)} columns{hint}{found}")
        if any(added):
            remark(f"{name}: {_listed([c for c in added if c])} not declared, kept in quarantine, passed on to nothing")
        names = [c if c in declared else f"undeclared {i}" for i, c in enumerate(header, start=1)]
        return Matched(names, {n: c for n, c in zip(names, header, strict=True) if c not in declared})

    def _declared(self, name: str, header: Sequence[str]) -> str:
        """The declared name of a column that the header spells in another way, else its own."""
        spelled = (c for c, others in self.spellings.items() if name in others and c not in header)
        return next(spelled, name)


class Reader(Protocol):
    """A kind of delivery. Raises ChuError when the delivery is missing, unreadable or has other columns."""

    def open(self, expected: Expected, context: "ReadingContext") -> AbstractContextManager[Iterator[RawRows]]:
        """The delivered files or tables, one by one."""
        ...

    @property
    def freshness(self) -> Freshness:
        """How often a delivery is expected."""
        ...

    @property
    def label(self) -> str:
        """What it reads, as a person would name it."""
        ...

    @property
    def database(self) -> str | None:
        """Name of the database that it reads a table of; None when it reads files."""
        ...

    @property
    def pattern(self) -> str:
        """Regular expression of the names of the files that it reads, or that its database is restored from."""
        ...

    def files(self, pack: Path) -> Sequence[Path]:
        """The files to read, of several copies one. Raises ChuError when one is missing, or when copies differ."""
        ...

    def copies(self, pack: Path) -> Sequence[Path]:
        """Every file of the pack that matches, those too that are copies of one that is read."""
        ...

    def positions_of(self, column: str) -> str | None:
        """Where in a line a column stands, French; None where a header names the columns."""
        ...


@dataclass(frozen=True)
class RowCheck:
    """A row is rejected with `reason` when `condition` (DuckDB SQL over the typed row) is false."""

    reason: str
    column: str
    condition: str


@dataclass(frozen=True)
class Delivered(DeliveredRows):
    """Rows read from a delivery.

    `typing` overrides, for a column, the SQL that types its text `{text}`; `derived` are the columns that
    are not delivered, as SQL over the typed row; `row_checks` reject rows; `optional` columns may be missing
    from a file; `blanks` are words that stand for an empty cell in columns that are not text; `spellings` are
    other names of a column in the headers of some files.
    """

    reader: Reader
    typing: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    row_checks: Sequence[RowCheck] = ()
    optional: Sequence[str] = ()
    blanks: Sequence[str] = ()
    spellings: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def declaration(self) -> Mapping[str, str]:
        """See `Rows`: all of it."""
        return {"declaration": repr(self)}

    @property
    def code_roots(self) -> Sequence[object]:
        """See `Rows`: what turns the delivery into rows."""
        from chu_platform.ingest.reading import read  # which needs this declaration

        return [read, self.reader]

    def implied_checks(self, table: Table) -> Sequence[Check]:
        """See `Rows`: rows in = kept + rejected, of the table and of its rejects; its columns are declared."""
        return [rows_kept_or_rejected(), *([columns_declared()] if table.layer is Layer.SOURCES else [])]

    def freshness(self, _table: Table) -> Freshness:
        """See `Rows`: as its delivery."""
        return self.reader.freshness

    def outputs(self, table: Table) -> Sequence[Table]:
        """See `Rows`: the table and its rejects."""
        return [table, rejects_of(table)]

    @property
    def delivery(self) -> str:
        """See `DeliveredRows`."""
        return self.reader.label

    def location_of(self, column: str) -> str:
        """See `DeliveredRows`."""
        if positions := self.reader.positions_of(column):
            return positions
        others = self.spellings.get(column, ())
        return column + (f" (ou {', '.join(others)})" if others else "")

    def expression_of(self, column: str) -> str | None:
        """See `DeliveredRows`."""
        return self.derived.get(column)

    def is_rewritten(self, column: str) -> bool:
        """See `DeliveredRows`."""
        return column in self.typing

    def expected(self, columns: Sequence[Column]) -> Expected:
        """Which of the columns of the table a delivery must have, and which it may have."""
        delivered = [c.name for c in columns if c.name not in self.derived]
        return Expected([n for n in delivered if n not in self.optional], self.optional, self.spellings)


def is_delivered(table: Table) -> bool:
    """Whether the rows of a table are read from a delivery."""
    return isinstance(table.rows, Delivered)


def delivered_tables(tables: Sequence[Table]) -> Sequence[Table]:
    """The tables that are read from deliveries."""
    return [t for t in tables if is_delivered(t)]


def delivered_rows(table: Table) -> Delivered:
    """The declaration of the rows of a delivered table. Raises TypeError for a table of another kind."""
    if not isinstance(table.rows, Delivered):
        raise TypeError(f"{table.layer}/{table.name} is not read from a delivery")
    return table.rows


REJECT_COLUMNS: Sequence[Column] = (
    Column("file", STRING, "fichier ou table de la base de données livrés", "Fichier", nullable=False),
    Column(
        "delivery",
        STRING,
        "SHA-256 du fichier, ou instantané de la base de données, où la ligne a figuré d’abord à ce numéro",
        "Livraison",
        nullable=False,
    ),
    Column("line", LONG, "numéro de ligne dans le fichier ou dans la table", "Ligne", nullable=False),
    Column("column", STRING, "première colonne non conforme", "Colonne"),
    Column("reason", STRING, "code du motif", "Motif du rejet", nullable=False),
    Column(
        "shape",
        STRING,
        "forme de la valeur : a pour une lettre, 9 pour un chiffre",
        "Forme de la valeur",
        identifying=True,
    ),
    Column("row", STRING, "ligne entière telle que livrée", "Ligne telle que livrée", identifying=True),
    Column("first_seen", STRING, "moment du premier rejet, UTC, ISO 8601", "Premier rejet", nullable=False),
    Column(
        "mended_by",
        STRING,
        "livraison qui ne la contient plus : SHA-256 ou instantané, ou withdrawn (retirée) ; "
        "vide tant que le rejet est ouvert",
        "Corrigé par",
    ),
)


@cache
def rejects_of(table: Table) -> Table:
    """The table of the rejected rows of a delivered table."""
    return Table(
        name=table.name,
        layer=Layer.REJECTS,
        zone=Zone.RESTRICTED,
        grain=f"une ligne de {table.name} livrée, qui n’a pas pu être gardée",
        label=f"Rejets : {table.label}",
        owner=table.owner,
        columns=REJECT_COLUMNS,
        rows=table.rows,
        checks=[rejected_share(MAX_REJECTED_SHARE), open_rejects_match_delivery("mended_by")],
    )


QUARANTINE_COLUMNS: Sequence[Column] = (
    Column("file", STRING, "fichier ou table de la base de données livrés", "Fichier", nullable=False),
    Column("delivery", STRING, "SHA-256 du fichier, ou instantané de la base de données", "Livraison", nullable=False),
    Column(
        "number", LONG, "numéro de la ligne parmi celles du fichier, à partir de 1", "Numéro de ligne", nullable=False
    ),
    Column("column", STRING, "nom de la colonne dans la livraison", "Colonne", nullable=False, identifying=True),
    Column("value", STRING, "valeur telle que livrée", "Valeur", nullable=False, identifying=True),
)


@cache
def quarantine_of(table: Table) -> Table:
    """The table of what a delivery holds in columns that the declaration of a table does not name.

    It is no asset of the graph, so that nothing can be made of it, and exists once there was such a column.
    """
    return Table(
        name=table.name,
        layer=Layer.QUARANTINE,
        zone=Zone.RESTRICTED,
        grain=f"une valeur d’une colonne que {table.name} ne déclare pas",
        label=f"Quarantaine : {table.label}",
        owner=table.owner,
        columns=QUARANTINE_COLUMNS,
        rows=table.rows,
    )


def shown(name: str) -> str:
    """A column's name as a message may hold it: what can be no name gives its shape, letters as a and digits as 9."""
    if PLAUSIBLE_NAME.fullmatch(name) and len(name) <= MAX_NAME_LENGTH:
        return name
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", name[:MAX_NAME_LENGTH]))


def _listed(names: Sequence[str]) -> str:
    shown_names = ", ".join(repr(shown(n)) for n in names[:4])
    return shown_names + (f" and {len(names) - 4} more" if len(names) > 4 else "")
