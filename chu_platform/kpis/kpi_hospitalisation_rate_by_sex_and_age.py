"""Indicator 5: use of hospital stays by sex and age, each over its own base.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from collections import defaultdict

import numpy as np
import pyarrow as pa

from chu_platform.building_blocks.intervals import directly_standardised
from chu_platform.building_blocks.rates import (
    COUNT_COLUMNS,
    PERIOD_COLUMNS,
    RATE_COLUMNS,
    STAY_COLUMNS,
    STAY_RATES_FROM,
    finite,
    of_each_patient,
    period_join,
    with_stay_rates,
)
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.tables.checks import holds
from chu_platform.tables.columns import DOUBLE, STRING, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import AGE_BANDS, ALL, UNKNOWN, UNKNOWN_BAND
from chu_platform.tables.table import Layer, Layout, Table, Zone


def _with_standardised(counted: pa.Table) -> pa.Table:
    """Add the rates, and for the rows of all ages the intensity standardised on the age of the whole patient base."""
    rated = with_stay_rates(counted).sort_by(
        [
            ("period_grain", "ascending"),
            ("period_start", "ascending"),
            ("sex", "ascending"),
            ("age_band", "ascending"),
        ]
    )
    rows = rated.select(["period_grain", "period_start", "sex", "age_band", "events", "patient_years"]).to_pylist()
    strata: dict[tuple[object, object, str], dict[str, tuple[float, float]]] = defaultdict(dict)
    for row in rows:
        if row["age_band"] in AGE_BANDS:
            key = (row["period_grain"], row["period_start"], row["sex"])
            strata[key][row["age_band"]] = (row["events"], row["patient_years"])
    figures: list[tuple[float | None, float | None, float | None]] = []
    for row in rows:
        if row["age_band"] != ALL:
            figures.append((None, None, None))
            continue
        own = strata[row["period_grain"], row["period_start"], row["sex"]]
        everyone = strata[row["period_grain"], row["period_start"], ALL]
        of_bands = [(*own.get(band, (0.0, 0.0)), everyone.get(band, (0.0, 0.0))[1]) for band in AGE_BANDS]
        events, time, standard = np.array(of_bands, dtype=np.float64).T
        rate, low, high = directly_standardised(events, time, standard)
        figures.append((1000 * rate, 1000 * low, 1000 * high))
    for name, values in zip(
        ("standardised_intensity", "standardised_low", "standardised_high"),
        zip(*figures, strict=True),
        strict=True,
    ):
        rated = rated.append_column(name, finite(np.array(values, dtype=np.float64)))
    return rated


kpi_hospitalisation_rate_by_sex_and_age = Table(
    name="kpi_hospitalisation_rate_by_sex_and_age",
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un sexe et une tranche d’âge, totaux compris, dans une période, du premier séjour au dernier",
    label="Taux d’hospitalisation par sexe et âge",
    owner="team:kpis",
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
    reads={"stay": fact_hospitalisation, "period": dim_period, "base": fact_patient_base},
    rows=Query(
        f"""
        WITH counted AS (
            SELECT grain, start, coalesce(sex, '{ALL}') AS sex, coalesce(age_band, '{ALL}') AS age_band,
                   CAST(sum(events) AS DOUBLE) AS events, count(DISTINCT nullif(patient_key, '{UNKNOWN}')) AS patients, sum(days) AS days
            FROM ({of_each_patient("(SELECT *, 1 AS events FROM {stay})", ["sex", "age_band"], ["events", "days"])}
            )
            GROUP BY GROUPING SETS ((grain, start), (grain, start, sex), (grain, start, age_band), (grain, start, sex, age_band))
        ),
        band AS (SELECT explode(array({", ".join(f"'{b}'" for b in (*AGE_BANDS, UNKNOWN_BAND, ALL))})) AS age_band),
        cell AS (
            SELECT p.*, s.sex, a.age_band
            FROM {{period}} p CROSS JOIN (SELECT explode(array('F', 'M', '{ALL}')) AS sex) s CROSS JOIN band a
            WHERE p.domain = 'hospitalisation'
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, p.sex, p.age_band,
               coalesce(n.events, 0D) AS events, coalesce(n.patients, 0) AS patients, coalesce(n.days, 0) AS days,
               coalesce(b.base_patients, 0) AS base_patients, coalesce(b.patient_years, 0D) AS patient_years
        FROM cell p
        LEFT JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain
                           AND b.period_start = p.period_start AND b.sex = p.sex AND b.age_band = p.age_band
        LEFT JOIN counted n ON n.sex = p.sex AND n.age_band = p.age_band AND {period_join("n")}
        """,
        finish=_with_standardised,
        from_columns={
            **STAY_RATES_FROM,
            **dict.fromkeys(
                ("standardised_intensity", "standardised_low", "standardised_high"),
                ("events", "patient_years", "period_grain", "period_start", "sex", "age_band"),
            ),
        },
    ),
    checks=[
        holds(
            "numerator_in_base",
            "patients <= base_patients OR age_band = 'unknown'",
            "les patients ayant un événement sont des patients de la base, sauf pour des événements avant la naissance",
        )
    ],
    layout=Layout(partition_by=["period_grain"], z_order_by=["sex", "age_band"]),
)
