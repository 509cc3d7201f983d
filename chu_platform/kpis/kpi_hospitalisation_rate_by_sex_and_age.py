"""Indicator 5: use of hospital stays by sex and age; each group has its own base."""

from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.intervals import directly_standardised
from chu_platform.indicators.rates import (
    COUNT_COLUMNS,
    DAYS_IN_BOUNDS,
    PERIOD_COLUMNS,
    RATE_COLUMNS,
    STAY_COLUMNS,
    STAY_RATES_FROM,
    finite,
    with_stay_rates,
)
from chu_platform.indicators.use_of_care import (
    AGE,
    LATEST_WHOLE_YEAR,
    SAMPLE_CAUTION,
    SEX,
    STAY_MEASURES,
    USE_DEFINITION,
)
from chu_platform.masks.stay_mask import MEASURES, TOTAL, stay_mask
from chu_platform.masks.stay_mask import RULES as STAY_RULES
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_hospitalised_patient import fact_hospitalised_patient
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.recomputation.completed_figures import recomputed_stay_rates
from chu_platform.recomputation.counted_rows import PERIOD, STAYS, base_of, use_counts
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.sdc.cell_masks import same_period
from chu_platform.tables.checks import holds, none_in
from chu_platform.tables.columns import DOUBLE, STRING, Column
from chu_platform.tables.indicator_questions import IndicatorQuestion
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import EXACT_FIGURES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import AGE_BANDS, ALL, UNKNOWN_BAND
from chu_platform.tables.table import Layer, Layout, Table, Zone

NAME: Final = "kpi_hospitalisation_rate_by_sex_and_age"
# By age band, the patients are not those of the events: the bands are of the middle of the period and of the event.
RULES: Final = replace(STAY_RULES, repeats_where=f"age_band = '{ALL}'")


def _counts(periods: Periods) -> str:
    return f"""
        WITH counted AS (
            SELECT grain, start, coalesce(sex, '{ALL}') AS sex, coalesce(age_band, '{ALL}') AS age_band,
                   CAST(count(*) AS DOUBLE) AS events, sum(days) AS days
            FROM ({periods.expand("{stay}", "sex, age_band, days")}
            )
            GROUP BY GROUPING SETS ((grain, start), (grain, start, sex), (grain, start, age_band), (grain, start, sex, age_band))
        ),
        person AS (
            SELECT period_grain, period_start, coalesce(sex, '{ALL}') AS sex, coalesce(age_band, '{ALL}') AS age_band,
                   count(*) AS patients
            FROM {{patient}}
            GROUP BY GROUPING SETS ((period_grain, period_start), (period_grain, period_start, sex),
                                    (period_grain, period_start, age_band), (period_grain, period_start, sex, age_band))
        ),
        band AS (SELECT explode(array({", ".join(f"'{b}'" for b in (*AGE_BANDS, UNKNOWN_BAND, ALL))})) AS age_band),
        cell AS (
            SELECT p.*, s.sex, a.age_band
            FROM {{period}} p CROSS JOIN (SELECT explode(array('F', 'M', '{ALL}')) AS sex) s CROSS JOIN band a
            WHERE p.domain = 'hospitalisation'
        ),
        figure AS (
            SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, p.sex, p.age_band,
                   coalesce(n.events, 0D) AS events, coalesce(h.patients, 0) AS patients, coalesce(n.days, 0) AS days,
                   coalesce(b.base_patients, 0) AS base_patients, coalesce(b.patient_years, 0D) AS patient_years
            FROM cell p
            LEFT JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain
                               AND b.period_start = p.period_start AND b.sex = p.sex AND b.age_band = p.age_band
            LEFT JOIN counted n ON n.sex = p.sex AND n.age_band = p.age_band AND {periods.join("n")}
            LEFT JOIN person h ON h.period_grain = p.period_grain AND h.period_start = p.period_start
                              AND h.sex = p.sex AND h.age_band = p.age_band
        )
        SELECT period_grain, period_start, period_end, is_partial, sex, age_band, events, patients, days, base_patients, patient_years,
               CASE WHEN age_band = '{ALL}' THEN
                   collect_list(named_struct('sex', sex, 'age_band', age_band, 'events', events, 'patient_years', patient_years))
                       OVER (PARTITION BY period_grain, period_start)
               END AS strata
        FROM figure
        """


