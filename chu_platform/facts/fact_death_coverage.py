"""How complete the register of deaths is: its deaths compared with those that population and mortality tables imply.

Metropolitan France. A year is comparable if the register has nearly the deaths that are expected, of all ages and of the
oldest. Rates exist for comparable years only: in other years they would measure the register, not mortality.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from chu_platform import french
from chu_platform.building_blocks.life_tables import Floats, rates_of_groups
from chu_platform.building_blocks.mortality_cells import (
    CELLS_FROM,
    DEATHS_FROM,
    METROPOLITAN,
    POPULATION_FROM,
    MortalityCells,
    mortality_cells,
)
from chu_platform.facts.fact_death_by_age import fact_death_by_age
from chu_platform.references.department import department
from chu_platform.references.mortality_quotients import mortality_quotients
from chu_platform.references.population import population
from chu_platform.tables.checks import holds
from chu_platform.tables.columns import BOOLEAN, DOUBLE, INTEGER, STRING, Column, arrow_schema
from chu_platform.tables.policies import PUBLIC_DEATHS
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.spark_sql import ALL, POPULATION_AGES
from chu_platform.tables.table import Layer, Layout, Table, Zone

# The age groups of the coverage: name, first age, and first age after it.
AGE_GROUPS: Final = (
    ("0-59", 0, 60),
    ("60-74", 60, 75),
    ("75-84", 75, 85),
    ("85+", 85, 200),
    (ALL, 0, 200),
)


@dataclass(frozen=True)
class Bounds:
    """Between which shares of the expected deaths a register counts as complete, for an age group in words."""

    group: str
    words: str
    lowest: float
    highest: float


# The mortality table is an average of three years: the summer of 2003 alone moves the oldest to 1.065.
BOUNDS: Final = (Bounds(ALL, "à tous les âges", 0.92, 1.06), Bounds("85+", "à 85 ans et plus", 0.90, 1.10))
_LIMITS: Final = ", et ".join(f"de {b.lowest:.2f} à {b.highest:.2f} {b.words}" for b in BOUNDS).replace(".", ",")
IS_COMPARABLE: Final = Column(
    "is_comparable",
    BOOLEAN,
    f"vrai si l’année est entière et le registre presque complet : couverture {_LIMITS}",
    "Année comparable",
    nullable=False,
)
REASON: Final = Column("reason", STRING, "pourquoi l’année n’est pas comparable ; vide si elle l’est", "Motif")
QUOTIENTS_FROM: Final = ("quotients.year", "quotients.sex", "quotients.age", "quotients.quotient")


def _rows(by_age: pa.Table, population: pa.Table, department: pa.Table, quotients: pa.Table) -> pa.Table:
    cells = mortality_cells(by_age, population, department, [METROPOLITAN])
    expected = _expected(cells, _rates(quotients))
    ages = np.array(POPULATION_AGES)
    rows: list[dict[str, Any]] = []
    for i, key in enumerate(cells.keys.to_pylist()):
        for group, first, end in AGE_GROUPS:
            of_group = (first <= ages) & (ages < end)
            # The number of all ages does not depend on how those of unknown age are distributed.
            deaths = float(cells.deaths[i] if group == ALL else cells.by_age[i, of_group].sum())
            wanted = expected.get((key["year"], key["sex"]))
            awaited = None if wanted is None else float(wanted[of_group].sum())
            coverage = deaths / awaited if awaited else None
            rows.append(
                {
                    "year": key["year"],
                    "sex": key["sex"],
                    "age_group": group,
                    "deaths": None if np.isnan(deaths) else deaths,
                    "expected": awaited,
                    "coverage": None if coverage is None or np.isnan(coverage) else coverage,
                }
            )
    of_all = {(r["year"], r["age_group"]): r["coverage"] for r in rows if r["sex"] == ALL}
    for row in rows:
        found = {bounds: of_all[row["year"], bounds.group] for bounds in BOUNDS}
        row["reason"] = reason(found, is_last=row["year"] == cells.last_year)
        row["is_comparable"] = row["reason"] is None
    return pa.Table.from_pylist(rows, arrow_schema(fact_death_coverage.columns))


def reason(coverages: Mapping[Bounds, float | None], *, is_last: bool) -> str | None:
    """Why a year is not comparable, in French; None for a comparable year.

    `coverages` are the shares of the expected deaths that the register has, None without expected deaths.
    """
    reasons = ["dernière année livrée, qui compte comme incomplète"] if is_last else []
    if all(coverage is None for coverage in coverages.values()):
        reasons.append("aucune table de mortalité de cette année")
    for bounds, coverage in coverages.items():
        if coverage is not None and not bounds.lowest <= coverage <= bounds.highest:
            reasons.append(
                f"le registre a {french.percent(coverage)} des décès attendus {bounds.words}, hors de l’intervalle admis "
                f"({french.percent(bounds.lowest, 0)} à {french.percent(bounds.highest, 0)})"
            )
    return " ; ".join(reasons) or None


def _rates(quotients: pa.Table) -> Mapping[tuple[int, str], Floats]:
    """The death rates of the age groups in each mortality table, by year and sex."""
    by_table: dict[tuple[int, str], list[tuple[int, float]]] = {}
    for row in quotients.to_pylist():
        by_table.setdefault((row["year"], row["sex"]), []).append((row["age"], row["quotient"]))
    return {key: rates_of_groups(np.array([q for _, q in sorted(table)])) for key, table in by_table.items()}


def _expected(cells: MortalityCells, rates: Mapping[tuple[int, str], Floats]) -> Mapping[tuple[int, str], Floats]:
    """The expected deaths of metropolitan France by age group, by year and sex; `all` is the sum of both."""
    found = {
        (key["year"], key["sex"]): cells.population[i] * rates[key["year"], key["sex"]]
        for i, key in enumerate(cells.keys.to_pylist())
        if (key["year"], key["sex"]) in rates
    }
    years = {year for year, _ in found}
    return {**found, **{(year, ALL): found[year, "F"] + found[year, "M"] for year in years}}


fact_death_coverage = Table(
    name="fact_death_coverage",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="une tranche d’âge d’un sexe, totaux compris, dans une année, en France métropolitaine",
    label="Couverture du registre des décès (calcul)",
    owner="team:facts",
    access=PUBLIC_DEATHS,
    columns=[
        Column("year", INTEGER, "année du décès", "Année", key=True),
        Column("sex", STRING, "F, M ou all (ensemble)", "Sexe", key=True),
        Column("age_group", STRING, "0-59, 60-74, 75-84, 85+ ou all (ensemble)", "Tranche d’âge", key=True),
        Column(
            "deaths",
            DOUBLE,
            "décès du registre ; ceux d’âge inconnu sont répartis comme ceux d’âge connu",
            "Décès du registre",
        ),
        Column(
            "expected",
            DOUBLE,
            "décès attendus d’après la table de mortalité de l’année et la population au milieu de l’année ; vide sans table",
            "Décès attendus",
        ),
        Column("coverage", DOUBLE, "décès du registre / décès attendus", "Couverture"),
        IS_COMPARABLE,
        REASON,
    ],
    reads={
        "by_age": fact_death_by_age,
        "population": population,
        "department": department,
        "quotients": mortality_quotients,
    },
    rows=Computed(
        _rows,
        from_columns={
            "year": ["population.year"],
            "sex": ["population.sex"],
            "age_group": [],
            "deaths": DEATHS_FROM,
            "expected": [*POPULATION_FROM, *QUOTIENTS_FROM],
            **dict.fromkeys(("coverage", "is_comparable", "reason"), (*DEATHS_FROM, *POPULATION_FROM, *QUOTIENTS_FROM)),
            EVERY_ROW: CELLS_FROM,
        },
    ),
    checks=[
        holds(
            "a_year_that_is_not_comparable_has_a_reason",
            "is_comparable = (reason IS NULL)",
            "une année a un motif si et seulement si elle n’est pas comparable",
        )
    ],
    # So a correction touches only its years of the tables that derive from this one.
    layout=Layout(partition_by=["year"]),
)
