"""Indicator 17: which medications are prescribed: by form, by medication, and by speciality of the professional."""

from typing import Final

from chu_platform.dimensions.dim_medication import dim_medication
from chu_platform.dimensions.professional_history import professional_history
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_prescription import fact_prescription
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.rates import LEVEL_COLUMNS, PERIOD_COLUMNS
from chu_platform.indicators.rounded_counts import FEWEST_PERSONS, STEP, at_least, is_nearly_all
from chu_platform.indicators.use_of_care import LATEST_WHOLE_YEAR
from chu_platform.masks.consultation_mask import consultation_mask
from chu_platform.masks.prescription_mask import prescription_mask
from chu_platform.periods.dim_period import dim_period
from chu_platform.recomputation.prescription_figures import COUNTS, ROWS, SOURCES, recomputed_prescriptions
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.sdc.primary_rules import FEWEST_CONTRIBUTORS, LARGEST_SHARE, PrimaryRules, Reason
from chu_platform.tables.checks import holds, none_in
from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, LevelTexts, Measure, Parameter
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import BEFORE_RELEASE, EXACT_FIGURES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Layout, Table, Zone
from chu_platform.tables.versions import valid_on

NAME: Final = "kpi_prescription"
# So many medications of a period are released: those that are prescribed most often.
MOST_PRESCRIBED: Final = 50
WHOLE: Final = "Ensemble des prescriptions"


