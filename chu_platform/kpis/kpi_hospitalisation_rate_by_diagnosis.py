"""Indicator 4: use of hospital stays by diagnosis (chapter, category, leaf)."""

from typing import Final

from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.indicators.diagnosis_counts import by_diagnosis
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.rates import (
    COUNT_COLUMNS,
    DAYS_IN_BOUNDS,
    LEVEL_COLUMNS,
    NUMERATOR_IN_BASE,
    PATIENTS_IN_EVENTS,
    PERIOD_COLUMNS,
    RATE_COLUMNS,
    STAY_COLUMNS,
    STAY_RATES_FROM,
    with_stay_rates,
)
from chu_platform.indicators.use_of_care import (
    DIAGNOSIS,
    DIAGNOSIS_LEVELS,
    LATEST_WHOLE_YEAR,
    SAMPLE_CAUTION,
    STAY_MEASURES,
    USE_DEFINITION,
)
from chu_platform.masks.stay_mask import MEASURES, RULES, TOTAL, stay_mask
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.recomputation.completed_figures import recomputed_stay_rates
from chu_platform.recomputation.counted_rows import PERIOD_LEVEL, STAYS, base_of, events_by_diagnosis, use_counts
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.sdc.diagnosis_cells import diagnosis_cells, diagnosis_relations
from chu_platform.tables.indicator_questions import IndicatorQuestion
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import EXACT_FIGURES
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

NAME: Final = "kpi_hospitalisation_rate_by_diagnosis"


def _counts(periods: Periods) -> str:
    return by_diagnosis(periods, "hospitalisation", ["days"])


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un chapitre, une catégorie ou une feuille, dans une période avec des séjours",
    label="Taux d’hospitalisation par diagnostic",
    owner="team:kpis",
    access=EXACT_FIGURES,
    columns=[
        *PERIOD_COLUMNS,
        *LEVEL_COLUMNS,
        *COUNT_COLUMNS,
        *STAY_COLUMNS,
        *RATE_COLUMNS,
    ],
    reads={
        "event": fact_hospitalisation,
        "diagnosis": dim_diagnosis,
        "period": dim_period,
        "base": fact_patient_base,
    },
    rows=Query.over(
        _counts,
        finish=with_stay_rates,
        from_columns=STAY_RATES_FROM,
    ),
    checks=[NUMERATOR_IN_BASE, PATIENTS_IN_EVENTS, DAYS_IN_BOUNDS],
    layout=Layout(partition_by=["period_grain"], z_order_by=["level", "code"]),
)

# The recomputation by `chu trace` and `chu verify`.
RECOMPUTATION: Final = Recomputation(
    InputSet.CARE,
    rows=events_by_diagnosis("stay"),
    counts=use_counts(PERIOD_LEVEL, base="stay_period", days=True),
    sources=[STAYS, base_of("stay")],
    complete=recomputed_stay_rates,
)

kpi_hospitalisation_rate_by_diagnosis = Indicator(
    exact=EXACT,
    fact=fact_hospitalisation,
    # Released: chapters for years and `all`, categories for `all`. Leaves are not: nearly all have 1 to 10 stays.
    release=Release(
        family=stay_mask,
        alias="diagnoses",
        cells=diagnosis_cells(
            NAME,
            RULES,
            MEASURES,
            "(level = 'chapter' AND period_grain IN ('year', 'all')) OR (level = 'category' AND period_grain = 'all')",
        ),
        relations={("events", "days"): diagnosis_relations(NAME, TOTAL)},
        reads={"diagnosis": dim_diagnosis},
        relation_columns=[f"diagnosis.{c}" for c in ("diagnosis_key", "category_code", "chapter_code")],
        level_columns=["level", "code"],
        weight="events",
        rules=RULES,
        measures=MEASURES,
    ),
    question=IndicatorQuestion(
        number=4,
        slug="hospitalisations-diagnostic",
        title="Quel recours à l’hospitalisation pour chaque diagnostic ?",
        short="Hospitalisations par diagnostic",
        parameters=(DIAGNOSIS,),
        measures=STAY_MEASURES,
        definition=(
            *USE_DEFINITION,
            "Diagnostics selon la CIM-10 : chapitre et catégorie à trois caractères. Par diagnostic précis, presque chaque "
            "chiffre porterait sur 1 à 10 séjours : ce niveau n’est pas publié.",
        ),
        caution=SAMPLE_CAUTION,
        levels=DIAGNOSIS_LEVELS,
        search="diagnostics",
    ),
    free_range=FreeRange("hospitalisation"),
    summary=Summary(
        where=f"{LATEST_WHOLE_YEAR} AND level = 'chapter'",
        order="events DESC",
        rows=3,
        subject="label",
        measure="taux",
    ),
    recomputation=RECOMPUTATION,
)
