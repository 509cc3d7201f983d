"""Indicator 11: what follows a stay: a consultation within 7, 30 and 90 days, another stay within 30 days."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from chu_platform import french
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.facts.fact_follow_up import fact_follow_up
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.intervals import share_followed
from chu_platform.indicators.rates import LEVEL_COLUMNS, PERIOD_COLUMNS, finite
from chu_platform.indicators.use_of_care import AGES, LATEST_WHOLE_YEAR, SEXES
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.periods.dim_period import dim_period
from chu_platform.recomputation.follow_up_figures import COUNTS, ROWS, recomputed_follow_up
from chu_platform.recomputation.recomputation import InputSet, Recomputation, SourceRows
from chu_platform.sdc.cell_masks import same_period
from chu_platform.sdc.primary_rules import HIDDEN, PrimaryRules
from chu_platform.sources.consultation import consultation
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.checks import holds, none_in
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, Course, IndicatorQuestion, LevelTexts, Measure, Parameter
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import BEFORE_RELEASE, EXACT_FIGURES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import AGE_BANDS, UNKNOWN_BAND, spark_text
from chu_platform.tables.table import Layer, Table, Zone

NAME: Final = "kpi_follow_up"
CONSULTED: Final = {"followed_7": 7, "followed_30": 30, "followed_90": 90}
READMITTED: Final = "readmitted_30"
# Outcomes, with the last day after the discharge that counts.
HORIZONS: Final[Mapping[str, int]] = {**CONSULTED, READMITTED: 30}
OUTCOMES: Final = {
    **{name: f"Consultation dans les {days} jours" for name, days in CONSULTED.items()},
    READMITTED: "Nouveau séjour dans les 30 jours",
}
GROUPS: Final[Mapping[str, LevelTexts]] = {
    "total": LevelTexts("Ensemble des séjours"),
    "sex": LevelTexts("Sexe", plural="sexes"),
    "age_band": LevelTexts("Tranche d’âge", plural="tranches d’âge", ordered=True),
    "chapter": LevelTexts("Chapitre", plural="chapitres"),
}
GROUP_KEY: Final = "period_grain, period_start, level, code"
# Labels of the groups that are not of a dimension.
LABELS: Final = {
    ("total", "total"): GROUPS["total"].label,
    **{("sex", code): SEXES[code] for code in ("F", "M")},
    **{("age_band", band): AGES[band] for band in (*AGE_BANDS, UNKNOWN_BAND)},
}


def _found(outcome: str) -> str:
    return "days_to_stay" if outcome == READMITTED else "days_to_consultation"


def _seen(outcome: str) -> str:
    return "stays_seen" if outcome == READMITTED else "consultations_seen"


def _counted(outcome: str) -> str:
    """SQL: the figures of an outcome over the stays of a group."""
    days, found = HORIZONS[outcome], _found(outcome)
    happened = f"{found} <= {days}"
    return f"""
                   CAST(sum(CASE WHEN {happened} THEN 1 ELSE 0 END) AS DOUBLE) AS {outcome}_stays,
                   count(DISTINCT CASE WHEN {happened} THEN patient_key END) AS {outcome}_patients,
                   collect_list(named_struct('day', CASE WHEN {happened} THEN {found} ELSE least({_seen(outcome)}, {days}) END,
                                             'happened', coalesce({happened}, false))) AS {outcome}_course"""


def _counts(periods: Periods) -> str:
    known = ("patient_key", "days_to_consultation", "consultations_seen", "days_to_stay", "stays_seen")
    labels = " UNION ALL ".join(
        f"SELECT '{level}' AS level, '{code}' AS code, {spark_text(label)} AS label"
        for (level, code), label in LABELS.items()
    )
    return f"""
        WITH placed AS (
            SELECT f.date, s.patient_key, f.days_to_consultation, f.consultations_seen, f.days_to_stay, f.stays_seen,
                   stack(4, 'total', 'total', 'sex', s.sex, 'age_band', s.age_band, 'chapter', d.chapter_code) AS (level, code)
            FROM {{follow_up}} f JOIN {{stay}} s ON s.stay_key = f.stay_key
            JOIN {{diagnosis}} d ON d.diagnosis_key = s.diagnosis_key
        ),
        counted AS (
            SELECT level, code, grain, start, CAST(count(*) AS DOUBLE) AS stays,{",".join(map(_counted, HORIZONS))}
            FROM ({periods.expand("placed", ", ".join(["level", "code", *known]))}
            ) WHERE {periods.only("grain", ("year", "all"))} AND NOT (level = 'sex' AND code = 'unknown')
            GROUP BY level, code, grain, start
        ),
        name AS (
            {labels}
            UNION ALL SELECT 'chapter', concat(chapter_code, ''), min(chapter_label) FROM {{diagnosis}} GROUP BY chapter_code
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, n.level, n.code, m.label, n.stays,
               {", ".join(f"n.{o}_stays, n.{o}_patients, n.{o}_course" for o in HORIZONS)}
        FROM counted n
        JOIN name m ON m.level = n.level AND m.code = n.code
        JOIN {{period}} p ON p.domain = 'hospitalisation' AND {periods.join("n")}
        """


def _with_shares(counted: pa.Table) -> pa.Table:
    """Replace what is known of each stay (`..._course`) by the share of stays with the outcome, and its limits."""
    for outcome in HORIZONS:
        courses = counted[f"{outcome}_course"].to_pylist()
        shares = [share_followed([c["day"] for c in course], [c["happened"] for c in course]) for course in courses]
        columns = np.array(shares, dtype=np.float64).reshape(-1, 3).T
        counted = counted.drop_columns([f"{outcome}_course"])
        for name, values in zip(_share_names(outcome), columns, strict=True):
            counted = counted.append_column(name, finite(values))
    return counted


def _share_names(outcome: str) -> Sequence[str]:
    return outcome, f"{outcome}_low", f"{outcome}_high"


def _outcome_columns(outcome: str) -> Sequence[Column]:
    label = OUTCOMES[outcome]
    happened = "suivis d’un nouveau séjour" if outcome == READMITTED else "suivis d’une consultation"
    within = f"dans les {HORIZONS[outcome]} jours qui suivent la sortie"
    return (
        Column(f"{outcome}_stays", DOUBLE, f"nombre de séjours {happened} {within}", f"{label} : séjours", nullable=False),
        Column(
            f"{outcome}_patients", LONG, f"nombre de patients de ces séjours ({within})", f"{label} : patients", nullable=False
        ),
        Column(outcome, DOUBLE, f"part des séjours {happened} {within}, de 0 à 1 (Kaplan-Meier)", f"{label} : part", nullable=False),
        Column(f"{outcome}_low", DOUBLE, "borne basse à 95 % (Greenwood, échelle log-log) ; vide pour 0 et 1", f"{label} : borne basse"),
        Column(f"{outcome}_high", DOUBLE, "borne haute à 95 % (Greenwood, échelle log-log) ; vide pour 0 et 1", f"{label} : borne haute"),
    )  # fmt: skip


STAYS: Final = Column("stays", DOUBLE, "nombre de séjours dont l’entrée est dans la période", "Séjours", nullable=False)

EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="l’ensemble, un sexe, une tranche d’âge ou un chapitre, dans une année ou l’ensemble, avec des séjours",
    label="Suites des séjours hospitaliers",
    owner="team:kpis",
    access=EXACT_FIGURES,
    columns=[
        *PERIOD_COLUMNS,
        *LEVEL_COLUMNS,
        STAYS,
        *(column for outcome in HORIZONS for column in _outcome_columns(outcome)),
    ],
    reads={
        "follow_up": fact_follow_up,
        "stay": fact_hospitalisation,
        "diagnosis": dim_diagnosis,
        "period": dim_period,
    },
    rows=Query.over(
        _counts,
        finish=_with_shares,
        from_columns={name: [f"{outcome}_course"] for outcome in HORIZONS for name in _share_names(outcome)},
    ),
    checks=[
        holds(
            "horizons_grow",
            "followed_7_stays <= followed_30_stays AND followed_30_stays <= followed_90_stays AND followed_90_stays <= stays",
            "un séjour suivi dans les 7 jours l’est dans les 30 et dans les 90 jours",
        ),
        none_in(
            "groups_sum_to_all",
            """
            SELECT count(*) FROM (
                SELECT 1 FROM (
                    SELECT period_grain, period_start, level, sum(stays) AS stays FROM {this} GROUP BY ALL
                ) WHERE level <> 'sex' GROUP BY period_grain, period_start HAVING count(DISTINCT stays) > 1
            )
            """,
            "les chapitres, comme les tranches d’âge, se partagent tous les séjours",
        ),
    ],
)  # fmt: skip


def _of_outcomes(_periods: Periods) -> str:
    listed = ", ".join(f"'{o}', {o}_stays, {o}_patients, 100D * {o}, 100D * {o}_low, 100D * {o}_high" for o in HORIZONS)
    return f"""
        SELECT period_grain, period_start, period_end, is_partial,
               stack({len(HORIZONS)}, {listed}) AS (outcome, events, patients, percent, percent_low, percent_high),
               level, code, label, stays
        FROM {{exact}}
        """


follow_up_by_outcome = Table(
    name="follow_up_by_outcome",
    layer=Layer.CANDIDATES,
    zone=Zone.PSEUDONYMISED,
    grain="une suite (consultation ou nouveau séjour, avec son délai) d’un groupe de séjours dans une période",
    label="Suites des séjours hospitaliers, par suite",
    owner="team:privacy",
    access=BEFORE_RELEASE,
    columns=[
        *PERIOD_COLUMNS,
        Column(
            "outcome",
            STRING,
            "followed_7, followed_30, followed_90 (consultation dans les 7, 30, 90 jours) ou readmitted_30 (nouveau séjour "
            "dans les 30 jours)",
            "Suite",
            key=True,
        ),
        *LEVEL_COLUMNS,
        STAYS,
        Column("events", DOUBLE, "nombre de séjours qui ont cette suite", "Séjours suivis", nullable=False),
        Column("patients", LONG, "nombre de patients distincts de ces séjours suivis", "Patients suivis", nullable=False),
        Column("percent", DOUBLE, "part des séjours qui ont cette suite, en % (Kaplan-Meier)", "Part des séjours (%)", nullable=False),
        Column("percent_low", DOUBLE, "borne basse à 95 %, en % (Greenwood, échelle log-log)", "Part : borne basse"),
        Column("percent_high", DOUBLE, "borne haute à 95 %, en % (Greenwood, échelle log-log)", "Part : borne haute"),
    ],
    reads={"exact": EXACT},
    rows=Query.over(_of_outcomes),
)  # fmt: skip

RULES: Final = PrimaryRules(counts=["stays", "events", "patients"], parts=[("events", "stays")])
OURS: Final = f"indicator IN ('{NAME}', 'hidden follow-up')"


def _part(cell: str, number: int) -> str:
    """SQL: the outcome (1), level (2) or code (3) of a cell of this indicator."""
    return f"split_part({cell}.code, '|', {number})"


SAME_GROUP: Final = f"{_part('p', 2)} = {_part('c', 2)} AND {_part('p', 3)} = {_part('c', 3)}"
# The cell `p` of another indicator has the stays of the group of the cell `c`.
SAME_STAYS: Final = f"""
    CASE {_part("c", 2)}
        WHEN 'total' THEN p.indicator = 'kpi_hospitalisation_rate'
        WHEN 'chapter' THEN p.indicator = 'kpi_hospitalisation_rate_by_diagnosis' AND p.level = 'chapter'
            AND p.code = {_part("c", 3)}
        WHEN 'sex' THEN p.indicator = 'kpi_hospitalisation_rate_by_sex_and_age' AND p.code = concat({_part("c", 3)}, '|all')
        ELSE p.indicator = 'kpi_hospitalisation_rate_by_sex_and_age' AND p.code = concat('all|', {_part("c", 3)})
    END"""
# Readers can compute how many stays are followed after one horizon and within the next, or not followed.
DIFFERENCES: Final = {
    "after_7": ("followed_30", "followed_7"),
    "after_30": ("followed_90", "followed_30"),
    "not_followed": (None, "followed_90"),
    "not_readmitted": (None, READMITTED),
}


def _difference(name: str) -> str:
    more, less = DIFFERENCES[name]
    whole = f"max(events) FILTER (outcome = '{more}')" if more else "any_value(stays)"
    return f"""
            SELECT period_grain, period_start, '{name}' AS outcome, level, code,
                   {whole} - max(events) FILTER (outcome = '{less}') AS events
            FROM released GROUP BY ALL"""


def _sum(parent: str, parts: str, where: str) -> str:
    """SQL of the relations: of each group, the outcome `parent` is the sum of the outcomes or differences `parts`."""
    return same_period(
        f"p.{OURS} AND {_part('p', 1)} = '{parent}'", f"c.{OURS} AND {_part('c', 1)} IN ({parts})", where
    )


def _shared(level: str) -> str:
    """SQL of the relations: the groups of a level share the stays of the whole that have an outcome."""
    return same_period(
        f"p.indicator = '{NAME}' AND {_part('p', 2)} = 'total'",
        f"c.{OURS} AND {_part('c', 2)} = '{level}'",
        f"{_part('p', 1)} = {_part('c', 1)}",
    )


LEVEL: Final = "concat(outcome, '/', level)"
# Rare outcomes are released for all stays only: their groups would be small, and masks of these would hide the whole.
RELEASED: Final = """
    level = 'total'
    OR (outcome IN ('followed_30', 'followed_90') AND (level = 'sex' OR period_grain = 'all'))"""
CELLS: Final = f"""
    WITH released AS (FROM follow_ups WHERE {RELEASED}),
    unreleased AS ({" UNION ALL ".join(map(_difference, DIFFERENCES))}
            UNION ALL
            SELECT period_grain, period_start, outcome, 'sex', 'unknown',
                   sum(CASE level WHEN 'total' THEN events ELSE -events END)
            FROM released WHERE level IN ('total', 'sex') GROUP BY period_grain, period_start, outcome
            HAVING count(*) FILTER (level = 'sex') > 0
    )
    SELECT '{NAME}' AS indicator, concat_ws('|', {GROUP_KEY.replace("level", "outcome, level")}) AS cell,
           period_grain AS grain, period_start AS start, {LEVEL} AS level, concat_ws('|', outcome, level, code) AS code,
           {RULES.reason} AS unsafe, stays AS weight, events, 0 AS days, 0 AS patients, 0 AS base_patients
    FROM released
    UNION ALL
    SELECT 'hidden follow-up', concat_ws('|', {GROUP_KEY.replace("level", "outcome, level")}), period_grain, period_start,
           '{HIDDEN}', concat_ws('|', outcome, level, code), {PrimaryRules(["events"]).reason}, events, events, 0, 0, 0
    FROM unreleased WHERE events > 0
    """

RECOMPUTATION: Final = Recomputation(
    InputSet.CARE,
    rows=ROWS,
    counts=COUNTS,
    sources=[
        SourceRows(
            hospitalisations,
            "numerator",
            '"Num_Hospitalisation"::VARCHAR',
            "SELECT row::VARCHAR FROM numerator UNION SELECT found::VARCHAR FROM numerator "
            f"WHERE outcome = '{READMITTED}' AND found IS NOT NULL",
        ),
        SourceRows(
            consultation,
            "numerator",
            '"Num_consultation"::VARCHAR',
            f"SELECT DISTINCT found::VARCHAR FROM numerator WHERE outcome <> '{READMITTED}' AND found IS NOT NULL",
        ),
    ],
    complete=recomputed_follow_up,
)

kpi_follow_up = Indicator(
    exact=EXACT,
    released_form=follow_up_by_outcome,
    fact=fact_hospitalisation,
    # Released: all stays for years and `all`; consultations within 30 and 90 days also of both sexes (years and `all`),
    # age bands and chapters (`all`).
    release=Release(
        family=stay_mask,
        alias="follow_ups",
        cells=CELLS,
        relations={
            ("events",): [
                same_period("true", f"c.{OURS} AND {_part('c', 1)} IN ('followed_90', 'not_followed')", SAME_STAYS),
                same_period("true", f"c.{OURS} AND {_part('c', 1)} IN ('{READMITTED}', 'not_readmitted')", SAME_STAYS),
                _sum("followed_90", "'followed_30', 'after_30'", SAME_GROUP),
                _sum("followed_30", "'followed_7', 'after_7'", SAME_GROUP),
                *map(_shared, ("sex", "age_band", "chapter")),
            ]
        },
        repeats=f"""
            SELECT c.id, p.id FROM cell c JOIN cell p ON p.grain = c.grain AND p.start = c.start AND ({SAME_STAYS})
            WHERE c.indicator = '{NAME}'
            """,
        level=LEVEL,
        level_columns=["outcome", "level"],
        weight="stays",
        rules=RULES,
        measures=["events"],
        # Of the stays that are followed, readers see the number only.
        withheld=["patients"],
    ),
    question=IndicatorQuestion(
        number=11,
        slug="suites-sejour",
        title="Que deviennent les patients après leur sortie ?",
        short="Suites des séjours",
        parameters=(
            Parameter("suite", "Suite", ("outcome",), "followed_90", OUTCOMES, options={"outcome": "outcome = $value"}),
            Parameter(
                "x",
                "Séjours",
                ("level", "code"),
                "total:total",
                options={
                    "sex": "level = 'sex' AND code = $value",
                    "age-band": "level = 'age_band' AND code = $value",
                    "diagnosis": "level = 'chapter' AND code = $value",
                },
                exclusive=True,
                overview="level = 'total'",
            ),
        ),
        measures=(
            Measure(
                "part",
                "Part des séjours",
                "%",
                "percent",
                "percent_low",
                "percent_high",
                "intervalle de confiance à 95 % (Greenwood, échelle log-log)",
                Count("events", "séjours suivis"),
                Count("stays", "séjours"),
                "{value} des séjours ont cette suite{where}",
                reason_without_limits="une part de 0 % ou de 100 % n’a pas d’intervalle par cette méthode",
            ),
        ),
        definition=(
            "Sortie : jour d’entrée et durée du séjour. On compte à partir du lendemain : une consultation le jour de la "
            "sortie fait partie du séjour, un séjour qui commence ce jour-là est un transfert. Une consultation de quelque "
            "nature que ce soit compte, chez quelque professionnel que ce soit ; seule la première compte.",
            "Part : méthode de Kaplan-Meier, par séjour. Un séjour dont les données ne couvrent pas tout le délai compte tant "
            "qu’on l’observe : jusqu’au dernier jour de consultation des données ou, pour un nouveau séjour, jusqu’au dernier "
            "jour d’entrée. Intervalle à 95 % : variance de Greenwood, échelle log-log.",
            "Année et âge sont ceux de l’entrée. Un séjour dont le patient n’est pas dans la base n’a aucune suite connue.",
        ),
        caution="Les patients sont un échantillon de ceux du groupe, et leurs consultations ailleurs ne sont pas connues : ces "
        "parts sont des minimums, et ne se comparent pas à des chiffres nationaux. Très peu de patients ont deux séjours : "
        "les nouveaux séjours sont presque toujours trop peu nombreux pour être montrés. On ne sait pas quels patients sont "
        "décédés après leur sortie.",
        levels={
            **GROUPS,
            **{
                f"{outcome}/{level}": LevelTexts(f"{texts.label}, {french.small(label)}")
                for outcome, label in OUTCOMES.items()
                for level, texts in GROUPS.items()
            },
        },
        course=Course(
            "outcome",
            {outcome: float(days) for outcome, days in CONSULTED.items()},
            "Selon le délai depuis la sortie",
            "Délai",
            "{at} jours après la sortie",
            "nombre de jours depuis la sortie",
            "Seules les valeurs à ces délais sont publiées ; entre deux délais, la part est au moins celle du délai précédent.",
            steps=True,
        ),
        related=("hospitalisations", "hospitalisations-diagnostic"),
    ),
    free_range=FreeRange("hospitalisation", order="outcome, level, code"),
    summary=Summary(
        where=f"{LATEST_WHOLE_YEAR} AND level = 'total'",
        order="outcome",
        rows=4,
        subject=f"CASE outcome {' '.join(f'''WHEN '{o}' THEN '{label}' ''' for o, label in OUTCOMES.items())} END",
        measure="part",
    ),
    recomputation=RECOMPUTATION,
)