def _counts(periods: Periods) -> str:
    """SQL of the counts. The number of a cell says its level: 0 for the total, then 1, 2 and 3 more than multiples of 4."""
    years = periods.only("grain", ("year", "all"))

    def counted(of: str) -> str:
        """SELECT: of each cell in each period, how many `of` there are, how many events, and the most of one."""
        return f"""
            SELECT cell, grain, start, count({of}) AS people, sum(n) AS n, max(CASE WHEN {of} IS NOT NULL THEN n END) AS most,
                   sum(CASE WHEN {of} IS NOT NULL THEN n END) AS of_known
            FROM (SELECT cell, grain, start, {of}, count(*) AS n FROM dated GROUP BY cell, grain, start, {of})
            GROUP BY cell, grain, start"""

    return f"""
        WITH patient AS (
            SELECT patient_key, row_number() OVER (ORDER BY patient_key) AS patient
            FROM (SELECT DISTINCT patient_key FROM {{consultation}} WHERE patient_key <> '{UNKNOWN}')
        ),
        professional AS (
            SELECT professional_key, professional_version, valid_from, valid_to, speciality_label,
                   dense_rank() OVER (ORDER BY professional_key) AS professional,
                   4 * dense_rank() OVER (ORDER BY speciality_label) + 3 AS cell
            FROM {{professional}}
        ),
        medication AS (
            SELECT medication_key, medication_label, form, 4 * dense_rank() OVER (ORDER BY form) + 1 AS form_cell,
                   4 * dense_rank() OVER (ORDER BY medication_key) + 2 AS cell
            FROM (SELECT medication_key, medication_label, coalesce(form_label, '{UNKNOWN_LABEL}') AS form FROM {{medication}})
        ),
        placed AS (
            SELECT f.date, n.patient, k.professional, stack(4, 0, m.form_cell, m.cell, k.cell) AS (cell)
            FROM {{prescription}} f
            JOIN medication m ON m.medication_key = f.medication_key
            JOIN professional k ON k.professional_key = f.professional_key AND {valid_on("f.date", "k")}
            LEFT JOIN patient n ON n.patient_key = f.patient_key
        ),
        dated AS (
            SELECT * FROM ({periods.expand("placed", "cell, patient, professional")}
            ) WHERE {years}
        ),
        -- The patients who consulted: of the speciality, or all.
        guest AS (
            SELECT c.date, n.patient, stack(2, 0, k.cell) AS (cell)
            FROM {{consultation}} c
            JOIN professional k ON k.professional_version = c.professional_version
            JOIN patient n ON n.patient_key = c.patient_key
        ),
        consulting AS (
            SELECT cell, grain, start, count(*) AS patients
            FROM (
                SELECT DISTINCT cell, grain, start, patient FROM ({periods.expand("guest", "cell, patient")}
                ) WHERE {years}
            ) GROUP BY cell, grain, start
        ),
        name AS (
            SELECT 0 AS cell, 'total' AS level, 'total' AS code, '{WHOLE}' AS label
            UNION ALL SELECT DISTINCT form_cell, 'form', form, form FROM medication
            UNION ALL SELECT cell, 'medication', medication_key, medication_label FROM medication
            UNION ALL SELECT DISTINCT cell, 'speciality', speciality_label, speciality_label FROM professional
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, m.level, m.code, m.label,
               n.n AS prescriptions, n.people AS patients, CAST(n.n AS DOUBLE) / t.n AS share,
               g.patients AS consulting_patients,
               w.people < {FEWEST_CONTRIBUTORS} OR w.most > {LARGEST_SHARE} * w.n
                   OR coalesce(n.most > {LARGEST_SHARE} * n.of_known, true) AS by_few
        FROM ({counted("patient")}
        ) n
        JOIN ({counted("professional")}
        ) w ON w.cell = n.cell AND w.grain = n.grain AND w.start = n.start
        JOIN name m ON m.cell = n.cell
        JOIN (SELECT grain, start, count(*) AS n FROM dated WHERE cell = 0 GROUP BY grain, start) t
             ON t.grain = n.grain AND t.start = n.start
        JOIN consulting g ON g.cell = CASE m.level WHEN 'speciality' THEN n.cell ELSE 0 END AND g.grain = n.grain
             AND g.start = n.start
        JOIN {{period}} p ON p.domain = 'consultation' AND {periods.join("n")}
        """


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="l’ensemble, une forme, un médicament ou une spécialité, dans une année ou l’ensemble, avec des prescriptions",
    label="Prescriptions par forme, médicament et spécialité",
    owner="team:kpis",
    access=EXACT_FIGURES,
    columns=[
        *PERIOD_COLUMNS,
        *LEVEL_COLUMNS,
        Column("prescriptions", LONG, "nombre de lignes de prescription", "Prescriptions", nullable=False),
        Column("patients", LONG, "nombre de patients distincts de ces prescriptions", "Patients", nullable=False),
        Column("share", DOUBLE, "part des prescriptions de la période, de 0 à 1", "Part des prescriptions", nullable=False),
        Column(
            "consulting_patients",
            LONG,
            "nombre de patients distincts qui ont consulté dans la période ; d’une spécialité : chez elle",
            "Patients qui ont consulté",
            nullable=False,
        ),
        Column(
            "by_few",
            BOOLEAN,
            "vrai si les prescriptions sont de moins de trois professionnels, ou pour plus de 85 % d’un seul professionnel ou d’un "
            "seul patient",
            "Peu de contributeurs",
            nullable=False,
        ),
    ],
    reads={
        "prescription": fact_prescription,
        "consultation": fact_consultation,
        "medication": dim_medication,
        "professional": professional_history,
        "period": dim_period,
    },
    rows=Query.over(_counts),
    checks=[
        holds(
            "patients_within_counts",
            "patients <= prescriptions AND patients <= consulting_patients",
            "chaque patient compté a une prescription, et a consulté",
        ),
        none_in(
            "levels_sum_to_all",
            """
            SELECT count(*) FROM (
                SELECT 1 FROM (
                    SELECT period_grain, period_start, level, sum(prescriptions) AS n FROM {this} GROUP BY ALL
                ) GROUP BY period_grain, period_start HAVING count(DISTINCT n) > 1 OR count(*) < 4
            )
            """,
            "les formes, les médicaments et les spécialités se partagent toutes les prescriptions",
        ),
    ],
    layout=Layout(partition_by=["period_grain"], z_order_by=["level", "code"]),
)  # fmt: skip


def _to_release(_periods: Periods) -> str:
    return f"""
        SELECT k.*, {at_least("k.prescriptions")} AS at_least, {at_least("k.patients")} AS patients_at_least,
               {at_least("t.prescriptions")} AS period_at_least,
               100D * {at_least("k.prescriptions")} / nullif({at_least("t.prescriptions")}, 0) AS percent,
               row_number() OVER (
                   PARTITION BY k.period_grain, k.period_start, k.level ORDER BY k.prescriptions DESC, k.code
               ) AS place,
               k.patients < {FEWEST_PERSONS} AS is_small,
               {is_nearly_all("k.patients", "k.consulting_patients")} AS is_nearly_all
        FROM {{exact}} k
        JOIN (SELECT period_grain, period_start, prescriptions FROM {{exact}} WHERE level = 'total') t
             ON t.period_grain = k.period_grain AND t.period_start = k.period_start
        """