def _with_standardised(counted: pa.Table) -> pa.Table:
    """Add the rates and, on the rows of all ages, the intensity standardised on the age of the whole patient base.

    Such a row has the counts of all sexes and age bands of its period in `strata`; on other rows it is null.
    """
    rated = with_stay_rates(counted.drop_columns(["strata"]))
    figures: list[tuple[float | None, float | None, float | None]] = []
    for sex, strata in zip(counted["sex"].to_pylist(), counted["strata"].to_pylist(), strict=True):
        if strata is None:
            figures.append((None, None, None))
            continue
        cells = {(s["sex"], s["age_band"]): (s["events"], s["patient_years"]) for s in strata}
        of_bands = [(*cells.get((sex, band), (0.0, 0.0)), cells.get((ALL, band), (0.0, 0.0))[1]) for band in AGE_BANDS]
        events, time, standard = np.array(of_bands, dtype=np.float64).T
        rate, low, high = (float(1000 * v) for v in directly_standardised(events, time, standard))
        figures.append((rate, low, high))
    columns = np.array(figures, dtype=np.float64).reshape(-1, 3).T
    for name, values in zip(("standardised_intensity", "standardised_low", "standardised_high"), columns, strict=True):
        rated = rated.append_column(name, finite(values))
    return rated


# Of each measure that the age bands partition: the sum of the bands minus the row of all ages.
GAPS: Final = ", ".join(
    f"abs(sum(CASE age_band WHEN '{ALL}' THEN -{c} ELSE {c} END))" for c in (*MEASURES, "patient_years")
)

EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un sexe et une tranche d’âge, totaux compris, dans une période, du premier séjour au dernier",
    label="Taux d’hospitalisation par sexe et âge",
    owner="team:kpis",
    access=EXACT_FIGURES,
    columns=[
        *PERIOD_COLUMNS,
        Column("sex", STRING, "F, M ou all (ensemble)", "Sexe", key=True),
        Column(
            "age_band",
            STRING,
            "tranche de cinq ans, unknown (âge inconnu) ou all (ensemble)",
            "Tranche d’âge",
            key=True,
        ),
        *COUNT_COLUMNS,
        *STAY_COLUMNS,
        *RATE_COLUMNS,
        Column(
            "standardised_intensity",
            DOUBLE,
            "nombre de séjours pour 1 000 patients-années, standardisé sur l’âge de toute la base ; seulement tous âges ensemble",
            "Intensité standardisée",
        ),
        Column(
            "standardised_low",
            DOUBLE,
            "borne basse à 95 %, méthode de Fay et Feuer",
            "Intensité standardisée : borne basse",
        ),
        Column(
            "standardised_high",
            DOUBLE,
            "borne haute à 95 %, méthode de Fay et Feuer",
            "Intensité standardisée : borne haute",
        ),
    ],
    reads={
        "stay": fact_hospitalisation,
        "patient": fact_hospitalised_patient,
        "period": dim_period,
        "base": fact_patient_base,
    },
    rows=Query.over(
        _counts,
        finish=_with_standardised,
        from_columns={
            **STAY_RATES_FROM,
            **dict.fromkeys(
                ("standardised_intensity", "standardised_low", "standardised_high"),
                ("sex", "strata"),
            ),
        },
    ),
    checks=[
        holds(
            "numerator_in_base",
            "patients <= base_patients OR age_band = 'unknown'",
            "les patients ayant un événement sont des patients de la base, sauf pour des événements avant la naissance",
        ),
        DAYS_IN_BOUNDS,
        none_in(
            "age_bands_sum_to_all",
            f"SELECT count(*) FROM (SELECT greatest({GAPS}) AS gap FROM {{this}} "
            "GROUP BY period_grain, period_start, sex HAVING gap > 1e-3)",
            "les tranches d’âge se partagent les séjours, les journées, les patients, la base et son temps d’observation",
        ),
    ],
    layout=Layout(partition_by=["period_grain"], z_order_by=["sex", "age_band"]),
)

