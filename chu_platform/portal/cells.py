"""The figures of a question: one cell, its periods, its trend, its neighbours.

Here: queries over a snapshot, and cells as values. Not here: words (sentences), charts, pages.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from chu_platform.portal.periods import Period, coarser
from chu_platform.portal.questions import LEVELS, Measure, Question
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.duckdb_sql import sql_name

X = Mapping[str, str]

PERIODS: Final = "period_grain, period_start, period_end, is_partial"
# A table of years as one of periods.
YEARS: Final = (
    "(SELECT 'year' AS period_grain, make_date(year, 1, 1) AS period_start, make_date(year + 1, 1, 1) AS period_end, "
    "{partial} AS is_partial, * EXCLUDE ({dropped}) FROM {table})"
)
# Regions lie on the map from overseas to the mainland by their codes; 99 is no region.
ELSEWHERE: Final = "99"
BAND_START: Final = re.compile(r"\d+")


@dataclass(frozen=True)
class Cell:
    """One figure: its X, its period, and what it is made of; a masked one has none.

    `numerator` and `denominator` are None too where the measure has none.
    """

    x: X
    label: str
    period: Period
    partial: bool
    masked: bool
    value: float | None
    low: float | None
    high: float | None
    numerator: float | None
    denominator: float | None

    @property
    def shown(self) -> bool:
        """Whether there is a figure to show."""
        return self.value is not None


@dataclass(frozen=True)
class Offered:
    """A period that a cell exists for."""

    period: Period
    partial: bool
    masked: bool


def relation(question: Question) -> str:
    """The question's table as one of periods."""
    name = sql_name(question.table.name)
    if not question.yearly:
        return name
    has_partial = any(c.name == "is_partial" for c in question.table.columns)
    partial, dropped = ("is_partial", "is_partial") if has_partial else ("false", "year")
    return YEARS.format(partial=partial, dropped=dropped, table=name)


def label_of(question: Question, row: Mapping[str, Any]) -> str:
    """The name of a row's X."""
    if "label" in row:
        return str(row["label"])
    parts = [
        str(row["region_label"]) if c == "region_code" else p.words[row[c]] if p.words else str(row[c])
        for p in question.parameters
        for c in p.columns
    ]
    if question.table.name == "kpi_consultation_rate_by_professional":
        parts = [parts[1] if parts[1] != "Inconnu" else f"{parts[0]} (spécialité inconnue)"]
    return ", ".join(dict.fromkeys(parts)) or "Ensemble des patients"


def cells(
    snapshot: Snapshot,
    question: Question,
    measure: Measure,
    condition: str,
    parameters: Mapping[str, object],
    order: str = "period_start",
) -> list[Cell]:
    """The cells that fulfil a condition (SQL with $parameters), in an order."""
    found = snapshot.rows(
        f"SELECT * FROM {relation(question)} WHERE {condition} ORDER BY {order}",
        parameters,
    )
    return [_cell(question, measure, row) for row in found]


def _cell(question: Question, measure: Measure, row: Mapping[str, Any]) -> Cell:
    def figure(column: str | None) -> float | None:
        return None if column is None or row[column] is None else float(row[column])

    return Cell(
        {c: row[c] for c in question.columns},
        label_of(question, row),
        Period(row["period_grain"], row["period_start"], row["period_end"]),
        row["is_partial"],
        row["is_masked"],
        figure(measure.value),
        figure(measure.low),
        figure(measure.high),
        figure(measure.numerator.column if measure.numerator else None),
        figure(measure.denominator.column if measure.denominator else None),
    )


def of_x(question: Question) -> str:
    """The condition that a row is of an X, whose columns are the parameters."""
    return " AND ".join(f"{sql_name(c)} = ${c}" for c in question.columns) or "true"


def offered(snapshot: Snapshot, question: Question, x: X) -> list[Offered]:
    """The periods that an X has a row for: years first, from the last to the first."""
    found = snapshot.rows(
        f"SELECT {PERIODS}, is_masked FROM {relation(question)} WHERE {of_x(question)} "
        "ORDER BY list_position(['year', 'all', 'quarter', 'month'], period_grain), period_start DESC",
        dict(x),
    )
    return [
        Offered(
            Period(r["period_grain"], r["period_start"], r["period_end"]), r["is_partial"], r["is_masked"]
        )
        for r in found
    ]


def chosen(periods: Sequence[Offered], written: str | None) -> tuple[Period | None, bool]:
    """The period asked for, or else the next one that holds it; whether it is the one asked for.

    Nothing asked for: the last whole year that is not masked, else all years, else the last period.
    """
    by_text = {o.period.written: o.period for o in periods}
    if written is None:
        whole = [o.period for o in periods if o.period.grain == "year" and not o.partial and not o.masked]
        seen = [o.period for o in periods if not o.masked]
        fallbacks = [*whole, *(p for p in seen if p.grain == "all"), *seen, *by_text.values()]
        return (fallbacks[0] if fallbacks else None), True
    if written in by_text:
        return by_text[written], True
    return next((by_text[text] for text in coarser(written) if text in by_text), None), False


def cell(snapshot: Snapshot, question: Question, measure: Measure, x: X, period: Period) -> Cell | None:
    """The cell of an X in a period, if there is a row."""
    condition = f"{of_x(question)} AND period_grain = $grain AND period_start = $start"
    found = cells(snapshot, question, measure, condition, {**x, "grain": period.grain, "start": period.start})
    return found[0] if found else None


