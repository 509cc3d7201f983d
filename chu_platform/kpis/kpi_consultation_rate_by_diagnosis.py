"""Indicator 2: use of consultations by diagnosis (chapter, category, leaf)."""

from dataclasses import replace
from typing import Final

from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.indicators.diagnosis_counts import by_diagnosis
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.rates import (
    COUNT_COLUMNS,
    LEVEL_COLUMNS,
    NUMERATOR_IN_BASE,
    PATIENTS_IN_EVENTS,
    PERIOD_COLUMNS,
    RATE_COLUMNS,
    RATES_FROM,
    with_rates,
)
from chu_platform.indicators.use_of_care import (
    DIAGNOSIS,
    DIAGNOSIS_LEVELS,
    LATEST_WHOLE_YEAR,
    SAMPLE_CAUTION,
    USE_DEFINITION,
    use_measures,
)
from chu_platform.masks.consultation_mask import TOTAL, consultation_mask
from chu_platform.periods.consultation_contributors import (
    BY_DIAGNOSIS,
    DIAGNOSES,
    consultation_contributors,
    released,
)
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.recomputation.completed_figures import recomputed_rates
from chu_platform.recomputation.counted_rows import (
    CONSULTATIONS,
    PERIOD_LEVEL,
    base_of,
    events_by_diagnosis,
    use_counts,
)
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.sdc.diagnosis_cells import diagnosis_cells, diagnosis_relations
from chu_platform.sdc.primary_rules import PrimaryRules
from chu_platform.tables.indicator_questions import IndicatorQuestion
from chu_platform.tables.partitions import YEARS
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import EXACT_FIGURES
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

NAME: Final = BY_DIAGNOSIS
RULES: Final = PrimaryRules(
    counts=["events", "patients", "base_patients"],
    parts=[("patients", "base_patients")],
    repeats=[("patients", "events")],
    contributors=True,
)


def _counts(periods: Periods) -> str:
    return by_diagnosis(periods, "consultation")


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un chapitre, une catégorie ou une feuille, dans une période avec des consultations",
    label="Taux de consultation par diagnostic",
    owner="team:kpis",
    access=EXACT_FIGURES,
    columns=[
        *PERIOD_COLUMNS,
        *LEVEL_COLUMNS,
        *COUNT_COLUMNS,
        *RATE_COLUMNS,
    ],
    reads={
        "event": fact_consultation,
        "diagnosis": dim_diagnosis,
        "period": dim_period,
        "base": fact_patient_base,
    },
    rows=Query.over(
        _counts,
        finish=with_rates,
        from_columns=RATES_FROM,
    ),
    checks=[NUMERATOR_IN_BASE, PATIENTS_IN_EVENTS],
    layout=Layout(partition_by=["period_grain", "period_start"], z_order_by=["level", "code"], sorted_writes=False),
    derives_from=["event"],
    period_scheme=YEARS,
)

# The recomputation by `chu trace` and `chu verify`.
RECOMPUTATION: Final = Recomputation(
    InputSet.CARE,
    rows=events_by_diagnosis("consultation"),
    counts=use_counts(PERIOD_LEVEL, base="consultation_period"),
    sources=[CONSULTATIONS, base_of("consultation")],
    complete=recomputed_rates,
)

kpi_consultation_rate_by_diagnosis = Indicator(
    exact=EXACT,
    fact=fact_consultation,
    # Released: chapters for every period grain, categories for years and `all`, leaves for `all`.
    release=Release(
        family=consultation_mask,
        alias="diagnoses",
        cells=diagnosis_cells(
            NAME,
            RULES,
            # Shares of consultations and whole consultations are equal; professionals are no figure of a diagnosis.
            ["events", "events", "patients", "0"],
            released(DIAGNOSES),
        ),
        relations={("events",): diagnosis_relations(NAME, TOTAL)},
        reads={"diagnosis": dim_diagnosis, "contributors": consultation_contributors},
        relation_columns=[f"diagnosis.{c}" for c in ("diagnosis_key", "category_code", "chapter_code")],
        level_columns=["level", "code"],
        weight="events",
        rules=RULES,
        measures=["events"],
    ),
    question=IndicatorQuestion(
        number=2,
        slug="consultations-diagnostic",
        title="Quel recours aux consultations pour chaque diagnostic ?",
        short="Consultations par diagnostic",
        parameters=(DIAGNOSIS,),
        measures=use_measures("consultations", "consulté"),
        definition=(
            *USE_DEFINITION,
            "Diagnostics selon la CIM-10 : chapitre, catégorie à trois caractères, diagnostic. Un code absent de la liste "
            "officielle est compté au niveau supérieur : aucune consultation n’est perdue.",
        ),
        caution=SAMPLE_CAUTION,
        levels={**DIAGNOSIS_LEVELS, "chapter": replace(DIAGNOSIS_LEVELS["chapter"], per=100)},
        search="diagnostics",
    ),
    free_range=FreeRange("consultation"),
    summary=Summary(
        where=f"{LATEST_WHOLE_YEAR} AND level = 'chapter'",
        order="events DESC",
        rows=3,
        subject="label",
        measure="taux",
    ),
    recomputation=RECOMPUTATION,
)