# The total of indicator 3 is also a cell of this indicator.
SAME_TOTAL: Final = same_period(TOTAL, f"c.indicator = '{NAME}' AND c.code = 'all|all'")
SEXES: Final = same_period(
    f"p.indicator = '{NAME}' AND p.code LIKE 'all|%'",
    f"(c.indicator = '{NAME}' AND c.code NOT LIKE 'all|%') OR c.indicator = 'hidden sex'",
    "split_part(p.code, '|', 2) = split_part(c.code, '|', 2)",
)
AGES: Final = same_period(
    f"p.indicator = '{NAME}' AND p.code LIKE '%|all'",
    f"c.indicator = '{NAME}' AND c.code NOT LIKE '%|all'",
    "split_part(p.code, '|', 1) = split_part(c.code, '|', 1)",
)


def _counted(relation: str, measure: str) -> str:
    """SQL of the pairs of a relation for one measure.

    A hidden cell (unknown sex) in which the measure is 0 is not part of the sum.
    """
    return f"""
        SELECT p.id, c.id FROM ({relation}) AS pair(parent, child)
        JOIN cell p ON p.id = parent JOIN cell c ON c.id = child
        WHERE c.indicator <> 'hidden sex' OR c.{measure} > 0
        """


LEVEL: Final = (
    "concat(CASE sex WHEN 'all' THEN 'all' ELSE 'sex' END, '/', CASE age_band WHEN 'all' THEN 'all' ELSE 'age' END)"
)

# The recomputation by `chu trace` and `chu verify`.
SEX_AND_AGE: Final = "period_grain, period_start, sex, age_band"

RECOMPUTATION: Final = Recomputation(
    InputSet.CARE,
    # A patient who is not in the care database is counted only in the rows of all sexes. A stay counts in the age band of
    # its day, and its patient in the age band of the middle day of the period (`is_known`): these may be two bands.
    rows=f"""
        SELECT {PERIOD}, s.sex, a.age_band, id AS row, patient,
            is_known AND a.age_band IN ('all', band_of_patient) AS is_known,
            (a.age_band IN ('all', band_of_stay))::DOUBLE AS share, if(share > 0, days, 0) AS days
        FROM (
            SELECT stay.*, p.sex, band_of_age(completed_years(p.birth, date)) AS band_of_stay,
                band_of_age(age_in_period(p.birth, period_start, period_end)) AS band_of_patient
            FROM stay_in stay JOIN stay_period USING (period_grain, period_start) LEFT JOIN patient p ON p.id = patient
        ) stay,
            LATERAL (SELECT unnest(['all', stay.sex]) AS sex) s,
            LATERAL (SELECT unnest(list_distinct(['all', band_of_stay, band_of_patient])) AS age_band) a
        WHERE s.sex IS NOT NULL
        """,
    counts=use_counts(SEX_AND_AGE, base="stay_base_by_age", base_keys=SEX_AND_AGE, days=True),
    sources=[
        STAYS,
        base_of(
            "stay",
            """
            c.sex IN ('all', p.sex) AND CASE c.age_band
                WHEN 'all' THEN p.birth IS NULL OR p.birth < c.period_end
                WHEN 'unknown' THEN p.birth IS NULL
                ELSE c.age_band = band_of_age(age_in_period(p.birth, c.period_start, c.period_end)) END
            """,
        ),
    ],
    complete=recomputed_stay_rates,
)

