"""Indicator 6: consultations of each (pseudonymised) professional; released by profession and speciality."""

from typing import Final

from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.rates import (
    PATIENTS_IN_EVENTS,
    PERIOD_COLUMNS,
    counts_by_period,
    visits,
)
from chu_platform.indicators.use_of_care import LATEST_WHOLE_YEAR
from chu_platform.masks.consultation_mask import TOTAL, consultation_mask
from chu_platform.periods.consultation_contributors import BY_PROFESSIONAL, consultation_contributors
from chu_platform.periods.dim_period import dim_period
from chu_platform.recomputation.counted_rows import CONSULTATIONS, PERIOD
from chu_platform.recomputation.recomputation import UNKNOWN, InputSet, Recomputation, SourceRows
from chu_platform.sdc.cell_masks import same_period
from chu_platform.sdc.primary_rules import PrimaryRules, Quantiles
from chu_platform.sources.professionnel_de_sante import professionnel_de_sante
from chu_platform.sources.professionnel_sante import professionnel_sante
from chu_platform.tables.checks import holds
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, Measure, Parameter
from chu_platform.tables.partitions import YEARS
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import BEFORE_RELEASE, exact_of_professionals
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import WHOLE_PROFESSION
from chu_platform.tables.table import Layer, Layout, Table, Zone

NAME: Final = BY_PROFESSIONAL
# More than ten professionals, which is stricter than the rule on contributors asks for.
RULES: Final = PrimaryRules(
    counts=["events", "patients", "professionals"],
    repeats=[("patients", "events")],
    contributors=True,
    quantiles=Quantiles("professionals", {"median": 0.5, "p20": 0.2, "p80": 0.8}),
)
# Columns of professionals, and of professions and specialities.
EVENTS_PER_ACTIVE_YEAR: Final = Column(
    "events_per_active_year",
    DOUBLE,
    "nombre de consultations par année d’activité",
    "Consultations par année d’activité",
    nullable=False,
)
SHARE: Final = Column(
    "share",
    DOUBLE,
    "part des consultations de la période, de 0 à 1",
    "Part des consultations",
    nullable=False,
)


def _of_professionals(periods: Periods) -> str:
    return f"""
        WITH {visits(periods, "{consultation}", ["professional_key"])},
        worker AS (
            SELECT professional_key, row_number() OVER (ORDER BY professional_key) AS professional
            FROM (SELECT DISTINCT professional_key FROM {{consultation}})
        ),
        visited AS (
            SELECT k.professional AS cell, v.patient, v.month, 1 AS events
            FROM visit v JOIN worker k ON k.professional_key = v.professional_key
        ),
        counted AS (
            SELECT k.professional_key, n.grain, n.start, n.events, n.patients
            FROM ({counts_by_period("visited", ["events"])}
            ) n JOIN worker k ON k.professional = n.cell
        ),
        worked AS (
            SELECT professional_key, grain, start, count(*) AS worked_months, count(DISTINCT year(date)) AS active_years
            FROM ({periods.expand("(SELECT DISTINCT professional_key, CAST(trunc(date, 'month') AS DATE) AS date FROM {consultation})", "professional_key, date")}
            ) GROUP BY professional_key, grain, start
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, n.professional_key,
               d.profession_label AS profession, d.speciality_label AS speciality,
               CAST(n.events AS DOUBLE) AS events, n.patients, m.worked_months,
               CAST(n.events AS DOUBLE) / m.worked_months AS events_per_worked_month,
               m.active_years, CAST(n.events AS DOUBLE) / m.active_years AS events_per_active_year,
               CAST(n.events AS DOUBLE) / t.events AS share
        FROM counted n
        JOIN (SELECT grain, start, sum(events) AS events FROM counted GROUP BY grain, start) t
             ON t.grain = n.grain AND t.start = n.start
        JOIN worked m ON m.professional_key = n.professional_key AND m.grain = n.grain AND m.start = n.start
        JOIN {{period}} p ON p.domain = 'consultation' AND {periods.join("n")}
        JOIN {{professional}} d ON d.professional_key = n.professional_key
        """


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un professionnel dans une période avec des consultations",
    label="Consultations par professionnel",
    owner="team:kpis",
    access=exact_of_professionals("professional_key"),
    columns=[
        *PERIOD_COLUMNS,
        Column("professional_key", STRING, "pseudonyme du professionnel", "Professionnel", key=True),
        Column("profession", STRING, "profession du professionnel", "Profession", nullable=False),
        Column("speciality", STRING, "spécialité du professionnel", "Spécialité", nullable=False),
        Column("events", DOUBLE, "nombre de consultations", "Consultations", nullable=False),
        Column("patients", LONG, "nombre de patients distincts", "Patients distincts", nullable=False),
        Column(
            "worked_months", LONG, "nombre de mois avec au moins une consultation", "Mois travaillés", nullable=False
        ),
        Column(
            "events_per_worked_month",
            DOUBLE,
            "nombre de consultations par mois travaillé",
            "Consultations par mois travaillé",
            nullable=False,
        ),
        Column(
            "active_years",
            LONG,
            "nombre d’années avec au moins une consultation",
            "Années d’activité",
            nullable=False,
        ),
        EVENTS_PER_ACTIVE_YEAR,
        SHARE,
    ],
    reads={"consultation": fact_consultation, "professional": dim_professional, "period": dim_period},
    rows=Query.over(_of_professionals),
    layout=Layout(partition_by=["period_grain", "period_start"], z_order_by=["professional_key"], sorted_writes=False),
    derives_from=["consultation"],
    period_scheme=YEARS,
)


