"""An indicator, declared once.

From one declaration follow the exact table, the mask and the masked table of the published zone, `chu kpi`, the summary
in the terminal, the page of the portal, and the recomputation by `chu trace` and `chu verify`.
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
from chu_platform.tables.questions import IndicatorQuestion
from chu_platform.tables.rows import EVERY_ROW, Computed, Query
from chu_platform.tables.table import DeclaresTables, Layer, Table, Zone

INDICATORS: Final = "chu_platform.kpis"


@dataclass(frozen=True, eq=False)
class MaskFamily(DeclaresTables):
    """Indicators that share totals, and are therefore masked as one system: one mask table.

    `systems` are the measures that satisfy the same relations, with the relations that hold in the whole family; each
    member adds its own (`Release.relations`).
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
        """The mask table: one row for each row of the published indicators of the family."""
        releases = [i.release for i in self.members]
        inputs = {i.release.alias: i.released for i in self.members}
        for release in releases:
            inputs |= release.reads
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
            rows=Computed(rows, from_columns=self._lineage()),
        )

    @property
    def tables(self) -> Sequence[Table]:
        """The mask table."""
        return [self.table]

    def _lineage(self) -> Mapping[str, Sequence[str]]:
        """The input columns that each column of the mask is made from."""
        found: dict[str, list[str]] = {name: [] for name in (*(c.name for c in MASK_COLUMNS), EVERY_ROW)}
        for indicator in self.members:
            release = indicator.release
            keys = [f"{release.alias}.{c}" for c in indicator.released.key]
            found["cell"] += keys
            found["grain"] += [k for k in keys if k.endswith(".period_grain")]
            found["level"] += [f"{release.alias}.{c}" for c in release.level_columns]
            found["weight"].append(f"{release.alias}.{release.weight}")
            for column in ("is_masked", "reason"):
                found[column] += [f"{release.alias}.{c}" for c in release.counts]
            found[EVERY_ROW] += [*keys, *release.relation_columns]
        return {name: list(dict.fromkeys(columns)) for name, columns in found.items()}


@dataclass(frozen=True)
class Release:
    """What of an indicator is released, and the sums that tie its cells to each other and to those of its family.

    `cells` is DuckDB SQL over the released table under its `alias`: indicator, cell, grain, start, level, code, small,
    weight and the measures of the family, for each row that is released. `relations` are
    SQL of (parent, child) pairs over `cell`, by the measures that they hold for; `reads` are dimensions that they
    read, `relation_columns` their columns ("input.column"). `weight` is the column of the events, `counts` are the
    counts that a small one masks, `level_columns` those that make up the level. Columns in `always_shown` are shown on
    masked rows too; `withheld` columns are not released: figures that are one more equation over masked ones.
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
    """The rows of the masked table that the terminal shows: DuckDB SQL over `{this}`.

    `subject` is the text of a row, `measure` the key of the figure shown; `limits` that of the measure whose limits
    are shown, if it is another one.
    """

    where: str
    order: str
    rows: int
    subject: str
    measure: str
    limits: str | None = None


@dataclass(frozen=True)
class FreeRange:
    """How `chu kpi` answers for a free range of months.

    `domain` is the one of the indicator's periods in dim_period; None for a table of years. `without` are the columns
    that a free range does not have. `sums_years`: the years of a yearly table are added up, not listed.
    """

    domain: str | None
    without: Sequence[str] = ("period_grain", "is_partial")
    sums_years: bool = False
    order: str | None = None


@dataclass(frozen=True, eq=False)
class Indicator(DeclaresTables):
    """One indicator.

    `exact` is its table of exact figures; `released_form` the table that is released in its place, where rows of the
    exact one are not (professions instead of professionals). `fact` is the table whose rows are counted.
    `recomputation` is the recomputation of the figures from the delivered rows.
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
    def released(self) -> Table:
        """The exact figures of the rows that may be released."""
        return self.released_form or self.exact

    @cached_property
    def masked(self) -> Table:
        """The masked table: the rows of the mask, figures null where masked.

        Key columns, labels (text) and the columns `always_shown` stand on every row. The cell of a row is its key,
        its parts joined by |.
        """
        released = self.released
        kept = [c for c in released.columns if c.name not in self.release.withheld]
        shown = {c.name for c in kept if c.key or not _is_figure(c)} | set(self.release.always_shown)
        columns = [c if c.name in shown else replace(c, nullable=True) for c in kept]
        selected = ", ".join(
            f"k.{c.name}" if c.name in shown else f"CASE WHEN NOT m.is_masked THEN k.{c.name} END AS {c.name}"
            for c in kept
        )
        cell = ", ".join(f"CAST(k.{c} AS STRING)" for c in released.key)
        return Table(
            name=self.name,
            layer=Layer.PUBLISHED,
            zone=Zone.PUBLISHED,
            grain=f"{released.grain} ; seulement ce qui est publié",
            label=f"{released.label} (publié)",
            owner="team:privacy",
            columns=[
                *columns,
                Column("is_masked", BOOLEAN, "vrai si les chiffres sont masqués", "Masqué", nullable=False),
            ],
            reads={"exact": released, "mask": self.release.family.table},
            rows=Query(
                f"""
        SELECT {selected}, m.is_masked
        FROM {{exact}} k JOIN {{mask}} m ON m.indicator = '{self.name}' AND m.cell = concat_ws('|', {cell})
        """
            ),
            layout=released.layout,
        )

    @property
    def tables(self) -> Sequence[Table]:
        """The tables that follow from the declaration, except the mask of its family."""
        return list(dict.fromkeys([self.exact, self.released, self.masked]))


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
