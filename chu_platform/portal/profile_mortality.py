"""Mortality in a profile: rates, index and life expectancy of a territory, beside others and France."""

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.addresses import question_address
from chu_platform.portal.cells import Cell, Row, as_cell, relation
from chu_platform.portal.charts.drawing import Reference
from chu_platform.portal.charts.series import Series, series_chart
from chu_platform.portal.places import ESTABLISHMENT
from chu_platform.portal.profile_parts import FRANCE, NONE, Compared, Part, shown_or_none
from chu_platform.portal.questions import Question
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.spark_sql import ALL

MORTALITY: Final = "mortalite"
FIGURES: Final = (
    ("standardise", "Taux standardisé (pour 100 000)"),
    ("indice", "Indice (France = 100)"),
    ("esperance-0", "Espérance de vie à la naissance"),
    ("esperance-65", "Espérance de vie à 65 ans"),
)


Territory = tuple[str, str]


def _indices(snapshot: Snapshot, question: Question) -> Mapping[Territory, Mapping[int, float | None]]:
    """The comparative index of every territory, by level and code, in each comparable year."""

    def find() -> Mapping[Territory, Mapping[int, float | None]]:
        found: dict[Territory, dict[int, float | None]] = {}
        for row in snapshot.rows(
            f"SELECT level, code, year, comparative_index FROM {relation(question)} WHERE sex = '{ALL}' AND is_comparable"
        ):
            found.setdefault((row["level"], row["code"]), {})[row["year"]] = row["comparative_index"]
        return found

    return snapshot.once("profile mortality", find)


def _rows_of_year(snapshot: Snapshot, question: Question, year: int) -> Mapping[Territory, Row]:
    """The rows of all territories in a comparable year, by level and code."""

    def find() -> Mapping[Territory, Row]:
        rows = snapshot.rows(
            f"SELECT * FROM {relation(question)} WHERE sex = '{ALL}' AND is_comparable AND year = $year", {"year": year}
        )
        return {(row["level"], row["code"]): row for row in rows}

    return snapshot.once(("profile mortality", year), find)


def mortality_part(snapshot: Snapshot, compared: Sequence[Compared]) -> Part | None:
    """Mortality at equal age of the territories in the latest comparable year; None where there is none."""
    question = snapshot.question(MORTALITY)
    if question is None:
        return None
    own = compared[0]
    shown = [c for c in compared if c.level != ESTABLISHMENT]
    indices = _indices(snapshot, question)
    index_of = {c: indices.get((c.level, c.code), {}) for c in shown}
    if not index_of[own]:
        return None
    year = max(index_of[own])
    rows_of = _rows_of_year(snapshot, question, year)
    rows: list[list[str | Markup | None]] = []
    for c in shown:
        row: list[str | Markup | None] = [c.label]
        for key, _ in FIGURES:
            measure = question.measure(key)
            assert measure
            found = rows_of.get((c.level, c.code))
            cell = as_cell(question, measure, found) if found else None
            row.append(_with_limits(cell))
        rows.append(row)
    columns = [("Lieu du décès", False), *((f"{text}, {year}", True) for _, text in FIGURES)]
    territories = [c for c in shown if c.place]
    first = min(min(index_of[c]) for c in territories if index_of[c])
    span = range(first, year + 1)
    series = [Series(c.label, c.role, [index_of[c].get(y) for y in span]) for c in territories]
    chart = series_chart(
        "Indice comparatif de mortalité",
        "pour 100 en France",
        1,
        [str(y) for y in span],
        series,
        Reference(FRANCE, 100.0),
    )
    index = question.measure("indice")
    assert index
    own_cell = as_cell(question, index, rows_of[own.level, own.code])
    if own_cell.low is None or own_cell.high is None:
        said = f"Mortalité à âge égal en {year} : pas d’indice."
    else:
        limits = french.interval(own_cell.low, own_cell.high)
        side = (
            "plus élevée que celle de la France"
            if own_cell.low > 100
            else "moins élevée que celle de la France"
            if own_cell.high < 100
            else "ne se distingue pas de celle de la France"
        )
        said = f"Mortalité à âge égal en {year} : {side}, indice {shown_or_none(own_cell.value)} ({limits}) pour 100."
    return Part(
        "mortalite",
        "Mortalité au lieu du décès",
        [said],
        [(chart, "L’axe ne part pas de zéro. Les années qui ne sont pas comparables interrompent les lignes.")],
        [(f"Mortalité à âge égal – {own.label}", columns, rows)],
        notes=[question.caution],
        links=[(question.short, question_address(question, {"x": f"{own.level}:{own.code}"}))],
    )


def _with_limits(cell: Cell | None) -> str:
    if cell is None or cell.value is None:
        return NONE
    known = cell.low is not None and cell.high is not None
    return (
        f"{shown_or_none(cell.value)} ({french.interval(cell.low or 0.0, cell.high or 0.0)})"
        if known
        else shown_or_none(cell.value)
    )
