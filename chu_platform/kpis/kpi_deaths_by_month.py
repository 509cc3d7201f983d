"""Indicator 10: deaths of each month by region of the place of death and sex, beside those that were to be expected."""

from dataclasses import replace
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from chu_platform.building_blocks.monthly_deaths import (
    CELLS_FROM,
    DEATHS_FROM,
    PEOPLE_FROM,
    YEARS_BEFORE,
    MonthlyDeaths,
    monthly_deaths,
)
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_death_by_month import fact_death_by_month
from chu_platform.facts.fact_death_coverage import IS_COMPARABLE, fact_death_coverage
from chu_platform.indicators.deaths import DEATHS, NUMBER_OF_DEATHS, REGION_OF_DEATH
from chu_platform.indicators.indicator import FreeRange, Indicator, Summary
from chu_platform.indicators.intervals import Floats, usual_count, usual_limits
from chu_platform.indicators.rates import PERIOD_COLUMNS, finite
from chu_platform.indicators.use_of_care import SEX
from chu_platform.recomputation.death_inputs import COUNTED_DEATH_KEYS, DEATH_KEYS
from chu_platform.recomputation.excess_figures import COUNTS, ROWS, recomputed_excess
from chu_platform.recomputation.recomputation import InputSet, Recomputation, SourceRows
from chu_platform.references.department import department
from chu_platform.references.mortality_episode import mortality_episode
from chu_platform.references.population import population
from chu_platform.references.region import region
from chu_platform.tables.checks import holds, none_in
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, Measure, Usual
from chu_platform.tables.policies import PUBLIC_DEATHS
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.spark_sql import ALL
from chu_platform.tables.table import Layer, Layout, Table, Zone

NAME: Final = "kpi_deaths_by_month"
PREDICTION: Final = "intervalle de prévision à 95 %"
NOT_COMPARED: Final = "vide s’il n’y a pas de décès attendus"


def _rows(
    by_month: pa.Table,
    population: pa.Table,
    department: pa.Table,
    region: pa.Table,
    coverage: pa.Table,
    episode: pa.Table,
) -> pa.Table:
    cells = monthly_deaths(by_month, population, department, coverage, episode)
    figures = {
        "deaths": pa.array(cells.deaths, pa.float64()).cast(pa.int64()),
        "population": pa.array(cells.population),
        **_compared(cells.deaths, *_expected(cells)),
    }
    counted = cells.keys
    for name, values in figures.items():
        counted = counted.append_column(name, values)
    with duckdb.connect() as connection:
        for name, table in (("counted", counted), ("region", region), ("episode", episode)):
            connection.register(name, table)
        return connection.sql(
            f"""
            SELECT 'month' AS period_grain, make_date(year, month, 1) AS period_start,
                (period_start + INTERVAL 1 MONTH)::DATE AS period_end, is_partial, region_code,
                coalesce(region_label, 'France') AS region_label, sex, is_comparable, reason,
                (SELECT min(label) FROM episode WHERE make_date(year, month, 1) BETWEEN first_month AND last_month) AS episode,
                reference_years, {", ".join(figures)}
            FROM counted LEFT JOIN region USING (region_code) WHERE region_code = '{ALL}' OR region_label IS NOT NULL
            """
        ).to_arrow_table()


def _expected(cells: MonthlyDeaths) -> tuple[Floats, Floats, Floats]:
    """Expected deaths with their limits; NaN in cells without reference years.

    The limits are those of ordinary years. An episode among the reference years may move their median: limits hold it.
    """
    there = cells.has_reference
    exposure = cells.exposure[there]
    usual = usual_count(cells.reference_deaths, cells.reference_exposure, exposure)
    lowest, highest = usual_limits(cells.ordinary_deaths, cells.ordinary_exposure, exposure)
    expected, low, high = (np.full(len(there), np.nan) for _ in range(3))
    expected[there], low[there], high[there] = usual, np.minimum(lowest, usual), np.maximum(highest, usual)
    return expected, low, high


def _compared(deaths: Floats, expected: Floats, low: Floats, high: Floats) -> dict[str, pa.Array]:
    """The columns of expected deaths, of the excess and of the P-score."""
    columns = {"expected": expected, "expected_low": low, "expected_high": high}
    excess = {"excess": deaths - expected, "excess_low": deaths - high, "excess_high": deaths - low}
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = {name.replace("excess", "p_score"): 100 * values / expected for name, values in excess.items()}
    return {name: finite(values) for name, values in {**columns, **excess, **scores}.items()}


