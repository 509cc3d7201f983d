"""Indicator 3: use of hospital stays."""

from typing import Final

from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.rates import (
    COUNT_COLUMNS,
    DAYS_IN_BOUNDS,
    NUMERATOR_IN_BASE,
    PATIENTS_IN_EVENTS,
    PERIOD_COLUMNS,
    RATE_COLUMNS,
    STAY_COLUMNS,
    STAY_RATES_FROM,
    counts_by_period,
    visits,
    with_stay_rates,
)
from chu_platform.indicators.use_of_care import LATEST_WHOLE_YEAR, SAMPLE_CAUTION, STAY_MEASURES, USE_DEFINITION
from chu_platform.masks.stay_mask import MEASURES, RULES, stay_mask
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.recomputation.completed_figures import recomputed_stay_rates
from chu_platform.recomputation.counted_rows import PERIOD, STAYS, base_of, use_counts
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.tables.checks import sums_to
from chu_platform.tables.indicator_questions import IndicatorQuestion
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import EXACT_FIGURES
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

NAME: Final = "kpi_hospitalisation_rate"


def _counts(periods: Periods) -> str:
    return f"""
        WITH {visits(periods, "{stay}", ["days"])},
        counted AS (
            {counts_by_period("(SELECT *, 0L AS cell, 1 AS events FROM visit)", ["events", "days"])}
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, coalesce(CAST(n.events AS DOUBLE), 0D) AS events,
               coalesce(n.patients, 0) AS patients, coalesce(n.days, 0) AS days, b.base_patients, b.patient_years
        FROM {{period}} p
        JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain AND b.period_start = p.period_start
                      AND b.sex = 'all' AND b.age_band = 'all'
        LEFT JOIN counted n ON {periods.join("n")}
        WHERE p.domain = 'hospitalisation'
        """


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une période, du premier séjour au dernier",
    label="Taux d’hospitalisation",
    owner="team:kpis",
    access=EXACT_FIGURES,
    columns=[
        *PERIOD_COLUMNS,
        *COUNT_COLUMNS,
        *STAY_COLUMNS,
        *RATE_COLUMNS,
    ],
    reads={"stay": fact_hospitalisation, "period": dim_period, "base": fact_patient_base},
    rows=Query.over(
        _counts,
        finish=with_stay_rates,
        from_columns=STAY_RATES_FROM,
    ),
    checks=[
        NUMERATOR_IN_BASE,
        PATIENTS_IN_EVENTS,
        DAYS_IN_BOUNDS,
        sums_to(
            "months_sum_to_all_stays",
            "SELECT sum(events) FROM {this} WHERE period_grain = 'month'",
            fact_hospitalisation,
            "SELECT count(*) FROM {other}",
            "la somme des séjours des mois est le nombre de tous les séjours",
        ),
    ],
    layout=Layout(partition_by=["period_grain"], z_order_by=["period_start"]),
)

# The recomputation by `chu trace` and `chu verify`.
RECOMPUTATION: Final = Recomputation(
    InputSet.CARE,
    rows=f"SELECT {PERIOD}, id AS row, patient, is_known, 1.0::DOUBLE AS share, days FROM stay_in",
    counts=use_counts(PERIOD, base="stay_period", days=True),
    sources=[STAYS, base_of("stay")],
    complete=recomputed_stay_rates,
)

kpi_hospitalisation_rate = Indicator(
    exact=EXACT,
    fact=fact_hospitalisation,
    release=Release(
        family=stay_mask,
        alias="stays",
        cells=f"""
            SELECT '{NAME}' AS indicator, concat_ws('|', period_grain, period_start) AS cell,
                   period_grain AS grain, period_start AS start, 'total' AS level, 'total' AS code,
                   {RULES.reason} AS unsafe, events AS weight,
                   {", ".join(MEASURES)}
            FROM stays
            """,
        level="'total'",
        weight="events",
        rules=RULES,
        measures=MEASURES,
    ),
    question=IndicatorQuestion(
        number=3,
        slug="hospitalisations",
        title="Quel recours à l’hospitalisation dans la période ?",
        short="Hospitalisations",
        parameters=(),
        measures=STAY_MEASURES,
        definition=(*USE_DEFINITION, "Durée moyenne de séjour : journées divisées par séjours."),
        caution=SAMPLE_CAUTION,
    ),
    free_range=FreeRange("hospitalisation"),
    summary=Summary(
        where=LATEST_WHOLE_YEAR,
        order="period_start",
        rows=1,
        subject="replace(format('Séjours (durée moyenne {{:.1f}} jours)', mean_length_of_stay), '.', ',')",
        measure="taux",
    ),
    recomputation=RECOMPUTATION,
)