ROUNDED: Final = f"arrondi au multiple de {STEP} inférieur"
# What is released instead of the exact counts, and what decides on it.
RELEASED_COLUMNS: Final = (
    Column("at_least", LONG, f"nombre de prescriptions, {ROUNDED}", "Prescriptions, au moins", nullable=False),
    Column("patients_at_least", LONG, f"nombre de patients, {ROUNDED}", "Patients, au moins", nullable=False),
    Column(
        "period_at_least",
        LONG,
        f"nombre de prescriptions de la période, {ROUNDED}",
        "Prescriptions de la période, au moins",
        nullable=False,
    ),
    Column("percent", DOUBLE, "part des prescriptions de la période, en %, des nombres arrondis", "Part (%)"),
    Column("place", LONG, "place parmi celles du niveau, de la plus à la moins prescrite", "Place", nullable=False),
    Column("is_small", BOOLEAN, f"vrai si moins de {FEWEST_PERSONS} patients ont une prescription", "Trop petit", nullable=False),
    Column(
        "is_nearly_all",
        BOOLEAN,
        "vrai si le nombre arrondi dit que dix au plus des patients qui ont consulté n’ont pas de prescription",
        "Presque tous",
        nullable=False,
    ),
)  # fmt: skip
prescription_by_group = Table(
    name="prescription_by_group",
    layer=Layer.CANDIDATES,
    zone=Zone.PSEUDONYMISED,
    grain=EXACT.grain,
    label="Prescriptions par forme, médicament et spécialité, arrondies",
    owner="team:privacy",
    access=BEFORE_RELEASE,
    columns=[
        *EXACT.columns,
        *RELEASED_COLUMNS,
    ],
    reads={"exact": EXACT},
    rows=Query.over(_to_release),
)  # fmt: skip

RULES: Final = PrimaryRules(
    counts=["prescriptions", "patients"],
    flags={Reason.SIZE: "is_small", Reason.CONTRIBUTORS: "by_few", Reason.COMPLEMENT: "is_nearly_all"},
)
KEY: Final = "period_grain, period_start, level, code"
# A visible row would say that the consultations of its period and speciality are of at least so many patients. Each row
# repeats the total of its period.
MASKED_CONSULTATIONS: Final = f"""
        SELECT split_part(cell, '|', 1) AS grain, split_part(cell, '|', 2) AS start, level, split_part(cell, '|', 4) AS code
        FROM {consultation_mask.name} WHERE is_masked
            AND (indicator = 'kpi_consultation_rate_by_establishment' AND level = 'total'
                OR indicator = 'kpi_consultation_rate_by_professional' AND level = 'speciality')
    """
CELLS: Final = f"""
    WITH masked_group AS ({MASKED_CONSULTATIONS}),
    judged AS (
        SELECT *, {RULES.reason} AS reason, EXISTS (
            FROM masked_group g WHERE g.grain = k.period_grain AND g.start = k.period_start::VARCHAR
                AND (g.level = 'total' OR (g.level = k.level AND g.code = k.code))
        ) AS is_behind
        FROM prescriptions k WHERE period_grain IN ('year', 'all')
    ),
    related AS (
        SELECT *, is_behind OR bool_or(level = 'total' AND reason IS NOT NULL) OVER (
            PARTITION BY period_grain, period_start
        ) AS is_related
        FROM judged
    )
    SELECT '{NAME}' AS indicator, concat_ws('|', {KEY}) AS cell, period_grain AS grain, period_start AS start, level,
           concat_ws('|', level, code) AS code,
           coalesce(reason, CASE WHEN is_related THEN '{Reason.SECONDARY}' END) AS unsafe, at_least AS weight, prescriptions
    FROM related
    -- That a medication is prescribed at all is told of the most prescribed ones only.
    WHERE level <> 'medication' OR (place <= {MOST_PRESCRIBED} AND reason IS NULL AND NOT is_related)
    """

