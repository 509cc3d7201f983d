"""The declaration of an indicator.

One declaration gives the exact table, the mask, the masked table of the published zone, the answers of `chu kpi`, the
summary in the terminal, the portal page, and the recomputation by `chu trace` and `chu verify`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Final

import pyarrow as pa

from chu_platform.editions.candidates import candidate_of, candidates_before
from chu_platform.editions.decisions import BASE, Member, decide
from chu_platform.editions.edition_rows import MASKED, Figures
from chu_platform.editions.tables import decision_table, edition_table, published_from
from chu_platform.recomputation.recomputation import Recomputation
from chu_platform.sdc.cell_masks import MASK_COLUMNS, Measures, mask
from chu_platform.sdc.primary_rules import CELL, CONTRIBUTORS, PrimaryRules, Reason
from chu_platform.tables.checks import none_in
from chu_platform.tables.columns import DOUBLE, LONG, Column
from chu_platform.tables.discovery import declared
from chu_platform.tables.indicator_questions import IndicatorQuestion
from chu_platform.tables.policies import BEFORE_RELEASE, OPEN_DATA
from chu_platform.tables.rows import EVERY_ROW, Computed, Query
from chu_platform.tables.table import DeclaresTables, Layer, Table, Zone

INDICATORS: Final = "chu_platform.kpis"
# Partition column of masked tables with several grains of periods.
GRAIN: Final = "period_grain"
# The share of the events of safe cells that secondary masks leave visible at least, in each indicator by year and for
# all years. Months and quarters are the first to be left out where there are few events.
BUDGET: Final = 0.5
# The columns of the professionals behind a cell, in the SQL of masks (`PrimaryRules.contributors`).
CONTRIBUTOR_COLUMNS: Final = [f"contributors.{c}" for c in ("indicator", *CELL, *CONTRIBUTORS)]


@dataclass(frozen=True, eq=False)
class MaskFamily(DeclaresTables):
    """Indicators that share totals and are therefore masked together, in one mask table.

    `systems` are the measures that satisfy the same relations, with the relations of the whole family. Each member adds
    its own relations (`Release.relations`). `persons` is the column of distinct persons: a cell holds those of its parts,
    by the relations of the first system.
    """

    name: str
    label: str
    systems: Sequence[Measures]
    persons: str | None = None

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
            masks = {f.name: f.table for f in release.reads_masks}
            for name, table in {release.alias: indicator.candidate, **release.reads, **masks}.items():
                if inputs.setdefault(name, table) is not table:
                    raise ValueError(f"{self.name}: two members read different tables under the name {name!r}")
            measures = {*release.relations, *release.relations_of_corrections}
            if unknown := measures - {tuple(s.columns) for s in self.systems}:
                # A relation that is left out would let masked figures be computed.
                raise ValueError(f"{indicator.name}: {self.name} has no system of the measures {sorted(unknown)}")
        cells = " UNION ALL ".join(f"({release.cells})" for _, release in self._releases)
        systems = self._systems()
        insiders = [r.insiders for _, r in self._releases if r.insiders]
        repeats = self._repeats()

        def rows(**tables: pa.Table) -> pa.Table:
            return mask(tables, cells, systems, self.persons, insiders, repeats)

        return Table(
            name=self.name,
            layer=Layer.DISCLOSURE,
            zone=Zone.PSEUDONYMISED,
            grain="une ligne des indicateurs publiés de cette famille",
            label=self.label,
            owner="team:privacy",
            access=BEFORE_RELEASE,
            columns=MASK_COLUMNS,
            reads=inputs,
            rows=Computed(rows, columns=self._columns(), from_columns=self._lineage()),
            checks=[
                none_in(
                    f"at_least_{100 * BUDGET:g}_percent_of_safe_events_visible",
                    f"""
                    SELECT count(*) FROM (
                        SELECT 1 FROM {{this}} WHERE grain IN ('year', 'all') GROUP BY indicator, grain
                        HAVING sum(weight) FILTER (WHERE NOT is_masked)
                            < {BUDGET} * sum(weight) FILTER (WHERE coalesce(reason, '{Reason.SECONDARY}') = '{Reason.SECONDARY}')
                    )
                    """,
                    f"par année et pour toutes les années, au moins {100 * BUDGET:g} % des événements des lignes sans risque "
                    "restent visibles dans chaque indicateur : le masquage secondaire en masque au plus le reste",
                    # Fewer visible figures disclose nothing: the release goes on.
                    blocking=False,
                )
            ],
        )

    @cached_property
    def decision(self) -> Table:
        """The decisions of the editions on the cells of the family."""
        return decision_table(self.table, self._edition_members, self.make_decisions, self._columns(), self._lineage())

    @cached_property
    def make_decisions(self) -> Callable[..., pa.Table]:
        """The function that makes the rows of `decision`, of the tables that it reads and of those last released."""
        members, systems, repeats = self._edition_members, self._systems_of_corrections(), self._repeats()

        def rows(mask: pa.Table, released: pa.Table, **inputs: pa.Table) -> pa.Table:
            return decide(inputs, mask, released, members, systems, repeats)

        return rows

    @property
    def _edition_members(self) -> Sequence[Member]:
        return [
            Member(
                i.name,
                release.alias,
                i.candidate.key,
                [c for c in release.counts if c not in BASE],
                release.cells,
            )
            for i, release in self._releases
        ]

    @property
    def tables(self) -> Sequence[Table]:
        """The mask table, and the decisions of the editions."""
        return [self.table, self.decision]

    def _systems(self) -> Sequence[Measures]:
        """The systems with the relations of all members."""
        return [
            Measures(
                s.columns,
                [*s.relations, *(sql for _, r in self._releases for sql in r.relations.get(tuple(s.columns), ()))],
            )
            for s in self.systems
        ]

    def _systems_of_corrections(self) -> Sequence[Measures]:
        """The systems with the relations by which a correction of a few persons could be computed."""
        return [
            Measures(
                s.columns,
                [
                    *s.relations,
                    *(sql for _, r in self._releases for sql in r.relations_of_corrections.get(tuple(s.columns), ())),
                ],
            )
            for s in self._systems()
        ]

    def _repeats(self) -> Sequence[str]:
        return [release.repeats for _, release in self._releases if release.repeats]

    def _columns(self) -> Mapping[str, Sequence[str]]:
        """The columns that the mask reads of each member: keys, levels and counts."""
        found: dict[str, list[str]] = {}
        for indicator, release in self._releases:
            flags = release.rules.flags.values()
            names = [*indicator.releasable.key, *release.level_columns, release.weight, *release.counts, *flags]
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
            masks = [f"{f.name}.{c}" for f in release.reads_masks for c in ("indicator", "cell", "level", "is_masked")]
            for column in ("is_masked", "reason"):
                inputs[column] += masks
                inputs[column] += [f"{release.alias}.{c}" for c in release.counts]
                inputs[column] += [f"{release.alias}.{c}" for c in release.rules.flags.values()]
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
        relations_of_corrections: Further relations, for editions only: where `repeats` and `cells` see to it that a
            masked cell stands in no relation with visible ones, the mask needs none. A small correction of one cell
            could still be computed from large ones of others.
        level: SQL of the level of a cell, over a row of the published table.
        level_columns: The columns from which the level of a cell is made.
        reads: The dimensions that the SQL of the relations reads.
        relation_columns: The columns of these dimensions, as "input.column".
        reads_masks: The families whose masks the SQL of `cells` reads, by the names of these masks.
        insiders: SQL of the cells of which the head of a place knows a part (`cell_masks.mask`), if any.
        repeats: SQL of (cell, other) pairs over the relation `cell`: the row of the first cell repeats a figure of the
            other one, so that it is masked where the other one is, if any.
        withheld: The columns that are not released, because masked figures could be computed from them.
    """

    family: MaskFamily
    alias: str
    cells: str
    weight: str
    rules: PrimaryRules
    measures: Sequence[str]
    relations: Mapping[tuple[str, ...], Sequence[str]] = field(default_factory=dict)
    relations_of_corrections: Mapping[tuple[str, ...], Sequence[str]] = field(default_factory=dict)
    level: str = "level"
    level_columns: Sequence[str] = ()
    reads: Mapping[str, Table] = field(default_factory=dict)
    relation_columns: Sequence[str] = ()
    reads_masks: Sequence[MaskFamily] = ()
    insiders: str | None = None
    repeats: str | None = None
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

    @property
    def in_editions(self) -> bool:
        """Whether it is published in editions: its figures are of the group's own data, not public ones."""
        return self.release is not None

    @property
    def candidate(self) -> Table:
        """The table of the rows that could be published now: in editions, those of closed periods."""
        domain = self.free_range.domain
        return candidate_of(self.releasable, domain, self.name) if self.release and domain else self.releasable

    @property
    def _own(self) -> Release:
        assert self.release, f"{self.name}: public figures are in no edition"
        return self.release

    @cached_property
    def figures(self) -> Figures:
        """How an edition fills the columns that are published."""
        columns, shown = self._released_columns()
        finish, made_from = self.releasable.rows.finishing
        names = [c.name for c in columns]
        counts = [c for c in self._own.counts if c in names and c not in BASE]
        return Figures(
            self.name,
            self.releasable.key,
            shown=[c for c in names if c in shown],
            counts=counts,
            base=[c for c in names if c in BASE],
            others=[c for c in names if c not in {*shown, *counts, *BASE}],
            finish=finish,
            made_from=made_from,
            quantiles=self._own.rules.quantiles,
        )

    @cached_property
    def edition(self) -> Table:
        """The rows of the editions."""
        columns, _ = self._released_columns()
        return edition_table(self.candidate, self._own.family.decision, columns, self.figures)

    @cached_property
    def masked(self) -> Table:
        """The published table: the rows of the last edition, or all rows of public figures.

        The figures of masked rows are null. Every row has its key columns and its labels (text). The cell of a row is
        its key, its parts joined by `|`.
        """
        return published_from(self.edition) if self.release else self._as_it_is()

    def _as_it_is(self) -> Table:
        """All rows of public figures."""
        releasable = self.releasable
        listed = ", ".join(f"k.{c.name}" for c in releasable.columns)
        return Table(
            name=self.name,
            layer=Layer.PUBLISHED,
            zone=Zone.PUBLISHED,
            grain=releasable.grain,
            label=f"{releasable.label} (publié)",
            owner="team:privacy",
            access=OPEN_DATA,
            columns=[*releasable.columns, MASKED],
            reads={"exact": releasable},
            rows=Query(f"SELECT {listed}, false AS is_masked FROM {{exact}} k"),
            # A published table is small.
            layout=replace(releasable.layout, partition_by=[c for c in releasable.layout.partition_by if c == GRAIN]),
            public_source=releasable.public_source,
        )

    @property
    def tables(self) -> Sequence[Table]:
        """The exact table, the releasable table and the masked table; in editions, also the tables between these."""
        between = [*candidates_before(self.candidate), self.candidate, self.edition] if self.in_editions else []
        return list(dict.fromkeys([self.exact, self.releasable, *between, self.masked]))

    def _released_columns(self) -> tuple[Sequence[Column], Collection[str]]:
        """The columns that are published, and the names of those that masked rows show."""
        released = [c for c in self.releasable.columns if c.name not in self._own.withheld]
        shown = {c.name for c in released if c.key or not _is_figure(c)}
        return [c if c.name in shown else replace(c, nullable=True) for c in released], shown


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
