"""A table, declared once, and what follows from its declaration alone."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Protocol

import pyarrow as pa

from chu_platform.tables.checks import Check, not_null, steady_row_count, unique
from chu_platform.tables.columns import Column, arrow_schema
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.maintenance_policy import STANDARD, Policy
from chu_platform.tables.partitions import PartitionScheme
from chu_platform.tables.rows import Rows
from chu_platform.tables.source_code import texts_of


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


class DeclaresTables(ABC):
    """A declaration from which tables follow."""

    @property
    @abstractmethod
    def tables(self) -> "Iterable[Table]":
        """The tables."""


class StoredTable(Protocol):
    """What reading a table of the lake needs to know of it: a declared or a described one."""

    @property
    def name(self) -> str:
        """See `Table`."""

    @property
    def layer(self) -> Layer:
        """See `Table`."""

    @property
    def folder(self) -> str:
        """See `Table`."""

    @property
    def columns(self) -> Sequence[Column]:
        """See `Table`."""

    @property
    def partition_by(self) -> Sequence[str]:
        """See `Table`."""


@dataclass(frozen=True, eq=False)
class Table(DeclaresTables):
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
    rows: Rows
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
    def tables(self) -> "Sequence[Table]":
        """The table itself."""
        return [self]

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
            *self.rows.implied_checks(self),
            steady_row_count(),
        ]

    @property
    def needs(self) -> "Sequence[Table]":
        """The tables that must be there before: those read, and those its checks refer to."""
        referred = (r.refers_to for r in self.checks if r.refers_to)
        return list(dict.fromkeys([*self.reads.values(), *referred]))

    @property
    def outputs(self) -> "Sequence[Table]":
        """The tables that the step of the table makes: itself, and its rejects when it is delivered."""
        return self.rows.outputs(self)

    @cached_property
    def freshness(self) -> Freshness:
        """How often the table is expected anew."""
        return self.rows.freshness(self)

    @cached_property
    def code(self) -> Mapping[str, str]:
        """The text of the Python that makes the rows, by qualified name; empty for a query that needs none."""
        return texts_of(*self.rows.code_roots)

    @cached_property
    def code_version(self) -> str:
        """Fingerprint of what makes the rows: columns, query or declaration, and the Python with all it uses."""
        parts = [f"{self.layer}/{self.name}", str(self.schema), *self.rows.declaration.values()]
        parts += (f"{name}\x1e{text}" for name, text in self.code.items())
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]