def _of_specialities(periods: Periods) -> str:
    of_group = f"coalesce(speciality, '{WHOLE_PROFESSION}') AS speciality"
    return f"""
        WITH grouped AS (
            SELECT period_grain, period_start, period_end, is_partial, profession, {of_group},
                   count(*) AS professionals, sum(events) AS events, sum(active_years) AS active_years,
                   sum(events) / sum(active_years) AS events_per_active_year, sum(share) AS share,
                   percentile(events_per_active_year, 0.5) AS median, percentile(events_per_active_year, 0.2) AS p20,
                   percentile(events_per_active_year, 0.8) AS p80, percentile(active_years, 0.5) AS median_years
            FROM {{professional_rate}} WHERE {periods.only("period_grain", ("year", "all"))}
            GROUP BY GROUPING SETS ((period_grain, period_start, period_end, is_partial, profession, speciality),
                                    (period_grain, period_start, period_end, is_partial, profession))
        ),
        {visits(periods, "{consultation}", ["professional_key"], periods.only("grain", ("year", "all")))},
        -- The numbers of specialities are even, those of professions are odd.
        cell AS (
            SELECT professional_key, profession_label, speciality_label,
                   2 * dense_rank() OVER (ORDER BY profession_label, speciality_label) AS speciality,
                   2 * dense_rank() OVER (ORDER BY profession_label) + 1 AS profession
            FROM {{professional}}
        ),
        placed AS (
            SELECT v.patient, v.month, stack(2, k.speciality, k.profession) AS (cell)
            FROM visit v JOIN cell k ON k.professional_key = v.professional_key
        ),
        name AS (
            SELECT DISTINCT speciality AS cell, profession_label AS profession, speciality_label AS speciality FROM cell
            UNION ALL SELECT DISTINCT profession, profession_label, '{WHOLE_PROFESSION}' FROM cell
        ),
        person AS (
            SELECT m.profession, m.speciality, n.grain, n.start, n.patients
            FROM ({counts_by_period("placed", [])}
            ) n JOIN name m ON m.cell = n.cell
        )
        SELECT g.period_grain, g.period_start, g.period_end, g.is_partial, g.profession, g.speciality, g.professionals,
               g.events, n.patients, g.active_years, g.events_per_active_year, g.events / t.total AS share,
               g.median, g.p20, g.p80,
               -- Funnel plot limits of a rate around its target (Spiegelhalter, Stat Med 2005;24:1185-1202).
               greatest(g.events_per_active_year - 1.96D * sqrt(g.events_per_active_year / g.median_years), 0D) AS funnel_low,
               g.events_per_active_year + 1.96D * sqrt(g.events_per_active_year / g.median_years) AS funnel_high
        FROM grouped g
        JOIN person n ON n.profession = g.profession AND n.speciality = g.speciality AND n.grain = g.period_grain
                     AND n.start = {periods.start_of("g")}
        JOIN (
            SELECT period_grain, period_start, sum(events) AS total FROM grouped WHERE speciality = '{WHOLE_PROFESSION}'
            GROUP BY period_grain, period_start
        ) t ON t.period_grain = g.period_grain AND t.period_start = g.period_start
        """