def trend(snapshot: Snapshot, question: Question, measure: Measure, x: X, grain: str) -> list[Cell]:
    """The cells of an X at a grain, over time. Of `all` there is one: years are shown instead."""
    return cells(
        snapshot,
        question,
        measure,
        f"{of_x(question)} AND period_grain = $grain",
        {**x, "grain": "year" if grain == "all" else grain},
    )


@dataclass(frozen=True)
class Peers:
    """What an X is compared with: the cells of the same period, and what they have in common.

    `natural` peers have an order of their own (age bands) and are not ranked.
    """

    title: str
    cells: Sequence[Cell]
    natural: bool = False


def peers(snapshot: Snapshot, question: Question, measure: Measure, x: X, period: Period) -> Peers:
    """The neighbours of an X in a period, itself among them."""
    condition, parameters, title, natural = _neighbours(snapshot, question, x)
    if question.parameters:
        condition += " AND period_grain = $grain AND period_start = $start"
        parameters = {**parameters, "start": period.start}
    found = cells(snapshot, question, measure, condition, {**parameters, "grain": period.grain}, "ALL")
    if natural:
        return Peers(title, sorted(found, key=_natural), natural=True)
    return Peers(title, sorted(found, key=lambda c: (c.value is None, -(c.value or 0.0), c.label)))


def _neighbours(snapshot: Snapshot, question: Question, x: X) -> tuple[str, dict[str, object], str, bool]:
    """Condition, parameters and title of the neighbours; whether they have an order of their own."""
    if not question.parameters:
        return "period_grain = $grain", {}, "Les autres périodes", True
    if "level" in x:
        return _same_level(snapshot, x)
    if "profession" in x:
        return (
            "profession = $profession",
            {"profession": x["profession"]},
            f"Les spécialités : {x['profession']}",
            False,
        )
    if "survey" in x:
        return "survey = $survey", {"survey": x["survey"]}, "Les régions, même enquête, même année", False
    if "region_code" in x:
        shared = {"sex": x["sex"], "age_band": x["age_band"]}
        return "sex = $sex AND age_band = $age_band", {**shared}, "Les régions, la même année", False
    return "sex = $sex", {"sex": x["sex"]}, "Les tranches d’âge", True


def _same_level(snapshot: Snapshot, x: X) -> tuple[str, dict[str, object], str, bool]:
    level = "region" if x["level"] in ("total", "unattached") else x["level"]
    same: dict[str, object] = {"level": level}
    if level not in ("category", "leaf"):
        return "level = $level", same, f"{LEVELS[level]}s".replace("aus", "aux"), False
    inside = "chapter_code" if level == "category" else "category_code"
    condition = (
        f"level = $level AND code IN (SELECT code FROM published_diagnosis WHERE level = $level AND {inside} = "
        f"(SELECT {inside} FROM published_diagnosis WHERE level = $level AND code = $code))"
    )
    title = "Catégories du même chapitre" if level == "category" else "Diagnostics de la même catégorie"
    return condition, {**same, "code": x["code"]}, title, False


def _natural(cell: Cell) -> tuple[bool, int, date]:
    """Ages from the youngest, all ages and the unknown one last; periods from the first."""
    age = BAND_START.match(cell.x.get("age_band", ""))
    return ("age_band" in cell.x and age is None, int(age.group()) if age else 0, cell.period.start)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which a share of the values lie, by linear interpolation; None of fewer than five values."""
    if len(values) < 5:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def rank(cell: Cell, others: Sequence[Cell]) -> tuple[int, int] | None:
    """The best and the worst rank that the intervals allow, 1 being the highest; None without intervals.

    Another cell is surely above when its lower limit is above this one's upper limit.
    """
    if cell.low is None or cell.high is None:
        return None
    limits = [(o.low, o.high) for o in others if o.low is not None and o.high is not None and o.x != cell.x]
    above = sum(low > cell.high for low, _ in limits)
    below = sum(high < cell.low for _, high in limits)
    return above + 1, len(limits) + 1 - below


def beside(snapshot: Snapshot, question: Question, measure: Measure, x: X, period: Period) -> list[Cell]:
    """What stands above an X: its department, region and the group; the chapter and category; the other survey."""
    wanted: list[X] = []
    if x.get("level") == "establishment":
        place = snapshot.rows(
            "SELECT department_code, region_code FROM published_establishment WHERE establishment_key = $code",
            {"code": x["code"]},
        )
        wanted = [
            w
            for p in place
            for w in (
                {"level": "department", "code": p["department_code"]},
                {"level": "region", "code": p["region_code"]},
            )
        ]
    elif x.get("level") in ("category", "leaf"):
        place = snapshot.rows(
            "SELECT category_code, chapter_code FROM published_diagnosis WHERE level = $level AND code = $code", dict(x)
        )
        wanted = [
            {"level": level, "code": p[f"{level}_code"]}
            for p in place
            for level in ("category", "chapter")
            if level != x["level"] and p[f"{level}_code"]
        ]
    elif "survey" in x:
        other = next(s for s in ("48h_mco", "ca_mco") if s != x["survey"])
        wanted = [{**x, "survey": other}]
    elif "age_band" in x:
        wanted = [{**x, "sex": sex} for sex in ("F", "M", "all") if sex != x["sex"]]
    if question.slug == "consultations-etablissement" and x["level"] != "total":
        wanted.append({"level": "total", "code": "total"})
    found = (cell(snapshot, question, measure, w, period) for w in wanted)
    return [c for c in found if c is not None]