def _limits(name: str, label: str) -> list[Column]:
    return [
        Column(f"{name}_{end}", DOUBLE, f"{words} de l’{PREDICTION}", f"{label} : {words}")
        for end, words in (("low", "borne basse"), ("high", "borne haute"))
    ]


FIGURES: Final = (
    Column(
        "expected",
        DOUBLE,
        "médiane du même mois dans les cinq années de référence, ramenée aux jours du mois et à la population ; vide sans elles",
        "Décès attendus",
    ),
    *_limits("expected", "Décès attendus"),
    Column("excess", DOUBLE, f"décès comptés - décès attendus ; {NOT_COMPARED}", "Excédent de décès"),
    *_limits("excess", "Excédent"),
    Column("p_score", DOUBLE, f"excédent pour 100 décès attendus ; {NOT_COMPARED}", "P-score (%)"),
    *_limits("p_score", "P-score"),
)
# The limits are those of years without an episode in the month.
EPISODES: Final = ("episode.first_month", "episode.last_month")
COVERAGE: Final = tuple(f"coverage.{c}" for c in ("year", "sex", "age_group", "is_comparable"))
REFERENCE: Final = (*CELLS_FROM, "population.population", *COVERAGE)

EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une région qui a une population, ou la France, dans un mois, par sexe, total compris",
    label="Décès par mois",
    owner="team:kpis",
    access=PUBLIC_DEATHS,
    columns=[
        *(
            replace(c, description="vrai pour les mois de la dernière année livrée") if c.name == "is_partial" else c
            for c in PERIOD_COLUMNS
        ),
        Column(
            "region_code",
            STRING,
            "code Insee de la région ; all : France, les régions qui ont une population",
            "Code région",
            key=True,
        ),
        Column("region_label", STRING, "nom de la région", "Région", nullable=False),
        Column("sex", STRING, "F, M ou all (ensemble)", "Sexe", key=True),
        IS_COMPARABLE,
        Column("reason", STRING, "pourquoi il n’y a pas de décès attendus ; vide s’il y en a", "Motif"),
        Column("episode", STRING, "épisode connu de surmortalité dont le mois fait partie", "Épisode"),
        Column(
            "reference_years",
            STRING,
            "les cinq dernières années comparables parmi les sept qui précèdent",
            "Années de référence",
        ),
        Column("deaths", LONG, "nombre de décès dont la date est dans le mois", "Décès", nullable=False),
        Column("population", DOUBLE, "habitants au milieu de l’année", "Population", nullable=False),
        *FIGURES,
    ],
    reads={
        "by_month": fact_death_by_month,
        "population": population,
        "department": department,
        "region": region,
        "coverage": fact_death_coverage,
        "episode": mortality_episode,
    },
    rows=Computed(
        _rows,
        from_columns={
            "period_grain": [],
            "period_start": ["by_month.death_year", "by_month.death_month", "population.year"],
            "period_end": ["by_month.death_year", "by_month.death_month", "population.year"],
            "is_partial": ["by_month.death_year"],
            "region_code": ["population.department_code", "department.region_code"],
            "region_label": ["region.region_code", "region.region_label"],
            "sex": ["population.sex"],
            "is_comparable": COVERAGE,
            "reason": ["coverage.reason", *REFERENCE],
            "episode": ["episode.label", *EPISODES],
            "reference_years": REFERENCE,
            "deaths": DEATHS_FROM,
            "population": [*PEOPLE_FROM],
            **{
                c.name: [
                    *DEATHS_FROM,
                    *PEOPLE_FROM,
                    *COVERAGE,
                    *(EPISODES if c.name.endswith(("_low", "_high")) else ()),
                ]
                for c in FIGURES
            },
            EVERY_ROW: CELLS_FROM,
        },
    ),
    checks=[
        holds(
            "deaths_are_expected_in_comparable_years_only",
            "is_comparable OR expected IS NULL AND excess IS NULL AND p_score IS NULL",
            "une année qui n’est pas comparable n’a ni décès attendus, ni excédent",
        ),
        holds(
            "a_month_without_expected_deaths_has_a_reason",
            "(expected IS NULL) = (reason IS NOT NULL)",
            "un mois a un motif si et seulement s’il n’a pas de décès attendus",
        ),
        holds(
            "expected_deaths_lie_in_their_interval",
            "expected_low <= expected AND expected <= expected_high AND abs(excess - (deaths - expected)) < 0.001",
            "les décès attendus sont dans leur intervalle, et l’excédent est l’écart aux décès comptés",
        ),
        none_in(
            "regions_sum_to_france",
            f"SELECT count(*) FROM (SELECT sum(CASE region_code WHEN '{ALL}' THEN -deaths ELSE deaths END) AS deaths, "
            f"sum(CASE region_code WHEN '{ALL}' THEN -population ELSE population END) AS people "
            "FROM {this} GROUP BY period_start, sex HAVING deaths <> 0 OR abs(people) > 0.01)",
            "les décès et la population des régions ont pour somme ceux de la France",
        ),
    ],
    layout=Layout(z_order_by=["region_code", "period_start"]),
    public_source="Insee",
)