consultation_by_speciality = Table(
    name="consultation_by_speciality",
    layer=Layer.CANDIDATES,
    zone=Zone.PSEUDONYMISED,
    grain="une profession et une spécialité, ou toute une profession, dans une année ou dans toutes les années",
    label="Consultations par professionnel : professions et spécialités",
    owner="team:privacy",
    access=BEFORE_RELEASE,
    columns=[
        *PERIOD_COLUMNS,
        Column("profession", STRING, "profession des professionnels", "Profession", key=True),
        Column(
            "speciality",
            STRING,
            f"spécialité des professionnels ; {WHOLE_PROFESSION} : toute la profession",
            "Spécialité",
            key=True,
        ),
        Column(
            "professionals", LONG, "nombre de professionnels ayant des consultations", "Professionnels", nullable=False
        ),
        Column("events", DOUBLE, "nombre de consultations", "Consultations", nullable=False),
        Column("patients", LONG, "nombre de patients distincts", "Patients distincts", nullable=False),
        Column(
            "active_years",
            LONG,
            "nombre d’années avec au moins une consultation, tous professionnels ensemble",
            "Années d’activité",
            nullable=False,
        ),
        EVENTS_PER_ACTIVE_YEAR,
        SHARE,
        Column(
            "median",
            DOUBLE,
            "médiane, parmi les professionnels, des consultations par année d’activité",
            "Médiane",
            nullable=False,
        ),
        Column(
            "p20",
            DOUBLE,
            "20e centile, parmi les professionnels, des consultations par année d’activité ; publié si au moins trois "
            "professionnels sont de chaque côté",
            "P20",
            nullable=False,
        ),
        Column(
            "p80",
            DOUBLE,
            "80e centile, parmi les professionnels, des consultations par année d’activité ; publié si au moins trois "
            "professionnels sont de chaque côté",
            "P80",
            nullable=False,
        ),
        Column(
            "funnel_low",
            DOUBLE,
            "limite basse à 95 % pour un professionnel d’activité médiane, autour du taux du groupe (Poisson, approximation normale)",
            "Entonnoir : limite basse",
            nullable=False,
        ),
        Column(
            "funnel_high", DOUBLE, "limite haute à 95 %, calculée de même", "Entonnoir : limite haute", nullable=False
        ),
    ],
    reads={
        "consultation": fact_consultation,
        "professional": dim_professional,
        "professional_rate": EXACT,
    },
    rows=Query.over(_of_specialities),
    checks=[
        PATIENTS_IN_EVENTS,
        holds(
            "professionals_in_years_in_events",
            "professionals <= active_years AND active_years <= events",
            "chaque professionnel compté a au moins une année d’activité, et chaque année au moins une consultation",
        ),
    ],
)

# The recomputation by `chu trace` and `chu verify`.
PROFESSION: Final = "period_grain, period_start, profession, speciality"

RECOMPUTATION: Final = Recomputation(
    InputSet.PROFESSIONS,
    # `professional` is the counted professional. Those who are in no register count as one, the unknown professional.
    # A consultation counts for the speciality and for the whole profession.
    rows=f"""
        SELECT {PERIOD}, coalesce(p.profession, 'Inconnu') AS profession, s.speciality, c.id AS row, patient, is_known,
            c.professional AS identifier, coalesce(p.id, '{UNKNOWN}') AS professional, year(month_start) AS active_year
        FROM consultation_in c LEFT JOIN professional p ON p.id = c.professional,
            LATERAL (SELECT unnest([coalesce(p.speciality, 'Inconnu'), '{WHOLE_PROFESSION}']) AS speciality) s
        """,
    counts=f"""
        WITH work AS (
            SELECT {PROFESSION}, professional, count(*) AS events, count(DISTINCT active_year) AS years
            FROM numerator GROUP BY ALL
        ), group_of AS (
            SELECT {PROFESSION}, count(*) AS professionals, sum(events) AS events, sum(years) AS active_years,
                sum(events) / sum(years) AS pace, quantile_cont(events / years, [0.2, 0.5, 0.8]) AS paces,
                median(years) AS typical
            FROM work GROUP BY ALL
        ), patient_of AS (
            SELECT {PROFESSION}, count(DISTINCT if(is_known, patient, NULL)) AS patients FROM numerator GROUP BY ALL
        ), whole AS (SELECT {PERIOD}, count(*) AS total FROM consultation_in GROUP BY ALL)
        SELECT {PROFESSION}, professionals, events, patients, active_years, pace AS events_per_active_year,
            events / total AS share, paces[2] AS median, paces[1] AS p20, paces[3] AS p80,
            greatest(pace - 1.96 * sqrt(pace / typical), 0) AS funnel_low,
            pace + 1.96 * sqrt(pace / typical) AS funnel_high
        FROM cell LEFT JOIN group_of USING ({PROFESSION}) LEFT JOIN patient_of USING ({PROFESSION})
            LEFT JOIN whole USING ({PERIOD})
        """,
    sources=[
        CONSULTATIONS,
        SourceRows(professionnel_de_sante, "attribution", '"Identifiant"', "SELECT DISTINCT identifier FROM numerator"),
        SourceRows(professionnel_sante, "attribution", "identifiant", "SELECT DISTINCT identifier FROM numerator"),
    ],
)

