"""Declaration of a table, and the properties derived from it."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Protocol

import pyarrow as pa

from chu_platform.tables.access_policy import AccessPolicy
from chu_platform.tables.checks import Check, not_null, steady_row_count, unique
from chu_platform.tables.columns import Column, arrow_schema
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.maintenance_policy import STANDARD, Policy
from chu_platform.tables.partitions import NO_PARTITIONS, PartitionRange, PartitionScheme, TouchedPartitions
from chu_platform.tables.period_sql import YEAR, TouchedPeriods
from chu_platform.tables.rows import Rows
from chu_platform.tables.source_code import source_texts


class Zone(StrEnum):
    """Access zone: `restricted` holds identities, `pseudonymised` exact figures, `published` masked figures."""

    RESTRICTED = "restricted"
    PSEUDONYMISED = "pseudonymised"
    PUBLISHED = "published"


class Layer(StrEnum):
    """The layers between a delivery and an indicator. Each one is an asset group in Dagster."""

    SOURCES = "sources"
    REJECTS = "rejects"
    QUARANTINE = "quarantine"
    HISTORY = "history"
    REFERENCES = "references"
    PSEUDONYMS = "pseudonyms"
    DIMENSIONS = "dimensions"
    FACTS = "facts"
    KPIS = "kpis"
    CANDIDATES = "candidates"
    DISCLOSURE = "disclosure"
    EDITIONS = "editions"
    PUBLISHED = "published"
    REPORTS = "reports"


@dataclass(frozen=True)
class Layout:
    """Physical layout of a table: Delta partition columns, and columns for the Z-order within partitions.

    A write sorts the rows of each partition by the columns of the Z-order, unless `sorted_writes` is false: for a large
    table that its readers read whole, sorting takes more time than it saves.
    """

    partition_by: Sequence[str] = ()
    z_order_by: Sequence[str] = ()
    sorted_writes: bool = True


class DeclaresTables(ABC):
    """A declaration that defines one or several tables."""

    @property
    @abstractmethod
    def tables(self) -> "Iterable[Table]":
        """The tables."""


class StoredTable(Protocol):
    """Properties that are needed to read a table of the lake. Declared and described tables have them."""

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

    `label` and `grain` are French. The grain describes one row; it is displayed after "Une ligne :".
    `reads` are the input tables by name. `checks` are added to the checks derived from the columns (nullability, key).
    `partition_scheme` is None for a table that is always written whole.
    `derives_from` names the inputs whose partitions determine the partitions of this table: a row is made from rows of
    the same partition of these inputs or, in a table over periods, from rows of months or years that its period
    contains. So a change in one partition of such an input touches only some partitions (`touched_by`). A computed
    table with a partition scheme is made from rows of the partitions to make only, and names all its inputs.
    `period_scheme` gives the asset of a table over periods its partitions in Dagster: years. A step of some years makes
    their periods, the longer periods that contain them, and all others that changed inputs touch. So the rows of all
    periods always stem from the same rows of `derives_from`.
    `public_source` names the body that publishes the figures of the table itself, so that nothing in it is masked; None
    for a table with figures of the group's own data.
    `access` says who may read the table; without one, nobody may.
    `preview` is a DuckDB query over `{this}`. Dagster's UI shows its rows with each version, so only tables of the
    published zone have one.
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
    derives_from: Sequence[str] = ()
    period_scheme: PartitionScheme | None = None
    maintenance: Policy = STANDARD
    preview: str | None = None
    public_source: str | None = None
    access: AccessPolicy | None = None

    @property
    def full_description(self) -> str:
        """Label and grain in one text."""
        return f"{self.label}. Une ligne : {self.grain}."

    @property
    def tables(self) -> "Sequence[Table]":
        """The table itself."""
        return [self]

    @property
    def folder(self) -> str:
        """Path of the table below the lake's root. Masked KPI tables are in the folder `kpis` of their zone."""
        layer = Layer.KPIS if self.layer is Layer.PUBLISHED else self.layer
        return f"{self.zone}/{layer}/{self.name}"

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the table."""
        return arrow_schema(self.columns)

    @property
    def key(self) -> Sequence[str]:
        """Names of the key columns; empty for a table without a key."""
        return [c.name for c in self.columns if c.key]

    @property
    def partition_by(self) -> Sequence[str]:
        """Delta partition columns, the column of the partition scheme first."""
        others = [c for c in self.layout.partition_by if not self.partition_scheme or c != self.partition_scheme.column]
        return [*([self.partition_scheme.column] if self.partition_scheme else []), *others]

    @cached_property
    def all_checks(self) -> Sequence[Check]:
        """The checks derived from the columns and the kind of rows, and the declared checks."""
        required = [not_null(c.name) for c in self.columns if c.required]
        return [
            *required,
            *([unique(*self.key, by_partition={*self.partition_by} <= {*self.key})] if self.key else []),
            *self.checks,
            *self.rows.implied_checks(self),
            steady_row_count(),
        ]

    def touched_by(self, read: "Table", changed: Sequence[Mapping[str, str | None]]) -> TouchedPartitions | None:
        """The partitions of this table that other rows in the `changed` partitions of an input touch; None: all.

        Each of `changed` gives the values of the partition columns of `read`.
        """
        names = {name for name, table in self.reads.items() if table is read}
        if not names or not names <= {*self.derives_from}:
            return None
        scheme = read.partition_scheme
        if scheme is None:
            # A yearly table that is made whole.
            return TouchedPartitions.of(changed) if self.partition_by == read.partition_by == [YEAR] else None
        found = [values[scheme.column] for values in changed]
        if self.partition_scheme is scheme:
            return TouchedPartitions.of({scheme.column: value} for value in found)
        dated = [value for value in found if value]
        if len(dated) < len(found):
            return None
        if self.partition_by == [YEAR]:
            return TouchedPartitions.of({YEAR: str(int(year))} for year in dated)
        return TouchedPeriods(frozenset(date.fromisoformat(f"{month}-01") for month in dated)).partitions

    @property
    def asset_scheme(self) -> PartitionScheme | None:
        """The scheme of the partitions that the asset has in Dagster."""
        return self.partition_scheme or self.period_scheme

    def year_of(self, partition: Mapping[str, str | None]) -> str | None:
        """The year of a Delta partition of a table over periods; None for the period `all`."""
        if YEAR in partition:
            return str(partition[YEAR])
        return None if partition["period_grain"] == "all" else str(partition["period_start"])[:4]

    def partitions_in(self, years: PartitionRange, committed: Iterable[Mapping[str, str | None]]) -> TouchedPartitions:
        """Those of the `committed` Delta partitions of a table over periods that have days in these years."""
        found = [p for p in committed if (year := self.year_of(p)) and years.holds(year)]
        if self.partition_by == [YEAR]:
            return TouchedPartitions.of(found)
        months = [str(p["period_start"]) for p in found if p["period_grain"] == "month"]
        return TouchedPeriods(frozenset(map(date.fromisoformat, months))).partitions if months else NO_PARTITIONS

    @property
    def in_editions(self) -> bool:
        """Whether the release makes the table: it is kept with the editions, or it is published from such a table."""
        return self.layer is Layer.EDITIONS or self.edition is not None

    @property
    def edition(self) -> "Table | None":
        """The table of the editions that this published table repeats; None for any other table."""
        if self.layer is not Layer.PUBLISHED:
            return None
        return next((t for t in self.reads.values() if t.layer is Layer.EDITIONS), None)

    @cached_property
    def pseudonymised(self) -> bool:
        """Whether the rows have pseudonyms, or are made from such rows, outside of the published zone."""
        of_inputs = any(t.pseudonymised for t in self.reads.values())
        return self.zone is not Zone.PUBLISHED and (self.rows.uses_key or of_inputs)

    @property
    def needs(self) -> "Sequence[Table]":
        """The tables that must exist before this one is made: its inputs and the tables its checks refer to."""
        referred = (r.refers_to for r in self.checks if r.refers_to)
        return list(dict.fromkeys([*self.reads.values(), *referred]))

    @property
    def outputs(self) -> "Sequence[Table]":
        """The tables that the step of this table makes: itself and, if it is delivered, its rejects."""
        return self.rows.outputs(self)

    @cached_property
    def freshness(self) -> Freshness:
        """Expected update frequency."""
        return Freshness.MONTHLY if self.in_editions else self.rows.freshness(self)

    @cached_property
    def code(self) -> Mapping[str, str]:
        """Text of the Python code that makes the rows, by qualified name; empty for a query without Python."""
        return source_texts(*self.rows.code_roots)

    @cached_property
    def code_version(self) -> str:
        """Hash of columns, declaration (such as the SQL) and Python code that make the rows."""
        parts = [f"{self.layer}/{self.name}", str(self.schema), *self.rows.declaration.values()]
        parts += (f"{name}\x1e{text}" for name, text in self.code.items())
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]
