"""An example of an indicator: deaths in France by year of death and age."""

from typing import Final

from chu_platform.facts.fact_death import fact_death
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.use_of_care import AGE
from chu_platform.masks.death_mask import death_mask
from chu_platform.recomputation.death_inputs import COUNTED_DEATH_KEYS, DEATH_KEYS
from chu_platform.recomputation.recomputation import InputSet, Recomputation, SourceRows
from chu_platform.sdc.cell_masks import same_period, small
from chu_platform.tables.columns import INTEGER, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, Measure
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

NAME: Final = "kpi_deaths_by_age"


def _counts(periods: Periods) -> str:
    return f"""
        SELECT {periods.as_year("death_year")} AS year, age_band, count(*) AS deaths
        FROM (
            SELECT {periods.year("death_year")} AS death_year, explode(array(age_band, 'all')) AS age_band
            FROM {{death}} WHERE {periods.within_years("death_year", "death_date")}
        ) GROUP BY death_year, age_band
        """


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une tranche d’âge, ou l’ensemble, dans une année",
    label="Décès par âge",
    owner="team:kpis",
    columns=[
        Column("year", INTEGER, "année du décès", "Année", key=True),
        Column("age_band", STRING, "tranche de cinq ans, unknown ou all (ensemble)", "Tranche d’âge", key=True),
        Column("deaths", LONG, "nombre de décès dont la date est dans l’année", "Décès", nullable=False),
    ],
    reads={"death": fact_death},
    rows=Query.over(_counts),
)
OWN: Final = f"indicator = '{NAME}'"
# Its totals are the sums of indicator 7 for France and elsewhere: both are masked together.
OF_ALL_REGIONS: Final = f"""
    SELECT p.id, c.id
    FROM cell p JOIN cell c ON split_part(c.start, '|', 1) = p.start AND c.code = concat('all|', p.code)
    WHERE p.{OWN} AND c.indicator = 'kpi_deaths_by_region' AND split_part(c.start, '|', 2) IN ('all', '99')
    """

kpi_deaths_by_age = Indicator(
    exact=EXACT,
    fact=fact_death,
    # Released: every row.
    release=Release(
        family=death_mask,
        alias="ages",
        cells=f"""
            SELECT '{NAME}' AS indicator, concat_ws('|', year, age_band) AS cell, 'year' AS grain,
                   year::VARCHAR AS start, if(age_band = 'all', 'all', 'age') AS level, age_band AS code,
                   {small("deaths")} AS small, deaths::DOUBLE AS weight, deaths
            FROM ages
            """,
        relations={
            ("deaths",): [
                same_period(
                    f"p.indicator = '{NAME}' AND p.code = 'all'", f"c.indicator = '{NAME}' AND c.code <> 'all'"
                ),
                OF_ALL_REGIONS,
            ]
        },
        level_columns=["age_band"],
        weight="deaths",
        counts=["deaths"],
    ),
    question=IndicatorQuestion(
        number=9,
        slug="deces-age",
        title="Combien de décès à chaque âge ?",
        short="Décès par âge",
        parameters=(AGE,),
        measures=(
            Measure(
                "deces",
                "Nombre de décès",
                "décès",
                "deaths",
                None,
                None,
                "un nombre de décès est compté, non estimé : il n’a pas d’intervalle",
                Count("deaths", "décès"),
                None,
                "on compte {value}{where}",
                0,
            ),
        ),
        definition=("Décès dont la date de décès est dans l’année. Les doublons exacts comptent une fois.",),
        caution="Un nombre de décès dépend du nombre et de l’âge des habitants.",
        yearly=True,
    ),
    free_range=FreeRange(None, without=["year"], sums_years=True),
    summary=Summary(where="year = 2019", order="deaths DESC", rows=3, subject="age_band", measure="deces"),
    recomputation=Recomputation(
        InputSet.DEATHS,
        rows="""
            SELECT d.year, a.age_band, d.key AS row
            FROM death d, LATERAL (SELECT unnest(['all', d.band]) AS age_band) a
            """,
        counts="""
            SELECT year, age_band, count(row) AS deaths
            FROM cell LEFT JOIN numerator USING (year, age_band) GROUP BY year, age_band
            """,
        sources=[SourceRows(t, "numerator", key, COUNTED_DEATH_KEYS) for t, key in DEATH_KEYS.items()],
    ),
)