# The sum of the professions is the total of indicator 1; the sum of its specialities is a profession.
LEVEL: Final = f"CASE speciality WHEN '{WHOLE_PROFESSION}' THEN 'profession' ELSE 'speciality' END"
SPECIALITY_CELLS: Final = f"""(
    -- The number of professionals is also in the table of contributors.
    SELECT * EXCLUDE (professionals),
           {LEVEL} AS level,
           concat_ws('|', profession, speciality) AS code
    FROM specialities
)"""
PROFESSIONS: Final = same_period(TOTAL, f"c.indicator = '{NAME}' AND c.level = 'profession'")
SPECIALITIES: Final = same_period(
    f"p.indicator = '{NAME}' AND p.level = 'profession'",
    f"c.indicator = '{NAME}' AND c.level = 'speciality'",
    "split_part(p.code, '|', 1) = split_part(c.code, '|', 1)",
)

kpi_consultation_rate_by_professional = Indicator(
    exact=EXACT,
    released_form=consultation_by_speciality,
    fact=fact_consultation,
    # Released: professions and their specialities for years and `all`; no single professional.
    release=Release(
        family=consultation_mask,
        alias="specialities",
        cells=f"""
            SELECT '{NAME}' AS indicator, concat_ws('|', period_grain, period_start, profession, speciality) AS cell,
                   period_grain AS grain, period_start AS start, level, code, {RULES.reason} AS unsafe,
                   events AS weight, events, events, patients, professionals
            FROM {RULES.tested(SPECIALITY_CELLS, NAME)}
            """,
        relations={("events",): [PROFESSIONS, SPECIALITIES], ("professionals",): [SPECIALITIES]},
        reads={"contributors": consultation_contributors},
        level=LEVEL,
        level_columns=["speciality"],
        weight="events",
        rules=RULES,
        measures=["events"],
    ),
    question=IndicatorQuestion(
        number=6,
        slug="consultations-professionnel",
        title="Combien de consultations par professionnel ?",
        short="Consultations par professionnel",
        parameters=(
            Parameter(
                "x",
                "Profession et spécialité",
                ("profession", "speciality"),
                "",
                separator="|",
                options={"profession": "profession = $value", "speciality": "speciality = $value"},
            ),
        ),
        measures=(
            Measure(
                "mediane",
                "Médiane par année d’activité",
                "par année d’activité",
                "median",
                "p20",
                "p80",
                "de P20 à P80 : un professionnel sur cinq est en dessous, un sur cinq au-dessus",
                Count("professionals", "professionnels"),
                None,
                "le nombre médian de consultations d’un professionnel est de {value}{where}",
                1,
                "de P20 à P80",
                "moins de trois professionnels sont en dessous ou au-dessus",
            ),
            Measure(
                "moyenne",
                "Moyenne par année d’activité",
                "par année d’activité",
                "events_per_active_year",
                "funnel_low",
                "funnel_high",
                "limites à 95 % de l’entonnoir pour un professionnel d’activité médiane",
                Count("events", "consultations"),
                Count("active_years", "années d’activité"),
                "le nombre moyen de consultations d’un professionnel est de {value}{where}",
                1,
                "limites de l’entonnoir",
            ),
        ),
        definition=(
            "Une année d’activité est une année où le professionnel a au moins une consultation ; une année incomplète compte "
            "comme une année. La médiane, P20 et P80 sont ceux des professionnels de la profession et de la spécialité, ou de "
            "toute la profession (« Ensemble »).",
            "Un professionnel compte dans la profession et la spécialité de la dernière livraison, aussi pour le passé.",
            "Aucun professionnel n’est publié seul : il en faut plus de dix par profession et spécialité.",
        ),
        caution="Ces chiffres n’évaluent aucun professionnel : la durée et la difficulté des consultations ne sont pas connues.",
    ),
    free_range=FreeRange("consultation", order="events DESC, profession, speciality"),
    summary=Summary(
        where=f"{LATEST_WHOLE_YEAR} AND speciality = '{WHOLE_PROFESSION}'",
        order="events DESC",
        rows=3,
        subject="profession",
        measure="mediane",
    ),
    recomputation=RECOMPUTATION,
)
