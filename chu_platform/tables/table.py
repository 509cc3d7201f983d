"""A table, declared once.

Here: the declaration and what follows from it alone. Not here: Dagster, Delta, or the engines, which read it.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from chu_platform.tables.checks import Check, accounted_for, all_declared, not_null, steady_row_count, unique
from chu_platform.tables.columns import Column, arrow_schema
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.maintenance_policy import STANDARD, Policy
from chu_platform.tables.partitions import PartitionScheme
from chu_platform.tables.periods import CALENDAR, QueryOverPeriods
from chu_platform.tables.source_code import texts_of

if TYPE_CHECKING:
    from chu_platform.ingest.delivered import Delivered


class Zone(StrEnum):
    """Who may read: `restricted` holds identities, `pseudonymised` exact figures, `published` masked ones."""

    RESTRICTED = "restricted"
    PSEUDONYMISED = "pseudonymised"
    PUBLISHED = "published"


class Layer(StrEnum):
    """The steps of the way from a delivery to an indicator; each is one asset group."""

    SOURCES = "sources"
    REJECTS = "rejects"
    QUARANTINE = "quarantine"
    REFERENCES = "references"
    PSEUDONYMS = "pseudonyms"
    DIMENSIONS = "dimensions"
    FACTS = "facts"
    KPIS = "kpis"
    DISCLOSURE = "disclosure"
    PUBLISHED = "published"
    REPORTS = "reports"


@dataclass(frozen=True)
class Layout:
    """How a table lies on disk: its Delta partition columns, and the columns its readers filter on inside them."""

    partition_by: Sequence[str] = ()
    z_order_by: Sequence[str] = ()


# In `from_columns`: what decides which rows there are, whatever the column.
EVERY_ROW: Final = "*"


@dataclass(frozen=True)
class ExternalSource:
    """Where values come from that no table holds: a delivered or packaged file, Dagster's log; French, for readers.

    `column` says where in it: a header, positions, a part of the name.
    """

    place: str
    column: str = ""


# What a function is `given` beside its inputs.
PACK: Final = ExternalSource("dossier livré")
DECLARATIONS: Final = ExternalSource("déclarations des tables")
EVENT_LOG: Final = ExternalSource("journal d’exécution de Dagster")


@dataclass(frozen=True)
class Query:
    """Rows made by Spark SQL over the tables read: `{name}` stands for the input of that name.

    `finish` completes the result in Python where SQL has no words for it (an interval of a statistics library, a
    keyed hash): it takes the query's rows as an Arrow table and gives the table's. `from_columns` then says of each
    column that it makes which columns of the query's rows it is made from: nobody can read that from Python.
    """

    sql: str
    finish: "Callable[[pa.Table], pa.Table] | None" = None
    from_columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    over_periods: QueryOverPeriods | None = None

    @staticmethod
    def over(
        query: QueryOverPeriods,
        finish: "Callable[[pa.Table], pa.Table] | None" = None,
        from_columns: Mapping[str, Sequence[str]] | None = None,
    ) -> "Query":
        """A query over periods: the table is made with those of the calendar, `chu kpi` asks with a free range."""
        return Query(query(CALENDAR), finish, from_columns or {}, query)


@dataclass(frozen=True)
class Computed:
    """Rows made by a Python function over the tables read, each given as an Arrow table by its name in `reads`.

    `columns` limits what is loaded of an input, for those that are large. `given` names what else the function takes:
    `settings` (for a secret key, or the pack's folder), `instance` (Dagster's), `tables` (the catalogue), `before`
    (the rows of the table as it is). `from_columns` says of each column what it is made from: "input.column" of
    `reads`, or what lies outside; nothing for a constant. Under EVERY_ROW stands what decides which rows there are.
    """

    function: "Callable[..., pa.Table]"
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    given: Sequence[str] = ()
    from_columns: Mapping[str, Sequence[str | ExternalSource]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Table:
    """One table: one Dagster asset, one Delta table.

    `label` and `grain` are French, for readers; the grain says what one row is, and reads on after "Une ligne :".
    `reads` names the inputs. `checks` are those beyond what the columns say already (nullability and key).
    `partition_scheme` is None for a table that is written whole.
    `preview` is a DuckDB query over `{this}` whose few rows the UI shows with each version: published zone only.
    """

    name: str
    layer: Layer
    zone: Zone
    grain: str
    label: str
    owner: str
    columns: Sequence[Column]
    rows: "Query | Computed | Delivered"
    reads: Mapping[str, "Table"] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    layout: Layout = Layout()
    partition_scheme: PartitionScheme | None = None
    maintenance: Policy = STANDARD
    preview: str | None = None

    @property
    def said(self) -> str:
        """Label and grain in one text, where there is room for one only."""
        return f"{self.label}. Une ligne : {self.grain}."

    @property
    def folder(self) -> str:
        """Path of the table below the lake's root. Masked twins of the KPIs lie in a folder `kpis` of their zone."""
        layer = Layer.KPIS if self.layer is Layer.PUBLISHED else self.layer
        return f"{self.zone}/{layer}/{self.name}"

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the table."""
        return arrow_schema(self.columns)

    @property
    def key(self) -> Sequence[str]:
        """Names of the columns that make up the grain; empty for tables without a key."""
        return [c.name for c in self.columns if c.key]

    @property
    def partition_by(self) -> Sequence[str]:
        """Delta partition columns: the partition scheme's column first."""
        own = [c for c in self.layout.partition_by if not self.partition_scheme or c != self.partition_scheme.column]
        return [*([self.partition_scheme.column] if self.partition_scheme else []), *own]

    @cached_property
    def all_checks(self) -> Sequence[Check]:
        """The checks that follow from the columns and the kind of rows, and the declared ones."""
        required = [not_null(c.name) for c in self.columns if c.required]
        return [
            *required,
            *([unique(*self.key)] if self.key else []),
            *self.checks,
            *([] if isinstance(self.rows, Query | Computed) else [accounted_for()]),
            *([all_declared()] if self.layer is Layer.SOURCES and not isinstance(self.rows, Query | Computed) else []),
            steady_row_count(),
        ]

    @property
    def needs(self) -> "Sequence[Table]":
        """The tables that must be there before: those read, and those its checks refer to."""
        referred = (r.refers_to for r in self.checks if r.refers_to)
        return list(dict.fromkeys([*self.reads.values(), *referred]))

    @cached_property
    def cadence(self) -> Freshness:
        """How often the table is expected anew: as its delivery, or as the most frequent of the tables it needs."""
        if not isinstance(self.rows, Query | Computed):
            return self.rows.reader.cadence
        needed = [t.cadence for t in self.needs]
        return min(needed, key=lambda c: c.fail, default=Freshness.YEARLY)

    @cached_property
    def code(self) -> Mapping[str, str]:
        """The text of the Python that makes the rows, by qualified name; empty for a query that needs none."""
        rows = self.rows
        if isinstance(rows, Query):
            return texts_of(rows.finish)
        return texts_of(rows.function) if isinstance(rows, Computed) else texts_of(*rows.read_by)

    @cached_property
    def code_version(self) -> str:
        """Fingerprint of what makes the rows: columns, query or declaration, and the Python with all it uses."""
        rows = self.rows
        parts = [f"{self.layer}/{self.name}", str(self.schema)]
        if isinstance(rows, Query):
            parts.append(rows.sql)
        elif not isinstance(rows, Computed):
            parts.append(repr(rows))
        parts += (f"{name}\x1e{text}" for name, text in self.code.items())
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


class DeclaresTables(ABC):
    """A declaration from which tables follow."""

    @property
    @abstractmethod
    def tables(self) -> "Iterable[Table]":
        """The tables."""
