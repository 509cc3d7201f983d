"""Indicator 12: use over time: new and returning patients, how much of the use few patients make, evening and night."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chu_platform import french
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.indicators.event_lists import Numbers, lists_of, with_figures
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.intervals import wilson
from chu_platform.indicators.rates import LEVEL_COLUMNS, PERIOD_COLUMNS, finite, visits
from chu_platform.indicators.use_of_care import LATEST_WHOLE_YEAR, WILSON
from chu_platform.masks.consultation_mask import TOTAL, consultation_mask
from chu_platform.periods.dim_period import dim_period
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.recomputation.use_figures import COUNTS, ROWS, SOURCES, recomputed_use
from chu_platform.sdc.cell_masks import over_time, same_period
from chu_platform.sdc.primary_rules import FEWEST_CONTRIBUTORS, HIDDEN, LARGEST_SHARE, PrimaryRules, Reason
from chu_platform.sdc.suppression_rules import SMALL_CELL
from chu_platform.tables.checks import holds, none_in
from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG, Column
from chu_platform.tables.indicator_questions import Count, Course, IndicatorQuestion, LevelTexts, Measure, Parameter
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import BEFORE_RELEASE, EXACT_FIGURES
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

NAME: Final = "kpi_use_concentration"
# Shares of the patients, in percent: those who consult most often.
MOST_FREQUENT: Final = (1, 5, 10, 25, 50)
# A slot of the evening or the night begins in these hours (in minutes since midnight), or ends on the next day.
EVENING: Final = "(start_minute >= 1200 OR start_minute < 360 OR is_night_slot)"
# The slot of a consultation, as a number: one that ends on the next day is also of the evening.
DAY, EVENING_SLOT, NIGHT_SLOT = 0, 1, 2
SLOTTED: Final = f"""(
            SELECT date, patient_key, professional_key,
                   CASE WHEN is_night_slot THEN {NIGHT_SLOT} WHEN {EVENING} THEN {EVENING_SLOT} ELSE {DAY} END AS slot
            FROM {{consultation}})"""
# What is counted of the groups of patients and slots, and of which of them.
GROUPS: Final = ("new", "returning", "evening", "night", *(f"top_{q}" for q in MOST_FREQUENT))
Flags = NDArray[np.bool_]


def _counts(periods: Periods) -> str:
    """SQL of the consultations of each period, as lists of equal length, in the same order.

    In the lists, patients and professionals are numbers; an unknown patient is 0.
    """
    return f"""
        WITH {visits(periods, SLOTTED, ["professional_key", "slot"])},
        worker AS (
            SELECT professional_key, row_number() OVER (ORDER BY professional_key) AS professional
            FROM (SELECT DISTINCT professional_key FROM {{consultation}})
        ),
        used AS (
            SELECT m.period, count(*) AS events, array_agg(coalesce(v.patient, 0)) AS who,
                   array_agg(k.professional) AS by_whom, array_agg(coalesce(v.first_date >= m.start, false)) AS first_seen,
                   array_agg(v.slot) AS slots
            FROM visit v
            JOIN worker k ON k.professional_key = v.professional_key
            JOIN month_period m ON m.month = v.month
            GROUP BY m.period
        ),
        calendar AS (SELECT period, grain, start FROM month_period GROUP BY period, grain, start)
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, n.events, n.who, n.by_whom, n.first_seen, n.slots
        FROM used n
        JOIN calendar c ON c.period = n.period
        JOIN {{period}} p ON p.domain = 'consultation' AND {periods.join("c")}
        """


def _with_use(counted: pa.Table) -> pa.Table:
    """Replace the consultations of each period by the figures of their patients and slots."""
    found = [_use_of(*consultations) for consultations in zip(*lists_of(counted, LISTS), strict=True)]
    return with_figures(counted, LISTS, FIGURES, found)


def _use_of(who: Numbers, by_whom: Numbers, first_seen: Numbers, slots: Numbers) -> Mapping[str, float]:
    """The figures of the consultations of a period: of each its patient, its professional, whether the patient is new."""
    known = who > 0
    events = np.bincount(who)
    events[0] = 0
    patients = np.flatnonzero(events)
    # Counts are the same whichever of several patients with equal numbers of consultations are chosen.
    ranked = patients[np.argsort(-events[patients], kind="stable")]
    contributors = _Contributors(who, by_whom, int(events.max(initial=0)), int(np.bincount(by_whom).max(initial=0)))
    figures: dict[str, float] = {"patients": len(patients)}
    made: dict[str, int] = {}
    for name, inside in (
        ("new", known & (first_seen == 1)),
        ("returning", known & (first_seen == 0)),
        ("evening", slots >= EVENING_SLOT),
        ("night", slots == NIGHT_SLOT),
    ):
        of_patients = np.bincount(who[inside & known])
        made[name] = int(np.count_nonzero(inside))
        figures[f"{name}_patients"] = int(np.count_nonzero(of_patients))
        are_many = contributors.must_be_many(made[name], int(of_patients.sum()))
        figures[f"{name}_by_few"] = not are_many and contributors.are_few(inside)
    for percent in MOST_FREQUENT:
        chosen, name = ranked[: -(-len(ranked) * percent // 100)], f"top_{percent}"
        made[name] = int(events[chosen].sum())
        figures[f"{name}_patients"] = len(chosen)
        are_many = contributors.must_be_many(made[name], made[name])
        figures[f"{name}_by_few"] = not are_many and contributors.may_be_few(ranked, len(chosen), events)
    for name, number in made.items():
        figures |= {f"{name}_events": number, f"{name}_share": number / len(slots)}
    return figures


@dataclass(frozen=True)
class _Contributors:
    """Who makes the consultations of a period: of each its patient (0: unknown) and its professional.

    `most_of_patient` and `most_of_professional` are the consultations of the patient and of the professional with most
    of them in the period.
    """

    who: Numbers
    by_whom: Numbers
    most_of_patient: int
    most_of_professional: int

    def must_be_many(self, made: int, of_known: int) -> bool:
        """Whether a group of so many consultations, `of_known` patients, cannot be of few: without a look at it."""
        fewest = (FEWEST_CONTRIBUTORS - 1) * self.most_of_professional
        one = max(self.most_of_professional / made, self.most_of_patient / of_known) if of_known else 1.0
        return made > fewest and one <= LARGEST_SHARE

    def are_few(self, inside: Flags) -> bool:
        """Whether the consultations `inside` are of few professionals, or nearly all of one professional or patient."""
        of_professionals = np.bincount(self.by_whom[inside])
        several = int(np.count_nonzero(of_professionals)) >= FEWEST_CONTRIBUTORS
        of_patients = np.bincount(self.who[inside & (self.who > 0)])
        return bool(inside.any()) and (not several or _by_one(of_professionals) or _by_one(of_patients))

    def may_be_few(self, ranked: Numbers, chosen: int, events: Numbers) -> bool:
        """Whether the first `chosen` patients of `ranked`, by their number of `events`, can be a group of few.

        Of patients with equal numbers, any may be chosen: no figure may depend on the order of their pseudonyms. So
        the group is of few if one choice is.
        """
        if not chosen:
            return False
        last = events[ranked[chosen - 1]]
        certain, tied = ranked[events[ranked] > last], ranked[events[ranked] == last]
        number = chosen - len(certain)
        if number == len(tied):
            return self.are_few(np.isin(self.who, ranked[:chosen]))
        made = int(events[ranked[:chosen]].sum())
        of_certain = np.bincount(self.by_whom[np.isin(self.who, certain)], minlength=int(self.by_whom.max()) + 1)
        inside = np.isin(self.who, tied)
        pairs, of_pair = np.unique(np.stack([self.by_whom[inside], self.who[inside]]), axis=1, return_counts=True)
        by_professional: dict[int, list[int]] = {}
        by_patient: dict[int, set[int]] = {}
        for professional, patient, count in zip(*pairs.tolist(), of_pair.tolist(), strict=True):
            by_professional.setdefault(professional, []).append(count)
            by_patient.setdefault(patient, set()).add(professional)
        # Each professional with most consultations: with those of the tied patients who saw this one most often.
        most = {p: sum(sorted(counts, reverse=True)[:number]) for p, counts in by_professional.items()}
        largest = max(int(of_certain[p]) + most.get(p, 0) for p in {*most, *np.flatnonzero(of_certain).tolist()})
        if max(largest, int(events[ranked[0]])) > LARGEST_SHARE * made:
            return True
        # With those of the certain patients, one professional fewer than are needed: how many tied patients saw no other.
        seen = Counter(frozenset(found) for found in by_patient.values())
        fixed = frozenset(np.flatnonzero(of_certain).tolist())
        few = [fixed | found for found in seen if len(fixed | found) < FEWEST_CONTRIBUTORS]
        groups = {one | other for one in few for other in few if len(one | other) < FEWEST_CONTRIBUTORS}
        return any(sum(n for found, n in seen.items() if found <= group) >= number for group in groups)


def _by_one(events: Numbers) -> bool:
    """Whether one of several has nearly all of their events."""
    return bool(events.max(initial=0) > LARGEST_SHARE * events.sum())


def _whole(name: str, description: str, label: str) -> Column:
    return Column(name, LONG, description, label, nullable=False)


def _share(name: str, description: str, label: str) -> Column:
    return Column(name, DOUBLE, f"{description}, de 0 à 1", label, nullable=False)


def _slot_columns(name: str, which: str, label: str) -> Sequence[Column]:
    return (
        _whole(f"{name}_events", f"nombre de consultations {which}", label),
        _whole(f"{name}_patients", f"nombre de patients distincts qui ont des consultations {which}", f"{label} : patients"),
        _share(f"{name}_share", f"part des consultations {which}", f"{label} : part"),
    )  # fmt: skip


def _most_frequent_columns(percent: int) -> Sequence[Column]:
    who = "patients qui consultent le plus (leur part, en %, est dans le nom de la colonne)"
    label = f"{percent}{french.NO_BREAK}% les plus fréquents"
    return (
        _whole(f"top_{percent}_patients", f"nombre de {who}, arrondi vers le haut", f"{label} : patients"),
        _whole(f"top_{percent}_events", f"nombre de consultations des {who}", f"{label} : consultations"),
        _share(f"top_{percent}_share", f"part des consultations qui sont des {who}", f"{label} : part"),
    )


def _contributors_column(group: str) -> Column:
    return Column(
        f"{group}_by_few",
        BOOLEAN,
        "vrai si les consultations de ce groupe (dans le nom de la colonne) sont de moins de trois professionnels, ou pour "
        "plus de 85 % d’un seul professionnel ou d’un seul patient",
        f"{group} : peu de contributeurs",
        nullable=False,
    )


FIGURES: Final = (
    _whole("patients", "nombre de patients distincts de la base ayant une consultation", "Patients"),
    _whole("new_patients", "nombre de patients sans consultation avant la période dans les données", "Nouveaux patients"),
    _whole("returning_patients", "nombre de patients qui ont déjà une consultation avant la période", "Patients déjà venus"),
    *_slot_columns("evening", "qui commencent entre 20 h et 6 h ou finissent le lendemain", "Soir et nuit"),
    *_slot_columns("night", "qui finissent le lendemain", "Nuit"),
    *(column for percent in MOST_FREQUENT for column in _most_frequent_columns(percent)),
    *map(_contributors_column, GROUPS),
)  # fmt: skip
# The columns of the query that hold the consultations of a period: of each its patient, its professional, whether the
# patient is new, and its slot; and those that tell a group of patients or a slot from others.
LISTS: Final = ("who", "by_whom", "first_seen", "slots")
SLOT_GROUPS: Final = ("evening", "night")
TOLD_BY: Final = {"new": "first_seen", "returning": "first_seen", "evening": "slots", "night": "slots"}


def _made_from(figure: str) -> Sequence[str]:
    """The columns of the query that a figure is made from."""
    told_by = [column for group, column in TOLD_BY.items() if figure.startswith(group)]
    if figure.removesuffix("_events").removesuffix("_share") in SLOT_GROUPS:
        return told_by
    return ["who", *told_by, *(["by_whom"] if figure.endswith("_by_few") else [])]


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une période avec des consultations",
    label="Recours dans le temps : nouveaux patients, concentration, soir et nuit",
    owner="team:kpis",
    access=EXACT_FIGURES,
    columns=[
        *PERIOD_COLUMNS,
        _whole("events", "nombre de consultations de la période", "Consultations"),
        *FIGURES,
    ],
    reads={"consultation": fact_consultation, "period": dim_period},
    # Made whole: an earlier consultation changes who is new in later months.
    rows=Query.over(_counts, finish=_with_use, from_columns={c.name: _made_from(c.name) for c in FIGURES}),
    checks=[
        holds(
            "new_and_returning_are_all_patients",
            "new_patients + returning_patients = patients AND new_patients >= 0 AND returning_patients >= 0",
            "les nouveaux patients et les patients déjà venus sont tous les patients de la période",
        ),
        holds(
            "slots_within_consultations",
            "night_events <= evening_events AND evening_events <= events",
            "les créneaux de nuit sont de ceux du soir et de la nuit, qui sont des consultations de la période",
        ),
        holds(
            "shares_grow",
            " AND ".join(f"{less} <= {more}" for less, more in pairwise([*(f"top_{q}_events" for q in MOST_FREQUENT), "events"])),
            "plus de patients ont au moins autant de consultations",
        ),
        none_in(
            "each_patient_is_new_once",
            """
            SELECT count(*) FROM (
                SELECT sum(new_patients) FILTER (period_grain = 'month') AS months,
                       sum(new_patients) FILTER (period_grain = 'year') AS years,
                       sum(patients) FILTER (period_grain = 'all') AS patients
                FROM {this}
            ) WHERE months <> patients OR years <> patients
            """,
            "chaque patient est nouveau une seule fois : la somme des nouveaux patients des mois, comme celle des années, est "
            "le nombre de tous les patients",
        ),
    ],
)  # fmt: skip

# The rows that are released, by level and code: what is counted in the measures of the level.
NEW: Final = "Nouveaux patients"
RETURNING: Final = "Patients déjà venus"
SLOTS: Final = {"evening": "Consultations du soir et de la nuit", "night": "Consultations de la nuit"}


def frequent(percent: int) -> str:
    """The French name of the patients who consult most often."""
    return f"{percent}{french.NO_BREAK}% de patients qui consultent le plus"


# A share of the most frequent patients is rounded to a tenth of a percent or to a percent, so that it stands for more
# than ten consultations, more or less.
STEPS: Final = (10, 1)
LEAST: Final = SMALL_CELL + 1


def _rounded(percent: int) -> str:
    fine, coarse = STEPS
    return (
        f"CASE WHEN events >= {100 * fine * LEAST} THEN round({100 * fine}D * top_{percent}_events / events) / {fine}D "
        f"ELSE round({100 * coarse}D * top_{percent}_events / events) / {coarse}D END"
    )


def _rows() -> Sequence[str]:
    """SQL: level, code, label, patients, consultations, percent, is_small and by_few of each row."""
    missing = "CAST(NULL AS BIGINT)"
    return [
        *(
            f"'patients', '{code}', '{label}', {code}_patients, {missing}, 100D * {code}_patients / nullif(patients, 0), "
            f"false, {code}_by_few"
            for code, label in (("new", NEW), ("returning", RETURNING))
        ),
        *(
            f"'slot', '{slot}', '{label}', {missing}, {slot}_events, 100D * {slot}_share, "
            f"{slot}_patients BETWEEN 1 AND {SMALL_CELL}, {slot}_by_few"
            for slot, label in SLOTS.items()
        ),
        *(
            f"'most_frequent', '{q}', '{frequent(q)}', {missing}, {missing}, {_rounded(q)}, "
            f"top_{q}_patients <= {SMALL_CELL} OR events < {100 * LEAST}, top_{q}_by_few"
            for q in MOST_FREQUENT
        ),
    ]


def _of_groups(_periods: Periods) -> str:
    rows = _rows()
    return f"""
        SELECT period_grain, period_start, period_end, is_partial,
               stack({len(rows)}, {", ".join(rows)})
                   AS (level, code, label, patients, consultations, percent, is_small, by_few),
               patients AS period_patients, events AS period_consultations
        FROM {{exact}}
        """


def _with_limits(counted: pa.Table) -> pa.Table:
    """Add the limits of the shares of patients and of consultations in percent; the rounded ones have none."""
    levels = counted["level"].to_numpy(zero_copy_only=False)
    part, whole = (
        np.where(levels == "patients", _numbers(counted, of_patients), _numbers(counted, of_consultations))
        for of_patients, of_consultations in (
            ("patients", "consultations"),
            ("period_patients", "period_consultations"),
        )
    )
    known = (levels != "most_frequent") & np.isfinite(part)
    for name, limit in zip(
        ("percent_low", "percent_high"), wilson(np.where(known, part, 0), np.where(known, whole, 0)), strict=True
    ):
        counted = counted.append_column(name, finite(100 * limit))
    return counted


def _numbers(rows: pa.Table, column: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = rows[column].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return found


LIMITS_FROM: Final = ("level", "patients", "consultations", "period_patients", "period_consultations")

use_by_group = Table(
    name="use_by_group",
    layer=Layer.CANDIDATES,
    zone=Zone.PSEUDONYMISED,
    grain="un groupe de patients ou un créneau, dans une période avec des consultations",
    label="Recours dans le temps, par groupe de patients et créneau",
    owner="team:privacy",
    access=BEFORE_RELEASE,
    columns=[
        *PERIOD_COLUMNS,
        *LEVEL_COLUMNS,
        Column("patients", LONG, "nombre de patients nouveaux ou déjà venus ; vide ailleurs", "Patients du groupe"),
        Column("consultations", LONG, "nombre de consultations du créneau ; vide ailleurs", "Consultations du créneau"),
        Column("period_patients", LONG, "nombre de patients qui ont consulté dans la période", "Patients de la période", nullable=False),
        Column("period_consultations", LONG, "nombre de consultations de la période", "Consultations de la période", nullable=False),
        Column(
            "percent",
            DOUBLE,
            "part en % : patients du groupe parmi ceux de la période (patients), consultations du créneau parmi celles de la "
            "période (slot), consultations du groupe parmi celles de la période, arrondie à 0,1 ou à 1 (most_frequent)",
            "Part (%)",
        ),
        Column("percent_low", DOUBLE, "borne basse à 95 %, en % (Wilson) ; vide pour une part arrondie", "Part : borne basse"),
        Column("percent_high", DOUBLE, "borne haute à 95 %, en % (Wilson) ; vide pour une part arrondie", "Part : borne haute"),
        Column(
            "is_small",
            BOOLEAN,
            "vrai si un créneau a de 1 à 10 patients, si les patients qui consultent le plus sont 10 au plus, ou si l’arrondi de leur "
            "part vaut moins de onze consultations",
            "Trop petit",
            nullable=False,
        ),
        Column("by_few", BOOLEAN, "vrai si les consultations sont celles de peu de professionnels ou d’un patient", "Peu de contributeurs", nullable=False),
    ],
    reads={"exact": EXACT},
    rows=Query.over(_of_groups, finish=_with_limits, from_columns=dict.fromkeys(("percent_low", "percent_high"), LIMITS_FROM)),
)  # fmt: skip

RULES: Final = PrimaryRules(
    counts=["patients", "consultations", "period_patients", "period_consultations"],
    flags={Reason.SIZE: "is_small", Reason.CONTRIBUTORS: "by_few"},
)
LEVEL: Final = "concat(level, '/', code)"
# Of all years together everybody is new; how often patients come tells something of longer periods only; and so few
# slots are of the night that those of months would only be masked, and others around them.
YEARS: Final = "period_grain IN ('year', 'all')"
RELEASED: Final = f"""
    CASE WHEN level = 'patients' THEN period_grain <> 'all' WHEN level = 'most_frequent' OR code = 'night' THEN {YEARS}
    ELSE true END"""
KEY: Final = "period_grain, period_start, level, code"
CELLS: Final = f"""
    SELECT '{NAME}' AS indicator, concat_ws('|', {KEY}) AS cell, period_grain AS grain, period_start AS start,
           {LEVEL} AS level, concat_ws('|', level, code) AS code, {RULES.reason} AS unsafe, period_consultations AS weight,
           0 AS events, coalesce(consultations, 0) AS consultations,
           CASE level WHEN 'patients' THEN patients ELSE 0 END AS patients, 0 AS professionals
    FROM uses WHERE {RELEASED}
    UNION ALL
    SELECT 'hidden use', concat_ws('|', period_grain, period_start, rest), period_grain, period_start, '{HIDDEN}',
           concat('slot|', rest), {PrimaryRules(["consultations"]).reason}, consultations, 0, consultations, 0, 0
    FROM (
        SELECT period_grain, period_start, unnest(['day', 'evening only']) AS rest,
               unnest([any_value(period_consultations) - max(consultations) FILTER (code = 'evening'),
                       max(consultations) FILTER (code = 'evening') - max(consultations) FILTER (code = 'night')]) AS consultations
        FROM uses WHERE level = 'slot' GROUP BY period_grain, period_start
    ) WHERE consultations > 0 AND (rest = 'day' OR {YEARS})
    """


def _ours(*codes: str) -> str:
    """SQL condition on the cell `c`: it is one of these of the indicator, or of its hidden cells."""
    listed = ", ".join(f"'{code}'" for code in codes)
    return f"c.indicator IN ('{NAME}', 'hidden use') AND c.code IN ({listed})"


kpi_use_concentration = Indicator(
    exact=EXACT,
    released_form=use_by_group,
    fact=fact_consultation,
    # Released: new and returning patients for months, quarters and years; the evening for every grain; the night and the
    # shares of the most frequent patients for years and `all`.
    release=Release(
        family=consultation_mask,
        alias="uses",
        cells=CELLS,
        relations={
            ("patients",): [
                same_period(TOTAL, _ours("patients|new", "patients|returning")),
                *over_time(f"p.indicator = '{NAME}' AND p.code = 'patients|new'"),
                # Each patient of all years is new in one of them.
                f"""
                SELECT p.id, c.id FROM cell p JOIN cell c ON p.grain = 'all' AND c.grain = 'year'
                WHERE {TOTAL} AND {_ours("patients|new")}
                """,
            ],
            ("consultations",): [
                same_period(TOTAL, _ours("slot|evening", "slot|day")),
                same_period(
                    f"p.indicator = '{NAME}' AND p.code = 'slot|evening'", _ours("slot|night", "slot|evening only")
                ),
                *over_time(f"p.indicator IN ('{NAME}', 'hidden use') AND p.code LIKE 'slot|%'"),
            ],
        },
        # Each row shows the patients and the consultations of its period.
        repeats=f"""
            SELECT c.id, p.id FROM cell c JOIN cell p ON p.grain = c.grain AND p.start = c.start AND {TOTAL}
            WHERE c.indicator = '{NAME}'
            """,
        level=LEVEL,
        level_columns=["level", "code"],
        weight="period_consultations",
        rules=RULES,
        measures=["patients", "consultations"],
        withheld=["is_small", "by_few"],
    ),
    question=IndicatorQuestion(
        number=12,
        slug="recours-temps",
        title="Nouveaux patients, patients fréquents, soir et nuit : comment le recours évolue-t-il ?",
        short="Recours dans le temps",
        parameters=(
            Parameter(
                "x",
                "Patients ou créneau",
                ("level", "code"),
                "patients:new",
                options={
                    "patients": "level = 'patients' AND code = $value",
                    "slot": "level = 'slot' AND code = $value",
                    "most-frequent": "level = 'most_frequent' AND code = $value",
                },
                exclusive=True,
            ),
        ),
        measures=(
            Measure(
                "patients",
                "Part des patients",
                "%",
                "percent",
                "percent_low",
                "percent_high",
                WILSON,
                Count("patients", "patients de ce groupe"),
                Count("period_patients", "patients qui ont consulté"),
                "{value} des patients qui ont consulté",
                drifts=True,
            ),
            Measure(
                "consultations",
                "Part des consultations",
                "%",
                "percent",
                "percent_low",
                "percent_high",
                WILSON,
                Count("consultations", "consultations de ce créneau"),
                Count("period_consultations", "consultations"),
                "{value} des consultations",
                reason_without_limits="aucune consultation",
            ),
            Measure(
                "concentration",
                "Part de leurs consultations",
                "%",
                "percent",
                None,
                None,
                "arrondie à 0,1 %, ou à 1 % sous 11 000 consultations ; elle décrit toutes les consultations, et n’a donc pas "
                "d’intervalle",
                None,
                Count("period_consultations", "consultations"),
                "{value} des consultations",
                also=[Count("period_patients", "patients qui ont consulté")],
                whole_below=100 * STEPS[0] * LEAST,
            ),
        ),
        definition=(
            "Nouveaux patients : ceux qui n’ont, dans les données, aucune consultation avant la période ; les autres sont déjà "
            "venus. Chaque patient n’est nouveau qu’une fois : les nouveaux patients des mois s’additionnent sur l’année, les "
            "patients déjà venus non.",
            "Patients qui consultent le plus : on range les patients de la période du plus au moins grand nombre de consultations, "
            "et l’on prend le premier pour cent, les cinq premiers, et ainsi de suite (nombre de patients arrondi vers le haut). "
            "La part de leurs consultations est arrondie à 0,1 % ; à 1 % quand la période a moins de 11 000 consultations ; elle "
            "n’est pas publiée quand 1 % en vaut moins de onze : un arrondi plus fin dirait le nombre de consultations d’une personne.",
            "Soir et nuit : créneaux qui commencent entre 20 h et 6 h, ou finissent le lendemain. Nuit : ceux qui finissent le "
            "lendemain. Une consultation sans heure n’est ni du soir ni de la nuit.",
        ),
        caution="Les patients sont un échantillon de ceux du groupe, et leurs consultations ailleurs ne sont pas connues : ces parts "
        "ne se comparent pas à des chiffres nationaux.",
        levels={
            "patients": LevelTexts(
                "Patients",
                plural="patients",
                ordered=True,
                measures=("patients",),
                beware="Cette part décrit d’abord l’échantillon",
                notice="Les données portent sur un échantillon fixe de patients, et commencent en cours de route : au début tous "
                "sont nouveaux, ensuite de moins en moins. Une baisse des nouveaux patients ne dit rien de l’attractivité du groupe.",
            ),
            "slot": LevelTexts(
                "Créneau",
                plural="créneaux",
                ordered=True,
                measures=("consultations",),
                beware="Les données n’ont pas d’heures, seulement des créneaux",
                notice="Trois créneaux sont livrés (8 h à 12 h, 13 h à 18 h, 20 h à 23 h), et de rares consultations de 20 h à 2 h. "
                "Ils ne disent rien des heures d’arrivée, des gardes ni des urgences. Les créneaux de nuit sont si rares que leur "
                "part est presque toujours masquée.",
            ),
            "most_frequent": LevelTexts(
                "Patients qui consultent le plus",
                plural="patients qui consultent le plus",
                ordered=True,
                measures=("concentration",),
                beware="Le hasard suffit à faire des patients fréquents",
                notice="Si tous consultaient avec la même probabilité, quelques-uns consulteraient quand même plus que d’autres. "
                "Cette part n’est, à elle seule, le signe ni d’un suivi ni d’un abus.",
            ),
            **{f"patients/{code}": LevelTexts(label) for code, label in (("new", NEW), ("returning", RETURNING))},
            **{f"slot/{slot}": LevelTexts(label) for slot, label in SLOTS.items()},
            **{f"most_frequent/{q}": LevelTexts(french.capital(frequent(q))) for q in MOST_FREQUENT},
        },
        course=Course(
            "code",
            {str(q): float(q) for q in MOST_FREQUENT},
            "Courbe de concentration (Lorenz)",
            "Patients",
            "{at} % des patients",
            "part des patients, des plus aux moins fréquents (%)",
            "Seuls ces points sont publiés, et arrondis. Plus la courbe s’éloigne de la ligne d’égalité, plus les consultations "
            "sont celles de peu de patients.",
            level="most_frequent",
            end=100.0,
        ),
        related=("consultations-etablissement", "suites-sejour"),
    ),
    free_range=FreeRange("consultation", order="level DESC, try_cast(code AS INT), code"),
    summary=Summary(
        where=f"{LATEST_WHOLE_YEAR} AND level = 'patients'",
        order="code",
        rows=2,
        subject="label",
        measure="patients",
    ),
    recomputation=Recomputation(InputSet.PLACES, rows=ROWS, counts=COUNTS, sources=SOURCES, complete=recomputed_use),
)