kpi_prescription = Indicator(
    exact=EXACT,
    released_form=prescription_by_group,
    fact=fact_prescription,
    # Released: years and `all`, rounded counts and their shares.
    release=Release(
        family=prescription_mask,
        alias="prescriptions",
        cells=CELLS,
        reads_masks=[consultation_mask],
        # The place says whether a medication is listed.
        level_columns=["level", "place"],
        weight="at_least",
        rules=RULES,
        measures=["prescriptions"],
        withheld=[
            *("prescriptions", "patients", "share", "consulting_patients", "by_few", "place"),
            *("is_small", "is_nearly_all"),
        ],
    ),
    question=IndicatorQuestion(
        number=17,
        slug="prescriptions",
        title="Quels médicaments sont prescrits, sous quelle forme, et par quelles spécialités ?",
        short="Prescriptions",
        parameters=(
            Parameter(
                "x",
                "Forme, médicament ou spécialité",
                ("level", "code"),
                "total:total",
                options={
                    "form": "level = 'form' AND code = $value",
                    "medication": "level = 'medication' AND code = $value",
                    "speciality": "level = 'speciality' AND code = $value",
                },
                exclusive=True,
                overview="level IN ('total', 'form')",
            ),
        ),
        measures=(
            Measure(
                "part",
                "Part des prescriptions",
                "%",
                "percent",
                None,
                None,
                "une part de nombres arrondis, qui décrit toutes les prescriptions livrées : elle n’a pas d’intervalle",
                Count("at_least", "prescriptions (au moins)"),
                Count("period_at_least", "prescriptions de la période (au moins)"),
                "{value} des prescriptions sont{where}",
                also=[Count("patients_at_least", "patients (au moins)")],
                # One step of the rounding is more than a percent below.
                whole_below=100 * STEP,
            ),
            Measure(
                "nombre",
                "Nombre de prescriptions",
                "prescriptions",
                "at_least",
                None,
                None,
                f"un nombre compté, {ROUNDED} : il n’a pas d’intervalle",
                Count("patients_at_least", "patients (au moins)"),
                None,
                "on compte au moins {value}{where}",
                0,
            ),
        ),
        definition=(
            "Prescription : une ligne livrée, un médicament d’une consultation. Les doses, les quantités et les boîtes ne sont pas "
            "livrées. L’année est celle de la consultation ; une ligne dont la consultation est inconnue ne compte pas.",
            "Médicament : code CIS et dénomination de la base publique des médicaments ; forme : forme pharmaceutique. La spécialité "
            "est celle que le professionnel avait le jour de la consultation.",
            f"Les nombres de prescriptions et de patients sont arrondis au multiple de {STEP} inférieur, et les parts sont calculées "
            f"de ces nombres : leur somme n’est pas tout à fait 100 %. Une ligne est publiée à partir de {FEWEST_PERSONS} patients et "
            "de trois professionnels, et si les consultations de la période et de la spécialité le sont aussi.",
            f"Par médicament, seuls les {MOST_PRESCRIBED} plus prescrits de la période sont publiés.",
        ),
        caution="Une part dépend de qui consulte et pour quoi : elle ne dit pas si une prescription est justifiée. Les patients sont un "
        "échantillon de ceux du groupe.",
        levels={
            "total": LevelTexts(WHOLE, measures=("nombre",)),
            "form": LevelTexts("Forme pharmaceutique", " sous cette forme", "formes pharmaceutiques"),
            "medication": LevelTexts("Médicament", " de ce médicament", "médicaments"),
            "speciality": LevelTexts("Spécialité", " de cette spécialité", "spécialités"),
        },
        related=("consultations-diagnostic", "consultations-professionnel"),
    ),
    free_range=FreeRange(
        "consultation",
        without=("period_grain", "is_partial", "by_few", *(c.name for c in RELEASED_COLUMNS)),
        order="level DESC, prescriptions DESC, code",
    ),
    summary=Summary(
        where=f"{LATEST_WHOLE_YEAR} AND level = 'form'",
        order="at_least DESC, label",
        rows=3,
        subject="label",
        measure="part",
    ),
    recomputation=Recomputation(
        InputSet.PRESCRIPTIONS,
        rows=ROWS,
        counts=COUNTS,
        sources=SOURCES,
        complete=recomputed_prescriptions,
    ),
)
