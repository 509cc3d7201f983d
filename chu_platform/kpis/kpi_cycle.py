"""Indicator 16: how long the steps of a patient's care take: to a stay, between consultations, the stay itself."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.professional_history import professional_history
from chu_platform.facts.fact_cycle import BETWEEN, LENGTH, LONGEST, TO_STAY, fact_cycle
from chu_platform.indicators.event_lists import Numbers, lists_of, with_figures
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.rates import LEVEL_COLUMNS, PERIOD_COLUMNS
from chu_platform.indicators.rounded_counts import STEP, are_few, at_least, is_nearly_all
from chu_platform.indicators.use_of_care import LATEST_WHOLE_YEAR
from chu_platform.masks.consultation_mask import consultation_mask
from chu_platform.masks.cycle_mask import cycle_mask
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.periods.closed_years import CLOSED_PERIODS
from chu_platform.periods.dim_period import dim_period
from chu_platform.recomputation.cycle_figures import COUNTS, ROWS, SOURCES
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.sdc.primary_rules import FEWEST_CONTRIBUTORS, PrimaryRules, Quantiles, Reason
from chu_platform.tables.checks import holds, none_in
from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, LevelTexts, Measure, Parameter
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import BEFORE_RELEASE, EXACT_FIGURES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN
from chu_platform.tables.table import Layer, Table, Zone

NAME: Final = "kpi_cycle"
CYCLES: Final = {
    TO_STAY: "De la consultation au séjour",
    BETWEEN: "Entre deux consultations",
    LENGTH: "Durée du séjour",
}
GROUPS: Final[Mapping[str, LevelTexts]] = {
    "total": LevelTexts("Ensemble"),
    "chapter": LevelTexts("Chapitre", " pour un diagnostic de ce chapitre", "chapitres"),
    "speciality": LevelTexts("Spécialité", " pour cette spécialité", "spécialités"),
}
# A 90th percentile with fewer patients has fewer than three of them beyond it.
FEWEST_PATIENTS: Final = 10 * FEWEST_CONTRIBUTORS
# Consultations and stays are delivered until different days.
DOMAIN: Final = f"CASE WHEN cycle = '{BETWEEN}' THEN 'consultation' ELSE 'hospitalisation' END"
# The columns of the query that hold the steps of a group: of each its days (-1: more than a year), its patient and its
# professional as numbers (0: none), and whether it repeats a stay, which counts once.
LISTS: Final = ("steps", "who", "by_whom", "repeated")


def _steps(periods: Periods) -> str:
    """SQL of the steps of each group in each period, as lists of equal length, in the same order."""
    return f"""
        WITH patient AS (
            SELECT patient_key, row_number() OVER (ORDER BY patient_key) AS patient
            FROM (SELECT DISTINCT patient_key FROM {{cycle}} WHERE patient_key <> '{UNKNOWN}')
        ),
        professional AS (
            SELECT professional_version, dense_rank() OVER (ORDER BY professional_key) AS professional, speciality_label
            FROM {{professional}}
        ),
        placed AS (
            SELECT f.cycle, f.event_key, f.date, coalesce(f.days, -1) AS days, coalesce(n.patient, 0) AS patient,
                   coalesce(k.professional, 0) AS professional,
                   stack(3, 'total', 'total', 'chapter', d.chapter_code, 'speciality',
                         CASE WHEN f.days IS NOT NULL OR f.cycle = '{BETWEEN}' THEN k.speciality_label END) AS (level, code)
            FROM {{cycle}} f
            JOIN {{diagnosis}} d ON d.diagnosis_key = f.diagnosis_key
            LEFT JOIN patient n ON n.patient_key = f.patient_key
            LEFT JOIN professional k ON k.professional_version = f.professional_version
        ),
        -- A stay after consultations with several professionals on one day counts once.
        step AS (
            SELECT date, cycle, level, code, days, patient, professional, 0 AS is_repeated FROM placed
            WHERE cycle <> '{TO_STAY}' AND code IS NOT NULL
            UNION ALL
            SELECT date, cycle, level, code, days, patient, professional,
                   CASE row_number() OVER (PARTITION BY event_key, level, code ORDER BY professional) WHEN 1 THEN 0 ELSE 1 END
            FROM placed WHERE cycle = '{TO_STAY}' AND code IS NOT NULL
        ),
        dated AS (
            {periods.expand("step", "date, cycle, level, code, days, patient, professional, is_repeated")}
        ),
        grouped AS (
            SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, n.cycle, n.level, n.code,
                   array_agg(n.days) AS steps, array_agg(n.patient) AS who, array_agg(n.professional) AS by_whom,
                   array_agg(n.is_repeated) AS repeated
            FROM dated n
            JOIN {{period}} p ON p.domain = {DOMAIN} AND {periods.join("n")}
                 -- Closed years are others for stays than for consultations.
                 AND n.date >= p.period_start AND n.date < p.period_end
            WHERE {periods.only("n.grain", ("year", "all"))}
            GROUP BY p.period_grain, p.period_start, p.period_end, p.is_partial, n.cycle, n.level, n.code
            HAVING max(n.days) >= 0
        ),
        name AS (
            SELECT 'total' AS level, 'total' AS code, '{GROUPS["total"].label}' AS label
            UNION ALL SELECT 'chapter', concat(chapter_code, ''), min(chapter_label) FROM {{diagnosis}} GROUP BY chapter_code
            UNION ALL SELECT DISTINCT 'speciality', concat(speciality_label, ''), concat(speciality_label, '')
            FROM {{professional}}
        )
        SELECT g.period_grain, g.period_start, g.period_end, g.is_partial, g.cycle, g.level, g.code, m.label,
               {", ".join(f"g.{name}" for name in LISTS)}
        FROM grouped g JOIN name m ON m.level = g.level AND m.code = g.code
        """


def _with_figures(grouped: pa.Table) -> pa.Table:
    """Replace the steps of each group by their figures."""
    kinds = (grouped["cycle"].to_pylist(), grouped["level"].to_pylist())
    found = [
        _figures(cycle, level, *steps) for cycle, level, *steps in zip(*kinds, *lists_of(grouped, LISTS), strict=True)
    ]
    return with_figures(grouped, LISTS, FIGURES, found)


def _figures(
    cycle: str, level: str, steps: Numbers, who: Numbers, by_whom: Numbers, repeated: Numbers
) -> dict[str, Any]:
    """The figures of the steps of a group: of each its days, its patient, its professional, and whether it is a repetition."""
    within = steps >= 0
    days = steps[within & (repeated == 0)]
    median, p90 = np.quantile(days, [0.5, 0.9]) if len(days) else (np.nan, np.nan)
    known = within & (who > 0)
    contributors = [who[known], *([by_whom[within]] if by_whom.any() else [])]
    beyond = len(np.unique(who[known & (steps >= p90)]))
    return {
        # Of a stay without a consultation before, no speciality is known.
        "events": None if (cycle, level) == (TO_STAY, "speciality") else int(np.count_nonzero(repeated == 0)),
        "n": len(days),
        "patients": len(np.unique(who[known])),
        "median": round(float(median), 6),
        "p90": round(float(p90), 6),
        "by_few": beyond < FEWEST_CONTRIBUTORS or are_few(contributors),
    }


CYCLE: Final = Column(
    "cycle",
    STRING,
    f"{TO_STAY} (de la dernière consultation à l’entrée), {BETWEEN} (d’une consultation à la suivante) ou {LENGTH} (durée du "
    "séjour)",
    "Étape",
    key=True,
)
FIGURES: Final = (
    Column(
        "events",
        LONG,
        "nombre de séjours ou de consultations, suivis ou non d’un délai d’un an au plus ; vide pour les séjours par spécialité",
        "Événements",
    ),
    Column("n", LONG, f"nombre de délais d’au plus {LONGEST} jours, ou de séjours", "Délais", nullable=False),
    Column("patients", LONG, "nombre de patients distincts de ces délais", "Patients", nullable=False),
    Column("median", DOUBLE, "médiane, en jours", "Médiane (jours)", nullable=False),
    Column("p90", DOUBLE, "90e centile, en jours : neuf délais sur dix sont plus courts", "P90 (jours)", nullable=False),
    Column(
        "by_few",
        BOOLEAN,
        "vrai si les délais sont de moins de trois professionnels, ou pour plus de 85 % d’un seul professionnel ou d’un seul "
        "patient, ou si moins de trois patients sont au-delà du 90e centile",
        "Peu de contributeurs",
        nullable=False,
    ),
)  # fmt: skip
KEY: Final = "period_grain, period_start, cycle, level, code"
# From which columns of the query each figure is made.
MADE_FROM: Final = {
    "events": ["cycle", "level", "repeated"],
    **dict.fromkeys(("n", "median", "p90"), ("steps", "repeated")),
    "patients": ["steps", "who"],
    "by_few": ["steps", "who", "by_whom", "repeated"],
}

EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une étape, l’ensemble, un chapitre ou une spécialité, dans une année ou l’ensemble, avec des délais",
    label="Durée des étapes des cycles de soins",
    owner="team:kpis",
    access=EXACT_FIGURES,
    columns=[*PERIOD_COLUMNS, CYCLE, *LEVEL_COLUMNS, *FIGURES],
    reads={
        "cycle": fact_cycle,
        "diagnosis": dim_diagnosis,
        "professional": professional_history,
        "period": dim_period,
    },
    rows=Query.over(_steps, finish=_with_figures, from_columns=MADE_FROM),
    checks=[
        holds(
            "counts_within_counts",
            "patients <= n AND (events IS NULL OR n <= events)",
            "chaque patient a un délai, et chaque délai est d’un séjour ou d’une consultation",
        ),
        holds(
            "quantiles_in_order",
            f"median <= p90 AND (cycle = '{LENGTH}' OR p90 <= {LONGEST})",
            f"la médiane est au plus le 90e centile, et un délai est d’au plus {LONGEST} jours",
        ),
        none_in(
            "chapters_sum_to_all",
            """
            SELECT count(*) FROM (
                SELECT 1 FROM (
                    SELECT period_grain, period_start, cycle, level, sum(n) AS n
                    FROM {this} WHERE level IN ('total', 'chapter') GROUP BY ALL
                ) GROUP BY period_grain, period_start, cycle HAVING count(DISTINCT n) > 1
            )
            """,
            "les chapitres se partagent tous les délais",
        ),
    ],
)  # fmt: skip


def _to_release(_periods: Periods) -> str:
    return f"""
        SELECT k.*, {at_least("k.n")} AS at_least, k.patients < {FEWEST_PATIENTS} AS is_small,
               k.cycle <> '{LENGTH}' AND {is_nearly_all("k.n", "k.events")} AS is_nearly_all
        FROM {{exact}} k
        LEFT JOIN ({CLOSED_PERIODS}
        ) c ON c.domain = {DOMAIN} AND c.period_grain = k.period_grain AND c.period_start = k.period_start
        WHERE k.period_grain <> 'year' OR c.period_start IS NOT NULL
        """


AT_LEAST: Final = Column(
    "at_least",
    LONG,
    f"nombre de délais ou de séjours, arrondi au multiple de {STEP} inférieur",
    "Délais, au moins",
    nullable=False,
)
cycle_by_step = Table(
    name="cycle_by_step",
    layer=Layer.CANDIDATES,
    zone=Zone.PSEUDONYMISED,
    grain=f"{EXACT.grain} ; sans les années que les données ne dépassent pas",
    label="Durée des étapes des cycles de soins, arrondie",
    owner="team:privacy",
    access=BEFORE_RELEASE,
    columns=[
        *EXACT.columns,
        AT_LEAST,
        Column("is_small", BOOLEAN, f"vrai si moins de {FEWEST_PATIENTS} patients ont un délai", "Trop petit", nullable=False),
        Column(
            "is_nearly_all",
            BOOLEAN,
            "vrai si le nombre arrondi dit que dix événements au plus n’ont pas de délai",
            "Presque tous",
            nullable=False,
        ),
    ],
    reads={"exact": EXACT, "period": dim_period},
    rows=Query.over(_to_release),
)  # fmt: skip

RULES: Final = PrimaryRules(
    counts=["n", "patients"],
    flags={Reason.SIZE: "is_small", Reason.CONTRIBUTORS: "by_few", Reason.COMPLEMENT: "is_nearly_all"},
    quantiles=Quantiles("at_least", {"median": 0.5, "p90": 0.9}),
)
LEVEL: Final = "concat(cycle, '/', level)"


def _part(number: int) -> str:
    """SQL: a part of the key of a cell of a mask."""
    return f"split_part(cell, '|', {number})"


# The groups whose stays or consultations are masked. A visible row would say that they are at least so many.
MASKED_GROUPS: Final = f"""
        SELECT 'hospitalisation' AS domain, {_part(1)} AS grain, {_part(2)} AS start,
               if({_part(3)} = '', 'total', {_part(3)}) AS level, if({_part(4)} = '', 'total', {_part(4)}) AS code
        FROM {stay_mask.name} WHERE is_masked
            AND indicator IN ('kpi_hospitalisation_rate', 'kpi_hospitalisation_rate_by_diagnosis')
        UNION ALL
        SELECT 'consultation', {_part(1)}, {_part(2)}, level, {_part(4)} FROM {consultation_mask.name}
        WHERE is_masked AND ((indicator = 'kpi_consultation_rate_by_establishment' AND level = 'total')
            OR (indicator = 'kpi_consultation_rate_by_diagnosis' AND level = 'chapter')
            OR (indicator = 'kpi_consultation_rate_by_professional' AND level = 'speciality'))
    """
# Before a stay, the consultation may be of the year before: the speciality must be visible over all years.
CELLS: Final = f"""
    WITH masked_group AS ({MASKED_GROUPS})
    SELECT '{NAME}' AS indicator, concat_ws('|', {KEY}) AS cell, period_grain AS grain, period_start AS start,
           {LEVEL} AS level, concat_ws('|', cycle, level, code) AS code,
           coalesce({RULES.reason}, CASE WHEN EXISTS (
               FROM masked_group g WHERE g.level = k.level AND g.code = k.code
                   AND CASE WHEN k.cycle = '{TO_STAY}' AND k.level = 'speciality'
                            THEN g.domain = 'consultation' AND g.grain = 'all'
                            ELSE g.domain = {DOMAIN} AND g.grain = k.period_grain AND g.start = k.period_start::VARCHAR END
           ) THEN '{Reason.SECONDARY}' END) AS unsafe,
           at_least AS weight, n
    FROM cycles k WHERE period_grain IN ('year', 'all')
    """

QUANTILES: Final = "un quantile décrit tous les délais de la période : il n’a pas d’intervalle"
RECOMPUTATION: Final = Recomputation(InputSet.CYCLES, rows=ROWS, counts=COUNTS, sources=SOURCES)

kpi_cycle = Indicator(
    exact=EXACT,
    released_form=cycle_by_step,
    fact=fact_cycle,
    # Released: years and `all`, the quantiles and a rounded count.
    release=Release(
        family=cycle_mask,
        alias="cycles",
        cells=CELLS,
        reads_masks=[stay_mask, consultation_mask],
        level=LEVEL,
        level_columns=["cycle", "level"],
        weight="at_least",
        rules=RULES,
        measures=["n"],
        withheld=["events", "n", "patients", "by_few", "is_small", "is_nearly_all"],
    ),
    question=IndicatorQuestion(
        number=16,
        slug="cycles",
        title="Combien de temps passe-t-il d’une consultation à un séjour, d’une consultation à la suivante, et pendant un séjour ?",
        short="Cycles de soins",
        parameters=(
            Parameter("etape", "Étape", ("cycle",), TO_STAY, CYCLES, options={"cycle": "cycle = $value"}),
            Parameter(
                "x",
                "Séjours ou consultations",
                ("level", "code"),
                "total:total",
                options={
                    "diagnosis": "level = 'chapter' AND code = $value",
                    "speciality": "level = 'speciality' AND code = $value",
                },
                exclusive=True,
                overview="level = 'total'",
            ),
        ),
        measures=(
            Measure(
                "mediane",
                "Médiane",
                "jours",
                "median",
                None,
                None,
                QUANTILES,
                None,
                Count("at_least", "délais (au moins)"),
                "la moitié des durées sont d’au plus {value}{where}",
            ),
            Measure(
                "p90",
                "90e centile",
                "jours",
                "p90",
                None,
                None,
                QUANTILES,
                None,
                Count("at_least", "délais (au moins)"),
                "neuf durées sur dix sont d’au plus {value}{where}",
            ),
        ),
        definition=(
            "De la consultation au séjour : jours du dernier jour de consultation du patient jusqu’à l’entrée ; 0 si c’est le même "
            "jour. Entre deux consultations : jours depuis le jour de consultation précédent du même patient ; les consultations "
            "d’un même jour ont le même délai. Durée du séjour : celle qui est livrée.",
            f"Un délai de plus d’un an ({LONGEST} jours) commence un nouveau cycle, et ne compte pas : la médiane est celle des "
            "délais d’un an au plus. Pour que l’année précédente soit connue, les événements de la première année des "
            "consultations livrées sont laissés de côté.",
            "L’année est celle de la consultation ou de l’entrée. Le chapitre est celui du diagnostic de la consultation ou du "
            "séjour. La spécialité est celle que le professionnel avait le jour de la consultation ; un séjour compte dans chaque "
            "spécialité consultée le dernier jour. La durée du séjour n’a pas de spécialité : les séjours livrés ne nomment aucun "
            "professionnel.",
            f"Le nombre de délais est arrondi au multiple de {STEP} inférieur. Une ligne est publiée à partir de {FEWEST_PATIENTS} "
            "patients et de trois professionnels, et si le nombre de séjours ou de consultations de son groupe l’est aussi ; le 90e "
            f"centile, à partir de {2 * STEP} délais.",
        ),
        caution="Les patients sont un échantillon de ceux du groupe, et leurs consultations ailleurs ne sont pas connues : les "
        "délais réels d’une consultation à la suivante, ou au séjour, sont plus courts. Un délai n’est pas une attente : on ne sait pas quand un rendez-vous a été demandé.",
        levels={
            **GROUPS,
            **{
                f"{cycle}/{level}": LevelTexts(f"{texts.label}, {label[0].lower()}{label[1:]}")
                for cycle, label in CYCLES.items()
                for level, texts in GROUPS.items()
            },
        },
        related=("suites-sejour", "hospitalisations"),
    ),
    free_range=FreeRange(
        "consultation",
        without=("period_grain", "is_partial", "by_few", "at_least", "is_small", "is_nearly_all"),
        order="cycle, level DESC, code",
    ),
    summary=Summary(
        where=f"{LATEST_WHOLE_YEAR} AND level = 'total'",
        order="cycle",
        rows=3,
        subject=f"CASE cycle {' '.join(f'''WHEN '{c}' THEN '{label}' ''' for c, label in CYCLES.items())} END",
        measure="mediane",
    ),
    recomputation=RECOMPUTATION,
)
