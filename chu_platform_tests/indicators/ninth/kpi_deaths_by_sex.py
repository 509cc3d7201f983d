"""An example of an indicator: deaths in France by year of death and sex."""

from typing import Final

from chu_platform.facts.fact_death import fact_death
from chu_platform.indicators.indicator import FreeRange, Indicator, MaskFamily, Release, Summary
from chu_platform.indicators.use_of_care import SEX
from chu_platform.recomputation.death_inputs import COUNTED_DEATH_KEYS, DEATH_KEYS
from chu_platform.recomputation.recomputation import Family, Recomputation, SourceRows
from chu_platform.sdc.cell_masks import Measures, same_period, small
from chu_platform.tables.columns import INTEGER, LONG, STRING, Column
from chu_platform.tables.periods import Periods
from chu_platform.tables.questions import Count, IndicatorQuestion, Measure
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

NAME: Final = "kpi_deaths_by_sex"


def _counts(periods: Periods) -> str:
    return f"""
        SELECT {periods.as_year("death_year")} AS year, sex, count(*) AS deaths
        FROM (
            SELECT {periods.year("death_year")} AS death_year, explode(array(sex, 'all')) AS sex FROM {{death}}
            WHERE {periods.within_years("death_year", "death_date")}
        ) WHERE sex <> 'unknown' GROUP BY death_year, sex
        """


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un sexe, ou l’ensemble, dans une année",
    label="Décès par sexe",
    owner="team:kpis",
    columns=[
        Column("year", INTEGER, "année du décès", "Année", key=True),
        Column("sex", STRING, "F, M ou all (ensemble)", "Sexe", key=True),
        Column("deaths", LONG, "nombre de décès dont la date est dans l’année", "Décès", nullable=False),
    ],
    reads={"death": fact_death},
    rows=Query.over(_counts),
)
death_sex_mask = MaskFamily(
    name="death_sex_mask", label="Masquage des décès par sexe", systems=[Measures(["deaths"], [])]
)

kpi_deaths_by_sex = Indicator(
    exact=EXACT,
    fact=fact_death,
    release=Release(
        family=death_sex_mask,
        alias="deaths",
        cells=f"""
            SELECT '{NAME}' AS indicator, concat_ws('|', year, sex) AS cell, 'year' AS grain, year AS start,
                   if(sex = 'all', 'all', 'sex') AS level, sex AS code, {small("deaths")} AS small,
                   deaths::DOUBLE AS weight, deaths
            FROM deaths
            UNION ALL
            -- Deaths of unknown sex: not published, but all less women and men.
            SELECT 'hidden', concat_ws('|', year, 'unknown'), 'year', year, 'hidden', 'unknown',
                   {small("sum(signed)")}, sum(signed)::DOUBLE, sum(signed)
            FROM (SELECT year, if(sex = 'all', deaths, -deaths) AS signed FROM deaths)
            GROUP BY year HAVING sum(signed) > 0
            """,
        relations={("deaths",): [same_period("p.code = 'all'", "c.code <> 'all'")]},
        level_columns=["sex"],
        weight="deaths",
        counts=["deaths"],
    ),
    question=IndicatorQuestion(
        number=9,
        slug="deces-sexe",
        title="Combien de décès de femmes et d’hommes ?",
        short="Décès par sexe",
        parameters=(SEX,),
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
    summary=Summary(where="year = 2019", order="sex", rows=3, subject="sex", measure="deces"),
    recomputation=Recomputation(
        Family.DEATHS,
        rows="""
            SELECT d.year, s.sex, d.key AS row
            FROM death d, LATERAL (SELECT unnest(['all', d.sex]) AS sex) s
            """,
        counts="""
            SELECT year, sex, count(row) AS deaths FROM cell LEFT JOIN numerator USING (year, sex) GROUP BY year, sex
            """,
        sources=[SourceRows(t, "numerator", key, COUNTED_DEATH_KEYS) for t, key in DEATH_KEYS.items()],
    ),
)
