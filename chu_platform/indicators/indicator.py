"""The declaration of an indicator.

One declaration gives the exact table, the mask, the masked table of the published zone, the answers of `chu kpi`, the
summary in the terminal, the portal page, and the recomputation by `chu trace` and `chu verify`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Final

import pyarrow as pa

from chu_platform.recomputation.recomputation import Recomputation
from chu_platform.sdc.cell_masks import MASK_COLUMNS, Measures, mask
from chu_platform.sdc.primary_rules import CELL, PrimaryRules
from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG, Column
from chu_platform.tables.discovery import declared
from chu_platform.tables.indicator_questions import IndicatorQuestion
from chu_platform.tables.rows import EVERY_ROW, Computed, Query
from chu_platform.tables.table import DeclaresTables, Layer, Table, Zone

INDICATORS: Final = "chu_platform.kpis"
# Partition column of masked tables with several grains of periods.
GRAIN: Final = "period_grain"
# The columns of the professionals behind a cell, in the SQL of masks (`PrimaryRules.contributors`).
CONTRIBUTOR_COLUMNS: Final = [f"contributors.{c}" for c in ("indicator", *CELL, "professionals", "largest_share")]


@dataclass(frozen=True, eq=False)
class MaskFamily(DeclaresTables):
    """Indicators that share totals and are therefore masked together, in one mask table.

    `systems` are the measures that satisfy the same relations, with the relations of the whole family. Each member adds
    its own relations (`Release.relations`).
    """

    name: str
    label: str
    systems: Sequence[Measures]

    @cached_property
    def members(self) -> "Sequence[Indicator]":
        """The indicators of the family, in the order of their numbers."""
        return [i for i in indicators() if i.release and i.release.family is self]

    @property
    def _releases(self) -> "Sequence[tuple[Indicator, Release]]":
        """The members, with what is released of each."""
        return [(i, i.release) for i in self.members if i.release]

    @cached_property
    def table(self) -> Table:
        """The mask table: one row for each row of the masked tables of the family."""
        inputs: dict[str, Table] = {}
        for indicator, release in self._releases:
            for name, table in {release.alias: indicator.releasable, **release.reads}.items():
                if inputs.setdefault(name, table) is not table:
                    raise ValueError(f"{self.name}: two members read different tables under the name {name!r}")
            if unknown := set(release.relations) - {tuple(s.columns) for s in self.systems}:
                # A relation that is left out would let masked figures be computed.
                raise ValueError(f"{indicator.name}: {self.name} has no system of the measures {sorted(unknown)}")
        cells = " UNION ALL ".join(f"({release.cells})" for _, release in self._releases)
        systems = [
            Measures(
                s.columns,
                [*s.relations, *(sql for _, r in self._releases for sql in r.relations.get(tuple(s.columns), ()))],
            )
            for s in self.systems
        ]

        def rows(**tables: pa.Table) -> pa.Table:
            return mask(tables, cells, systems)

        return Table(
            name=self.name,
            layer=Layer.DISCLOSURE,
            zone=Zone.PSEUDONYMISED,
            grain="une ligne des indicateurs publiés de cette famille",
            label=self.label,
            owner="team:privacy",
            columns=MASK_COLUMNS,
            reads=inputs,
            rows=Computed(rows, columns=self._columns(), from_columns=self._lineage()),
        )

    @property
    def tables(self) -> Sequence[Table]:
        """The mask table."""
        return [self.table]

    def _columns(self) -> Mapping[str, Sequence[str]]:
        """The columns that the mask reads of each member: keys, levels and counts."""
        found: dict[str, list[str]] = {}
        for indicator, release in self._releases:
            names = [*indicator.releasable.key, *release.level_columns, release.weight, *release.counts]
            found[release.alias] = list(dict.fromkeys(names))
        return found

    def _lineage(self) -> Mapping[str, Sequence[str]]:
        """The input columns from which each column of the mask is computed."""
        inputs: dict[str, list[str]] = {name: [] for name in (*(c.name for c in MASK_COLUMNS), EVERY_ROW)}
        for indicator, release in self._releases:
            keys = [f"{release.alias}.{c}" for c in indicator.releasable.key]
            inputs["cell"] += keys
            inputs["grain"] += [k for k in keys if k.endswith(".period_grain")]
            inputs["level"] += [f"{release.alias}.{c}" for c in release.level_columns]
            inputs["weight"].append(f"{release.alias}.{release.weight}")
            for column in ("is_masked", "reason"):
                inputs[column] += [f"{release.alias}.{c}" for c in release.counts]
                inputs[column] += CONTRIBUTOR_COLUMNS if release.rules.contributors else []
            inputs[EVERY_ROW] += [*keys, *release.relation_columns]
        return {name: list(dict.fromkeys(columns)) for name, columns in inputs.items()}


@dataclass(frozen=True)
class Release:
    """The rows and columns of an indicator that are released, and the relations between its cells.

    Attributes:
        family: The indicators that are masked together.
        alias: The name of the releasable table (`Indicator.releasable`) in the SQL of `cells`.
        cells: DuckDB SQL that returns each row to release as indicator, cell, grain, start, level, code, unsafe (the
            reason by `rules`), weight and the measures of the family.
        weight: The column with the number of events.
        rules: The primary rules: which rows are masked because of their own figures.
        measures: The columns of the measures of the family.
        relations: SQL of (parent, child) pairs over the relation `cell`, by the measures for which they hold.
        level: SQL of the level of a cell, over a row of the published table.
        level_columns: The columns from which the level of a cell is made.
        reads: The dimensions that the SQL of the relations reads.
        relation_columns: The columns of these dimensions, as "input.column".
        withheld: The columns that are not released, because masked figures could be computed from them.
    """

    family: MaskFamily
    alias: str
    cells: str
    weight: str
    rules: PrimaryRules
    measures: Sequence[str]
    relations: Mapping[tuple[str, ...], Sequence[str]] = field(default_factory=dict)
    level: str = "level"
    level_columns: Sequence[str] = ()
    reads: Mapping[str, Table] = field(default_factory=dict)
    relation_columns: Sequence[str] = ()
    withheld: Sequence[str] = ()

    @property
    def counts(self) -> Sequence[str]:
        """The columns of figures that `cells` reads: the measures, and what the primary rules test."""
        return list(dict.fromkeys([*self.measures, *self.rules.columns]))


@dataclass(frozen=True)
class Summary:
    """The rows of the masked table that the terminal shows.

    `where`, `order` and `subject` (the text of a row) are DuckDB SQL over `{this}`. `measure` is the key of the measure
    that is shown.
    """

    where: str
    order: str
    rows: int
    subject: str
    measure: str


@dataclass(frozen=True)
class FreeRange:
    """How `chu kpi` computes the indicator for a free range of months.

    `domain` is the domain of the indicator's periods in dim_period; None for a table by year. `without` are the columns
    that the result does not have. With `sums_years`, the years of a yearly table are summed instead of listed.
    """

    domain: str | None
    without: Sequence[str] = ("period_grain", "is_partial")
    sums_years: bool = False
    order: str | None = None


@dataclass(frozen=True, eq=False)
class Indicator(DeclaresTables):
    """One indicator.

    `exact` is the table of its exact figures. `released_form` is the releasable table, if the rows of `exact` must not
    be released (professions instead of professionals). `fact` is the table whose rows are counted. `release` is None if
    the figures are public (`Table.public_source`): every row is released as it is. `recomputation` computes the figures
    again from the delivered rows.
    """

    exact: Table
    fact: Table
    release: Release | None
    question: IndicatorQuestion
    free_range: FreeRange
    summary: Summary
    recomputation: Recomputation
    released_form: Table | None = None

    @property
    def name(self) -> str:
        """Name of the exact and of the masked table."""
        return self.exact.name

    @property
    def releasable(self) -> Table:
        """The table of the rows that may be released, with exact (not masked) figures."""
        return self.released_form or self.exact

    @cached_property
    def masked(self) -> Table:
        """The published table: the rows that the mask lists, or all rows of public figures.

        The figures of masked rows are null. Every row has its key columns and its labels (text). The cell of a row is
        its key, its parts joined by `|`.
        """
        return self._with_mask(self.release) if self.release else self._as_it_is()

    def _as_it_is(self) -> Table:
        listed = ", ".join(f"k.{c.name}" for c in self.releasable.columns)
        return self._published(self.releasable.columns, {}, f"SELECT {listed}, false AS is_masked FROM {{exact}} k")

    def _with_mask(self, release: Release) -> Table:
        releasable = self.releasable
        released_columns = [c for c in releasable.columns if c.name not in release.withheld]
        shown = {c.name for c in released_columns if c.key or not _is_figure(c)}
        columns = [c if c.name in shown else replace(c, nullable=True) for c in released_columns]
        selected = ", ".join(
            f"k.{c.name}" if c.name in shown else f"CASE WHEN NOT m.is_masked THEN k.{c.name} END AS {c.name}"
            for c in released_columns
        )
        cell = ", ".join(f"CAST(k.{c} AS STRING)" for c in releasable.key)
        query = f"""
        SELECT {selected}, m.is_masked
        FROM {{exact}} k JOIN {{mask}} m ON m.indicator = '{self.name}' AND m.cell = concat_ws('|', {cell})
        """
        return self._published(columns, {"mask": release.family.table}, query)

    def _published(self, columns: Sequence[Column], reads: Mapping[str, Table], query: str) -> Table:
        """The published table with these columns, made by the query of the exact rows (`exact`) and of `reads`."""
        releasable = self.releasable
        return Table(
            name=self.name,
            layer=Layer.PUBLISHED,
            zone=Zone.PUBLISHED,
            grain=f"{releasable.grain} ; seulement ce qui est publié" if self.release else releasable.grain,
            label=f"{releasable.label} (publié)",
            owner="team:privacy",
            columns=[
                *columns,
                Column("is_masked", BOOLEAN, "vrai si les chiffres sont masqués", "Masqué", nullable=False),
            ],
            reads={"exact": releasable, **reads},
            rows=Query(query),
            # A masked table is small, and a correction of one period may change the masks of others.
            layout=replace(releasable.layout, partition_by=[c for c in releasable.layout.partition_by if c == GRAIN]),
            public_source=releasable.public_source,
        )

    @property
    def tables(self) -> Sequence[Table]:
        """The exact table, the releasable table and the masked table."""
        return list(dict.fromkeys([self.exact, self.releasable, self.masked]))


@cache
def indicators() -> Sequence[Indicator]:
    """Every indicator, in the order of their numbers."""
    return sorted(declared(INDICATORS, Indicator), key=lambda i: i.question.number)


@cache
def recomputations() -> Mapping[str, Recomputation]:
    """The recomputation of each indicator, by its name."""
    return {i.name: i.recomputation for i in indicators()}


def _is_figure(column: Column) -> bool:
    return column.type in (DOUBLE, LONG)
