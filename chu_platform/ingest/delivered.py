"""Declaration of delivered rows: where their text comes from, and how it is typed, checked and rejected."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from chu_platform.errors import ChuError
from chu_platform.ingest.file_names import plain_groups
from chu_platform.ingest.fingerprints import fingerprint
from chu_platform.ingest.outer_blanks import OuterBlanks
from chu_platform.ingest.persons import PersonKey
from chu_platform.tables.checks import (
    MAX_DECREASE,
    Check,
    columns_declared,
    columns_understood,
    delivery_has_not_shrunk,
    encoding_known,
    files_read,
    last_line_ended,
    one_encoding,
    open_rejects_match_delivery,
    rejected_share,
    rows_kept_or_rejected,
    values_understood,
)
from chu_platform.tables.columns import LONG, STRING, Column
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.policies import quarantine_policy, rejects_policy
from chu_platform.tables.rows import DeliveredRows
from chu_platform.tables.table import Layer, Table, Zone

if TYPE_CHECKING:
    import duckdb

    from chu_platform.ingest.files import PackScan
    from chu_platform.ingest.reading import ReadingContext


# A file with more rejects, or with a larger share of rejects, is refused as a whole: it is probably the wrong file. The
# number also limits memory. A source may declare a smaller share; a few rejects then refuse no file yet.
MAX_REJECTS = 1_000_000
MAX_REJECTED_SHARE = 0.5
FEW_REJECTS: Final = 5
# A file in which a larger share of the rows has the key of another row is refused: its key is none, or a part of it was
# delivered twice.
MAX_REPEATED_SHARE: Final = 0.1
# Prefix of the names of the columns of text, beside the columns with typed values, in the SQL of a reading.
TEXT_PREFIX: Final = "text:"
# If the header is really a row, messages must not show a name, a number or an address from it. A plausible column name
# has at most this many characters, starts with a letter and has at most four digits in sequence (a year).
MAX_NAME_LENGTH = 40
PLAUSIBLE_NAME: Final = re.compile(r"(?!.*\d{5})[^\W\d_][\w .()°%/'’-]*")


@dataclass(frozen=True)
class SourceFile:
    """Identity of a file or database table that was read, without any of its content.

    `modified` is when the file was last changed (`files.modified_at`); None for a table of a database.
    """

    name: str
    size: int
    fingerprint: str
    modified: str | None = None


@dataclass(frozen=True)
class Malformed:
    """Lines of a delivery that could not be split into a row: number of the first line, reason code, text."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class LeftOut:
    """A file that is not read, although others of its source are (`Reader.apart`): its name, and the cause.

    `constants` are the values that come from the file name, as in `RawRows`.
    """

    name: str
    why: str
    constants: Mapping[str, str]

    @property
    def groups(self) -> tuple[str, ...]:
        """What a file is a delivery of: see `plain_groups`."""
        return plain_groups(self.constants.values())


