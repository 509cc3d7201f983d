"""What readers are shown of the tables and of the questions on indicators: names, labels, checks, lineage; no rows.

Tables refer to each other by identifier, such as "facts/fact_death".
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated

import pyarrow as pa
from pydantic import PlainSerializer, PlainValidator

from chu_platform.tables.access_policy import AccessPolicy
from chu_platform.tables.checks import CheckCategory, CheckType
from chu_platform.tables.column_origins import Field, Lineage, WayBack
from chu_platform.tables.columns import Column, arrow_type, sql_type
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.indicator_questions import IndicatorQuestion
from chu_platform.tables.influence import Influence
from chu_platform.tables.rows import ExternalSource
from chu_platform.tables.table import Layer, Zone


@dataclass(frozen=True)
class DescribedColumn(Column):
    """A column; its type is written as its SQL name."""

    type: Annotated[pa.DataType, PlainValidator(arrow_type), PlainSerializer(sql_type)]


@dataclass(frozen=True)
class DescribedCheck:
    """A check; the meanings are those of `tables.checks.Check`. `threshold` are the bounds as French text."""

    name: str
    type: CheckType
    category: CheckCategory
    description: str
    column: str | None
    minimum: float
    maximum: float
    threshold: str
    blocking: bool
    refers_to: str | None


@dataclass(frozen=True)
class DescribedOrigin:
    """What a column is made from, or what decides which rows there are: a column of a table, or an external source.

    `table` is None for an external source, whose name is then `place`.
    """

    table: str | None
    place: str
    column: str
    kinds: Sequence[Influence]

    @property
    def origin(self) -> Field[str] | ExternalSource:
        """The origin as lineage knows it."""
        return Field(self.table, self.column) if self.table else ExternalSource(self.place, self.column)


@dataclass(frozen=True, eq=False)
class DescribedTable:
    """A table; the meanings are those of `tables.table.Table`.

    `reads`, `needs` and `outputs` are identifiers of tables. `code` is "query", "computed" or "delivered": how its rows
    are made; `query` is the SQL of those made by a query, `delivery` what delivered rows are read from. `declared_at`
    is the file of the declaration, from the folder of the package, and its line.
    """

    name: str
    layer: Layer
    zone: Zone
    folder: str
    grain: str
    label: str
    owner: str
    columns: Sequence[DescribedColumn]
    partition_by: Sequence[str]
    reads: Mapping[str, str]
    needs: Sequence[str]
    outputs: Sequence[str]
    checks: Sequence[DescribedCheck]
    freshness: str
    rows: str
    query: str | None
    delivery: str | None
    preview: str | None
    code_version: str
    declared_at: str
    column_origins: Mapping[str, Sequence[DescribedOrigin]]
    row_origins: Sequence[DescribedOrigin]
    public_source: str | None = None
    access: AccessPolicy | None = None

    @property
    def identifier(self) -> str:
        """Layer and name: the same for no two tables."""
        return f"{self.layer}/{self.name}"

    @property
    def in_editions(self) -> bool:
        """Whether the release makes the table (see `tables.table.Table`)."""
        from_edition = any(identifier.startswith(f"{Layer.EDITIONS}/") for identifier in self.reads.values())
        return self.layer is Layer.EDITIONS or (self.layer is Layer.PUBLISHED and from_edition)

    @property
    def key(self) -> Sequence[str]:
        """Names of the columns that make up the grain."""
        return [c.name for c in self.columns if c.key]

    @property
    def is_history(self) -> bool:
        """Whether it has the versions of the members of a dimension, which is a table of its own."""
        return self.layer is Layer.DIMENSIONS and self.name.endswith("_history")

    @property
    def expected(self) -> Freshness:
        """How often the table is expected to be made."""
        return Freshness[self.freshness]

    def with_columns(self, names: Collection[str]) -> "DescribedTable":
        """The table with those of its columns, as a lake has it that was written before the others were added."""
        return replace(self, columns=[c for c in self.columns if c.name in names])

    @cached_property
    def lineage(self) -> Lineage[str]:
        """What its columns and rows are made from, one step back."""
        columns = {name: {o.origin: o.kinds[0] for o in found} for name, found in self.column_origins.items()}
        return Lineage(columns, {o.origin: frozenset(o.kinds) for o in self.row_origins})


@dataclass(frozen=True)
class DescribedQuestion:
    """The question of an indicator, and the identifiers of the masked table and of the fact whose rows it counts."""

    table: str
    fact: str
    question: IndicatorQuestion


@dataclass(frozen=True, eq=False)
class DescribedCatalogue:
    """Every table, each after those it needs, and the questions in their order.

    `code_hash` is that of the code whose declarations these are.
    """

    code_hash: str
    tables: Sequence[DescribedTable]
    questions: Sequence[DescribedQuestion]

    @cached_property
    def by_identifier(self) -> Mapping[str, DescribedTable]:
        """The tables by identifier."""
        return {t.identifier: t for t in self.tables}

    def table(self, identifier: str) -> DescribedTable:
        """The table of an identifier. Raises KeyError when there is none."""
        return self.by_identifier[identifier]

    def upstream(self, table: DescribedTable) -> Sequence[DescribedTable]:
        """The table and all that it needs, directly or not, in the order of the catalogue."""
        found = {table.identifier}
        waiting = [table]
        while waiting:
            new = [self.table(i) for i in waiting.pop().needs if i not in found]
            found |= {t.identifier for t in new}
            waiting += new
        return [t for t in self.tables if t.identifier in found]

    @cached_property
    def way_back(self) -> WayBack[str]:
        """The way from columns to deliveries."""
        return WayBack(lambda identifier: self.table(identifier).lineage)