RECOMPUTATION: Final = Recomputation(
    InputSet.DEATHS,
    rows=ROWS,
    counts=COUNTS,
    sources=[SourceRows(table, "numerator", key, COUNTED_DEATH_KEYS) for table, key in DEATH_KEYS.items()],
    complete=recomputed_excess,
    years_before=YEARS_BEFORE,
)
_EXPECTED: Final = Count("expected", "décès attendus")

kpi_deaths_by_month = Indicator(
    exact=EXACT,
    fact=fact_death,
    # Public: Insee publishes each death, and the population.
    release=None,
    question=IndicatorQuestion(
        number=10,
        slug="deces-mois",
        title="Combien de décès de plus que d’habitude, et quand ?",
        short="Décès par mois",
        parameters=(
            REGION_OF_DEATH,
            replace(SEX, overview=f"sex = '{ALL}'"),
        ),
        measures=(
            Measure(
                "excedent",
                "Excédent de décès",
                "décès",
                "excess",
                "excess_low",
                "excess_high",
                PREDICTION,
                DEATHS,
                None,
                "l’excédent est de {value}{where}",
                0,
                limits=PREDICTION,
                also=[_EXPECTED],
                over_time="deces",
            ),
            Measure(
                "p-score",
                "P-score",
                "%",
                "p_score",
                "p_score_low",
                "p_score_high",
                PREDICTION,
                DEATHS,
                _EXPECTED,
                "l’excédent est de {value} des décès attendus{where}",
                1,
                limits=PREDICTION,
            ),
            replace(
                NUMBER_OF_DEATHS,
                also=[_EXPECTED],
                usual=Usual("expected", "expected_low", "expected_high", "décès attendus", PREDICTION),
            ),
        ),
        definition=(
            "Décès dont la date est dans le mois, selon la région du lieu de décès ; ceux dont le mois est inconnu ne sont dans aucun "
            "mois. La France réunit les régions dont la population est connue : outre-mer depuis 1990, Mayotte depuis 2014.",
            "Décès attendus : médiane du même mois dans les cinq dernières années comparables parmi les sept qui précèdent, chaque mois "
            "étant ramené au nombre de jours et à la population (Insee, au milieu de l’année) du mois étudié. Ces années sont dans les "
            "fichiers à télécharger.",
            "Excédent : décès comptés moins décès attendus ; négatif s’il y en a moins. P-score : excédent pour 100 décès attendus.",
            "Intervalle de prévision à 95 % : ce que compterait ce mois dans une année ordinaire. Il réunit le hasard d’un comptage "
            "(Poisson) et l’écart entre années (Student). Les années ordinaires sont celles de référence ; si ce mois y fait partie d’un "
            "épisode connu (août 2003, par exemple), l’année est remplacée par une plus ancienne des sept, s’il y en a une qui est "
            "comparable : un épisode n’est pas un écart habituel. La borne basse n’est jamais négative. Un mois est inhabituel si "
            "l’intervalle de son excédent ne contient pas 0.",
            "Années comparables : celles où le registre des décès est presque complet (voir « Mortalité ») ; les autres n’ont que des "
            "décès comptés.",
        ),
        caution="Les décès attendus ne tiennent pas compte du vieillissement : dans une population qui vieillit, un léger excédent est "
        "habituel. Chaque région a ses propres médianes : les excédents des régions ne s’additionnent pas à celui de la France. Le lieu est celui du décès, pas celui du domicile.",
        compared="décès attendus",
        related=("mortalite", "deces-region"),
    ),
    free_range=FreeRange(None, without=()),
    summary=Summary(
        where=f"region_code = '{ALL}' AND sex = '{ALL}' AND expected IS NOT NULL",
        order="excess DESC",
        rows=1,
        subject="region_label || ', ' || strftime(period_start, '%m/%Y')",
        measure="excedent",
    ),
    recomputation=RECOMPUTATION,
)