kpi_hospitalisation_rate_by_sex_and_age = Indicator(
    exact=EXACT,
    fact=fact_hospitalisation,
    # Releasable: the cells by sex and age of the period grains year and `all`; no quarters and months.
    release=Release(
        family=stay_mask,
        alias="sexes",
        cells=f"""
            SELECT '{NAME}' AS indicator, concat_ws('|', period_grain, period_start, sex, age_band) AS cell,
                   period_grain AS grain, period_start AS start,
                   {LEVEL} AS level,
                   concat_ws('|', sex, age_band) AS code,
                   {RULES.reason} AS unsafe, events AS weight,
                   {", ".join(MEASURES)}
            FROM sexes WHERE period_grain IN ('year', 'all')
            UNION ALL
            -- Stays of patients of unknown sex: not published, but equal to all stays minus those of women and men.
            SELECT 'hidden sex', concat_ws('|', period_grain, period_start, 'unknown', age_band), period_grain, period_start, 'hidden',
                   concat_ws('|', 'unknown', age_band), {RULES.reason}, events, {", ".join(MEASURES)}
            FROM (
                SELECT period_grain, period_start, age_band,
                       {", ".join(f"sum(if(sex = 'all', {m}, -{m})) AS {m}" for m in MEASURES)}
                FROM sexes WHERE period_grain IN ('year', 'all') GROUP BY period_grain, period_start, age_band
            ) WHERE events > 0 OR patients > 0 OR base_patients > 0
            """,
        relations={
            ("events", "days"): [SAME_TOTAL, _counted(SEXES, "events"), AGES],
            # A patient is in one age band of a period.
            ("patients",): [SAME_TOTAL, _counted(SEXES, "patients"), AGES],
            ("base_patients",): [SAME_TOTAL, _counted(SEXES, "base_patients"), AGES],
        },
        level=LEVEL,
        level_columns=["sex", "age_band"],
        weight="events",
        rules=RULES,
        measures=MEASURES,
        # A standardised intensity is a weighted sum over the age bands: masked figures could be computed from it.
        withheld=["standardised_intensity", "standardised_low", "standardised_high"],
    ),
    question=IndicatorQuestion(
        number=5,
        slug="hospitalisations-sexe-age",
        title="Quel recours à l’hospitalisation selon le sexe et l’âge ?",
        short="Hospitalisations par sexe et âge",
        parameters=(SEX, AGE),
        measures=STAY_MEASURES,
        definition=(
            *USE_DEFINITION,
            "Chaque sexe et chaque tranche d’âge ont leur propre base. Les patients, hospitalisés ou non, sont classés selon leur "
            "âge au milieu de la période : le taux de tous les âges est donc la moyenne des taux des tranches, pondérée par "
            "leur base. Les séjours sont classés selon l’âge à l’entrée, et les patients-années selon le temps exact vécu dans "
            "la tranche.",
            "Le taux standardisé sur l’âge n’est pas publié : avec les taux par tranche, il permettrait de retrouver des "
            "chiffres masqués.",
        ),
        caution=SAMPLE_CAUTION,
    ),
    free_range=FreeRange(
        "hospitalisation",
        without=[
            "period_grain",
            "is_partial",
            "standardised_intensity",
            "standardised_low",
            "standardised_high",
        ],
        order=f"sex, list_position({[*AGE_BANDS, UNKNOWN_BAND, ALL]}, age_band)",
    ),
    summary=Summary(
        where=f"{LATEST_WHOLE_YEAR} AND NOT (sex = 'all' AND age_band = 'all') AND events > 0",
        order="age_band = 'all' DESC, rate_per_1000 DESC",
        rows=4,
        subject="concat(CASE sex WHEN 'F' THEN 'Femmes' WHEN 'M' THEN 'Hommes' ELSE 'Tous' END, "
        "CASE age_band WHEN 'all' THEN '' ELSE concat(', ', age_band, ' ans') END)",
        measure="taux",
    ),
    recomputation=RECOMPUTATION,
)
