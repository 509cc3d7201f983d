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
from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG, Column
from chu_platform.tables.discovery import declared
from chu_platform.tables.indicator_questions import IndicatorQuestion
from chu_platform.tables.rows import EVERY_ROW, Computed, Query
from chu_platform.tables.table import DeclaresTables, Layer, Table, Zone

INDICATORS: Final = "chu_platform.kpis"
# Partition column of masked tables with several grains of periods.
GRAIN: Final = "period_grain"


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
        return [i for i in indicators() if i.release.family is self]

    @cached_property
    def table(self) -> Table:
        """The mask table: one row for each row of the masked tables of the family."""
        releases = [i.release for i in self.members]
        inputs: dict[str, Table] = {}
        for indicator in self.members:
            for name, table in {indicator.release.alias: indicator.releasable, **indicator.release.reads}.items():
                if inputs.setdefault(name, table) is not table:
                    raise ValueError(f"{self.name}: two members read different tables under the name {name!r}")
            if unknown := set(indicator.release.relations) - {tuple(s.columns) for s in self.systems}:
                # A relation that is left out would let masked figures be computed.
                raise ValueError(f"{indicator.name}: {self.name} has no system of the measures {sorted(unknown)}")
        cells = " UNION ALL ".join(f"({i.release.cells})" for i in self.members)
        systems = [
            Measures(
                s.columns, [*s.relations, *(sql for r in releases for sql in r.relations.get(tuple(s.columns), ()))]
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
        for indicator in self.members:
            release = indicator.release
            names = [*indicator.releasable.key, *release.level_columns, release.weight, *release.counts]
            found[release.alias] = list(dict.fromkeys(names))
        return found

    def _lineage(self) -> Mapping[str, Sequence[str]]:
        """The input columns from which each column of the mask is computed."""
        inputs: dict[str, list[str]] = {name: [] for name in (*(c.name for c in MASK_COLUMNS), EVERY_ROW)}
        for indicator in self.members:
            release = indicator.release
            keys = [f"{release.alias}.{c}" for c in indicator.releasable.key]
            inputs["cell"] += keys
            inputs["grain"] += [k for k in keys if k.endswith(".period_grain")]
            inputs["level"] += [f"{release.alias}.{c}" for c in release.level_columns]
            inputs["weight"].append(f"{release.alias}.{release.weight}")
            for column in ("is_masked", "reason"):
                inputs[column] += [f"{release.alias}.{c}" for c in release.counts]
            inputs[EVERY_ROW] += [*keys, *release.relation_columns]
        return {name: list(dict.fromkeys(columns)) for name, columns in inputs.items()}


@dataclass(frozen=True)
class Release:
    """The rows and columns of an indicator that are released, and the relations between its cells.

    Attributes:
        family: The indicators that are masked together.
        alias: The name of the releasable table (`Indicator.releasable`) in the SQL of `cells`.
        cells: DuckDB SQL that returns each row to release as indicator, cell, grain, start, level, code, small, weight
            and the measures of the family.
        weight: The column with the number of events.
        counts: The columns of counts. A small value in one of them masks the row.
        relations: SQL of (parent, child) pairs over the relation `cell`, by the measures for which they hold.
        level_columns: The columns from which the level of a cell is made.
        reads: The dimensions that the SQL of the relations reads.
        relation_columns: The columns of these dimensions, as "input.column".
        always_shown: The figures that are shown on masked rows too.
        withheld: The columns that are not released, because masked figures could be computed from them.
    """

    family: MaskFamily
    alias: str
    cells: str
    weight: str
    counts: Sequence[str]
    relations: Mapping[tuple[str, ...], Sequence[str]] = field(default_factory=dict)
    level_columns: Sequence[str] = ()
    reads: Mapping[str, Table] = field(default_factory=dict)
    relation_columns: Sequence[str] = ()
    always_shown: Sequence[str] = ()
    withheld: Sequence[str] = ()


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
    be released (professions instead of professionals). `fact` is the table whose rows are counted. `recomputation` computes the figures again from the delivered rows.
    """

    exact: Table
    fact: Table
    release: Release
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
        """The masked table: the rows that the mask lists. The figures of masked rows are null.

        Every row has its key columns, its labels (text) and the columns `always_shown`. The cell of a row is its key,
        its parts joined by `|`.
        """
        releasable = self.releasable
        released_columns = [c for c in releasable.columns if c.name not in self.release.withheld]
        shown = {c.name for c in released_columns if c.key or not _is_figure(c)} | set(self.release.always_shown)
        columns = [c if c.name in shown else replace(c, nullable=True) for c in released_columns]
        selected = ", ".join(
            f"k.{c.name}" if c.name in shown else f"CASE WHEN NOT m.is_masked THEN k.{c.name} END AS {c.name}"
            for c in released_columns
        )
        cell = ", ".join(f"CAST(k.{c} AS STRING)" for c in releasable.key)
        return Table(
            name=self.name,
            layer=Layer.PUBLISHED,
            zone=Zone.PUBLISHED,
            grain=f"{releasable.grain} ; seulement ce qui est publié",
            label=f"{releasable.label} (publié)",
            owner="team:privacy",
            columns=[
                *columns,
                Column("is_masked", BOOLEAN, "vrai si les chiffres sont masqués", "Masqué", nullable=False),
            ],
            reads={"exact": releasable, "mask": self.release.family.table},
            rows=Query(
                f"""
        SELECT {selected}, m.is_masked
        FROM {{exact}} k JOIN {{mask}} m ON m.indicator = '{self.name}' AND m.cell = concat_ws('|', {cell})
        """
            ),
            # A masked table is small, and a correction of one period may change the masks of others.
            layout=replace(releasable.layout, partition_by=[c for c in releasable.layout.partition_by if c == GRAIN]),
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