@dataclass(frozen=True)
class RawRows:
    """The text of one delivered file or table.

    `relation`: DuckDB SQL (for FROM) that gives the rows, all VARCHAR, with at least the columns `names`.
    `rows`: number of rows, counted independently of the relation.
    `number`: SQL expression of the number of a row, from 1, in the order of delivery.
    `locate`: function from row numbers (ascending) to line numbers (row numbers for a database table) and texts.
    `malformed`: lines that could not be split into rows.
    `constants`: text columns whose values come from the file name.
    `undeclared`: the delivered columns that are not declared: name in the relation -> name in the header ("": none).
    `empty_is_null`: whether the relation has null for every empty text; otherwise it may have both.
    `encoding`, `separator`: as detected in the file, for text files.
    `lines_in_fallback`: number of lines that are not UTF-8, in a file that has other lines that are.
    `has_powers`: whether it may have numbers such as 8.1E+10, which a spreadsheet program makes of long identifiers.
    `doubly_encoded`: number of lines with letters that were encoded twice in UTF-8.
    `garbled`: number of lines that are not UTF-8, and probably not in the fallback encoding either.
    `is_unended`: whether the last line has no line ending, so that nothing shows that it is whole.
    `outer_blanks`: the blanks that may be around values; they are removed.
    `misplaced`: SQL over the relation that is true for a row in which the values from this column on are in no known
    place.
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
    empty_is_null: bool = False
    encoding: str | None = None
    lines_in_fallback: int = 0
    separator: str | None = None
    has_powers: bool = False
    doubly_encoded: int = 0
    garbled: int = 0
    is_unended: bool = False
    outer_blanks: OuterBlanks = OuterBlanks.NONE
    misplaced: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Matched:
    """Names for the columns of a delivery, in its order.

    `undeclared` maps the names given to columns that are not declared to their names in the header.
    """

    names: Sequence[str]
    undeclared: Mapping[str, str]


@dataclass(frozen=True)
class Expected:
    """The required and optional columns of a delivery, in any order.

    `spellings` are alternative header names of declared columns, the usual one first. Letter case, accents, blanks and
    underscores of names do not matter, unless two declared columns differ by nothing else.
    """

    required: Sequence[str]
    optional: Sequence[str] = ()
    spellings: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def match(self, name: str, header: Sequence[str], log: Callable[[str], None]) -> Matched:
        """Match a delivered header with the declared columns.

        Raises ChuError when a required column is missing or a declared column occurs twice. Columns that are not
        declared are logged; their values go to the quarantine. Optional columns that are missing are logged too.
        """
        declared = {*self.required, *self.optional}
        header = self._named(header)
        twice = sorted(c for c in declared if header.count(c) > 1)
        missing = [c for c in self.required if c not in header]
        added = [c for c in header if c not in declared]
        if twice:
            raise ChuError(f"{name}: the column {twice[0]!r} occurs twice in the header: ask for the delivery again")
        if missing:
            unexpected = f"; it has {len(added)} unexpected columns" if added else ""
            # With most of the names missing, the first line is probably a row, and messages never show rows.
            if unexpected and 2 * len(missing) <= len(self.required):
                unexpected += f": {_listed(added)}"
            raise ChuError(f"{name}: {_listed(missing)} missing among its {len(header)} columns{unexpected}")
        if any(added):
            log(f"{name}: {_listed([c for c in added if c])} not declared, kept in quarantine, not used by any table")
        if absent := [c for c in self.optional if c not in header]:
            log(f"{name}: {_listed(absent)} not delivered, they stay empty")
        names = [c if c in declared else f"undeclared {i}" for i, c in enumerate(header, start=1)]
        return Matched(names, {n: c for n, c in zip(names, header, strict=True) if c not in declared})

    def missing(self, header: Sequence[str]) -> Sequence[str]:
        """The required columns that a header does not have."""
        named = set(self._named(header))
        return [c for c in self.required if c not in named]

    def _named(self, header: Sequence[str]) -> list[str]:
        """The header, with the declared names of columns that have an alternative name or another form of it."""
        declared = {*self.required, *self.optional}
        forms = Counter(map(_plain_name, declared))
        others = {c: _plain_name(c) for c in header if c not in declared}
        named: dict[str, str] = {}
        for column in (*self.required, *self.optional):
            own = _plain_name(column)
            names = [own] if forms[own] == 1 else []
            names += [n for n in map(_plain_name, self.spellings.get(column, ())) if not forms[n]]
            # Of several alternative names in a header, the first one counts.
            found = next((n for n in names if n in others.values() and n not in named), None)
            if found is not None and column not in header:
                named[found] = column
        return [c if c in declared else named.get(others[c], c) for c in header]


class Reader(Protocol):
    """Reader of one kind of delivery. Raises ChuError when a delivery is missing, unreadable or has other columns."""

    def open(self, expected: Expected, context: "ReadingContext") -> AbstractContextManager[Iterator[RawRows]]:
        """Iterate over the delivered files or tables."""
        ...

    @property
    def freshness(self) -> Freshness:
        """How often a delivery is expected."""
        ...

    @property
    def label(self) -> str:
        """What it reads, in French, for readers."""
        ...

    @property
    def database(self) -> str | None:
        """Name of the database of the table; None for files."""
        ...

    @property
    def database_table(self) -> str | None:
        """Name of the table in the database; None for files."""
        ...

    @property
    def apart(self) -> bool:
        """Whether a file that cannot be read is left out, and the others are read (`LeftOut`)."""
        ...

    @property
    def pattern(self) -> str:
        """Regular expression of the names of the files to read, or of the dump of the database."""
        ...

    def match(self, name: str) -> re.Match[str] | None:
        """The match of the pattern with a name; None if files with this name are not read."""
        ...

    def files(self, pack: "Path | PackScan", fingerprint_of: Callable[[Path], str] = fingerprint) -> Sequence[Path]:
        """The files to read, one per set of copies. Raises ChuError when a file is missing or copies differ.

        A pack that was searched already is not searched again. `fingerprint_of` gives the fingerprints of copies.
        """
        ...

    def copies(self, pack: Path) -> Sequence[Path]:
        """Every file of the pack that matches, including copies."""
        ...

    def positions_of(self, column: str) -> str | None:
        """Position of a column in a line, in French; None for formats with a header."""
        ...


@dataclass(frozen=True)
class RowCheck:
    """A check of one delivered row. `holds_when` is DuckDB SQL over the typed row; if it is false, the row is rejected.

    `reason` is the reason code of the reject, `column` the column that is reported.
    """

    reason: str
    column: str
    holds_when: str


@dataclass(frozen=True)
class Withdrawals:
    """Rows that are delivered but must not be kept, because a list that is delivered too names them.

    `listed` is the source table of the list; its files are read with every delivery. A row is withdrawn if `key`, SQL
    over the typed row, is the `listed_key` of a row of the list. A row of the list may be `incomplete` (SQL over it):
    its key is one of the `wider_keys` of each row that it may mean. `group` is SQL over the rows of both: if a delivery
    has rows of many groups of a list, and hardly any key, the keys are probably written in another way.
    """

    listed: "Table" = field(repr=False)
    listed_key: str
    key: str
    wider_keys: Sequence[str]
    incomplete: str
    group: str

    @property
    def reader(self) -> Reader:
        """The reader of the list."""
        return delivered_rows(self.listed).reader


@dataclass(frozen=True)
class Delivered(DeliveredRows):
    """Rows read from a delivery.

    `typing`: SQL that types the text `{text}` of a column, instead of the default of its type.
    `derived`: columns that are not delivered, as SQL over the typed row.
    `understood`: SQL, for columns that stay text, that is null if later tables can make nothing of the text `{text}`,
    which is that of `typing` if the column has one.
    `absent`: words, in capitals, that are an empty cell in a column, such as NULL; none begins with a digit. A warning
    counts them.
    `row_checks`: conditions that reject rows.
    `row_warnings`: conditions of the declared columns that a row may not meet: a warning names its line.
    `optional`: columns that may be missing from a file.
    `empty`: texts that mean an empty cell, in every column; their letter case does not matter.
    `blanks`: SQL, in brackets, that is true for a text `{text}`, such as "not concerned", that may stand in place of a
    number or a date. Derived columns may read it as `delivered_text(column)`.
    `spellings`: alternative names of columns in the headers of some files, the usual one first.
    `percentages`: columns of percentages and scores up to 100. If most of their values are at most 1, they are
    fractions of 1, and the column is not understood. Single fractions are named in a warning.
    `ratios`: columns of ratios, such as observed to expected. A percentage among them is named in a warning.
    `max_decrease`: the share of its rows that a file may lose from one delivery to the next. A delivery that loses more
    is held back until it is accepted.
    `max_rejected_share`: the share of the rows of a file or database table above which it is refused as a whole, if
    more than a few rows (FEW_REJECTS) are rejected; at most MAX_REJECTED_SHARE.
    `withdrawals`: rows that another delivery withdraws.
    `persons`: by what rows belong to a person. Rows of persons on the opposition list are withdrawn.
    `stands_alone`: a delivery that cannot be read concerns its own rows only. Tables that read the source are made of
    its last version. If it has none, it gets one without rows, as if nothing was delivered, and its step fails.
    If its files are read apart (`Reader.apart`), this holds for each of them: the partitions of a file that cannot be
    read stay as they are, the others are made, and the command fails. Its name must give its partition.
    """

    reader: Reader
    typing: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    understood: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, Sequence[str]] = field(default_factory=dict)
    row_checks: Sequence[RowCheck] = ()
    row_warnings: Sequence[RowCheck] = ()
    optional: Sequence[str] = ()
    empty: Sequence[str] = ()
    blanks: str | None = None
    spellings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    percentages: Sequence[str] = ()
    ratios: Sequence[str] = ()
    max_decrease: float = MAX_DECREASE
    max_rejected_share: float = MAX_REJECTED_SHARE
    withdrawals: Withdrawals | None = None
    persons: Sequence[PersonKey] = ()
    stands_alone: bool = False

    @property
    def declaration(self) -> Mapping[str, str]:
        """See `Rows`: the whole declaration."""
        return {"declaration": repr(self)}

    @property
    def code_roots(self) -> Sequence[object]:
        """See `Rows`: the functions that turn the delivery into rows."""
        from chu_platform.ingest.reading import read  # imports this module

        return [read, self.reader]

    def implied_checks(self, table: Table) -> Sequence[Check]:
        """See `Rows`: rows in = kept + rejected + withdrawn.

        For the source itself also: all delivered columns are declared and understood, no file has shrunk, has two
        encodings or one that is not known, or may be cut in its last line.
        """
        of_source = [columns_declared(), columns_understood(), values_understood()]
        of_source.append(delivery_has_not_shrunk(self.max_decrease))
        if self.reader.apart:
            of_source.append(files_read())
        if self.reader.database is None:
            of_source += [one_encoding(), encoding_known(), last_line_ended()]
        return [rows_kept_or_rejected(), *(of_source if table.layer is Layer.SOURCES else [])]

    @property
    def reads_oppositions(self) -> bool:
        """See `Rows`: it leaves out rows of persons."""
        return bool(self.persons)

    def freshness(self, _table: Table) -> Freshness:
        """See `Rows`: the freshness of its delivery."""
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
        """The required and optional columns of the delivery."""
        delivered = [c.name for c in columns if c.name not in self.derived]
        return Expected([n for n in delivered if n not in self.optional], self.optional, self.spellings)


def delivered_text(column: str) -> str:
    """SQL of the text of a column as it was delivered, for `Delivered.derived`."""
    return sql_name(f"{TEXT_PREFIX}{column}")


def is_delivered(table: Table) -> bool:
    """Whether the rows of a table are read from a delivery."""
    return isinstance(table.rows, Delivered)


def stands_alone(table: Table) -> bool:
    """Whether a failure of the table keeps no other table from being made (see `Delivered`)."""
    return isinstance(table.rows, Delivered) and table.rows.stands_alone


def delivered_tables(tables: Sequence[Table]) -> Sequence[Table]:
    """The tables that are read from deliveries."""
    return [t for t in tables if is_delivered(t)]


def delivered_rows(table: Table) -> Delivered:
    """The declaration of the rows of a delivered table. Raises TypeError for other tables."""
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
        access=rejects_policy(table.access),
        columns=REJECT_COLUMNS,
        rows=table.rows,
        checks=[rejected_share(MAX_REJECTED_SHARE), open_rejects_match_delivery("mended_by")],
        public_source=table.public_source,
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
    """The table of the values in delivered columns that are not declared.

    It is not an asset of the graph, so no table can read it. It is created when such a column is first delivered.
    """
    return Table(
        name=table.name,
        layer=Layer.QUARANTINE,
        zone=Zone.RESTRICTED,
        grain=f"une valeur d’une colonne que {table.name} ne déclare pas",
        label=f"Quarantaine : {table.label}",
        owner=table.owner,
        access=quarantine_policy(table.access),
        columns=QUARANTINE_COLUMNS,
        rows=table.rows,
        public_source=table.public_source,
    )


def _plain_name(name: str) -> str:
    """A column name in lower case, without accents, and with `_` for blanks, hyphens and underscores in sequence."""
    letters = (c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return re.sub(r"[\s_\u200b\u2010-\u2013-]+", "_", "".join(letters).lower()).strip("_")


def safe_column_name(name: str) -> str:
    """A delivered column name for use in messages.

    An implausible name is replaced with its shape: a for each letter, 9 for each digit.
    """
    if PLAUSIBLE_NAME.fullmatch(name) and len(name) <= MAX_NAME_LENGTH:
        return name
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", name[:MAX_NAME_LENGTH]))


def _listed(names: Sequence[str]) -> str:
    first_names = ", ".join(repr(safe_column_name(n)) for n in names[:4])
    return first_names + (f" and {len(names) - 4} more" if len(names) > 4 else "")
