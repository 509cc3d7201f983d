"""An example of an indicator: hospital stays by their length."""

from typing import Final

from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.rates import PERIOD_COLUMNS, counts_by_period, visits
from chu_platform.indicators.use_of_care import LATEST_WHOLE_YEAR
from chu_platform.masks.stay_mask import MEASURES, RULES, TOTAL, stay_mask
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.recomputation.counted_rows import PERIOD, STAYS
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.sdc.cell_masks import same_period
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, Measure, Parameter
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import EXACT_FIGURES
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

NAME: Final = "kpi_stays_by_length"
LENGTHS: Final = {"all": "Ensemble", "week": "Sept jours au plus", "longer": "Plus de sept jours"}
# Written twice, for the query and for the recomputation.
OF_STAY: Final = "CASE WHEN days <= 7 THEN 'week' ELSE 'longer' END"


def _counts(periods: Periods) -> str:
    cells = " ".join(f"WHEN '{length}' THEN {cell}L" for cell, length in enumerate(LENGTHS))
    lengths = " ".join(f"WHEN {cell} THEN '{length}'" for cell, length in enumerate(LENGTHS))
    placed = f"""(
                SELECT *, CASE length {cells} END AS cell
                FROM (SELECT *, 1 AS events, explode(array('all', {OF_STAY})) AS length FROM visit))"""
    return f"""
        WITH {visits(periods, "{stay}", ["days"])},
        counted AS (
            {counts_by_period(placed, ["events", "days"])}
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, CASE n.cell {lengths} END AS length,
               CAST(n.events AS DOUBLE) AS events, n.patients, n.days, b.base_patients
        FROM counted n
        JOIN {{period}} p ON p.domain = 'hospitalisation' AND {periods.join("n")}
        JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain AND b.period_start = p.period_start
                      AND b.sex = 'all' AND b.age_band = 'all'
        """


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une durée, ou l’ensemble, dans une période avec des séjours",
    label="Séjours par durée",
    owner="team:kpis",
    columns=[
        *PERIOD_COLUMNS,
        Column(
            "length", STRING, "week (sept jours au plus), longer (plus de sept) ou all (ensemble)", "Durée", key=True
        ),
        Column("events", DOUBLE, "nombre de séjours", "Séjours", nullable=False),
        Column("patients", LONG, "nombre de patients distincts", "Patients distincts", nullable=False),
        Column("days", LONG, "nombre de jours des séjours", "Journées", nullable=False),
        Column("base_patients", LONG, "nombre de patients de la base", "Patients de la base", nullable=False),
    ],
    reads={"stay": fact_hospitalisation, "period": dim_period, "base": fact_patient_base},
    rows=Query.over(_counts),
    access=EXACT_FIGURES,
)
# Its total is that of indicator 3: both are masked together.
SAME_TOTAL: Final = same_period(TOTAL, f"c.indicator = '{NAME}' AND c.code = 'all'")
PARTS: Final = same_period(f"p.indicator = '{NAME}' AND p.code = 'all'", f"c.indicator = '{NAME}' AND c.code <> 'all'")

kpi_stays_by_length = Indicator(
    exact=EXACT,
    fact=fact_hospitalisation,
    # Released: years and `all`.
    release=Release(
        family=stay_mask,
        alias="lengths",
        cells=f"""
            SELECT '{NAME}' AS indicator, concat_ws('|', period_grain, period_start, length) AS cell,
                   period_grain AS grain, period_start AS start, 'length' AS level, length AS code,
                   {RULES.reason} AS unsafe, events AS weight, {", ".join(MEASURES)}
            FROM lengths WHERE period_grain IN ('year', 'all')
            """,
        relations={("events", "days"): [SAME_TOTAL, PARTS], ("patients",): [SAME_TOTAL]},
        level="'length'",
        level_columns=["length"],
        weight="events",
        rules=RULES,
        measures=MEASURES,
    ),
    question=IndicatorQuestion(
        number=99,
        slug="sejours-duree",
        title="Combien de séjours de chaque durée ?",
        short="Séjours par durée",
        parameters=(Parameter("duree", "Durée", ("length",), "all", LENGTHS, options={"length": "length = $value"}),),
        measures=(
            Measure(
                "sejours",
                "Nombre de séjours",
                "séjours",
                "events",
                None,
                None,
                "un nombre de séjours est compté, non estimé : il n’a pas d’intervalle",
                Count("events", "séjours"),
                None,
                "on compte {value}{where}",
                0,
            ),
        ),
        definition=("Séjours selon leur durée en jours.",),
        caution="Un nombre de séjours dépend du nombre de patients.",
    ),
    free_range=FreeRange("hospitalisation"),
    summary=Summary(where=LATEST_WHOLE_YEAR, order="events DESC", rows=3, subject="length", measure="sejours"),
    recomputation=Recomputation(
        InputSet.CARE,
        rows=f"""
            SELECT {PERIOD}, l.length, id AS row, patient, is_known, days
            FROM stay_in, LATERAL (SELECT unnest(['all', {OF_STAY}]) AS length) l
            """,
        counts=f"""
            SELECT {PERIOD}, length, count(row)::DOUBLE AS events,
                count(DISTINCT if(is_known, patient, NULL)) AS patients,
                sum(days) AS days, any_value(base_patients) AS base_patients
            FROM cell LEFT JOIN numerator USING ({PERIOD}, length) LEFT JOIN stay_period USING ({PERIOD})
            GROUP BY {PERIOD}, length
            """,
        sources=[STAYS],
    ),
)
