"""Mortality in a profile: rates, index and life expectancy of a territory, beside others and France."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.addresses import question_address
from chu_platform.portal.cells import Cell, Row, as_cell, history
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


def _mortality_rows(snapshot: Snapshot, question: Question, compared: Compared) -> Sequence[Row]:
    x = {"level": compared.level, "code": compared.code, "sex": ALL}
    return snapshot.kept(("profile mortality", compared.level, compared.code), lambda: history(snapshot, question, x))


def mortality_part(snapshot: Snapshot, compared: Sequence[Compared]) -> Part | None:
    """Mortality at equal age of the territories in the latest comparable year; None where there is none."""
    question = snapshot.question(MORTALITY)
    if question is None:
        return None
    own = compared[0]
    shown = [c for c in compared if c.level != ESTABLISHMENT]
    rows_of = {c: _mortality_rows(snapshot, question, c) for c in shown}
    comparable = {c: {r["year"]: r for r in rows_of[c] if r["is_comparable"]} for c in shown}
    if not comparable[own]:
        return None
    year = max(comparable[own])
    rows: list[list[str | Markup | None]] = []
    for c in shown:
        row: list[str | Markup | None] = [c.label]
        for key, _ in FIGURES:
            measure = question.measure(key)
            assert measure
            found = comparable[c].get(year)
            cell = as_cell(question, measure, found) if found else None
            row.append(_with_limits(cell))
        rows.append(row)
    columns = [("Lieu du décès", False), *((f"{text}, {year}", True) for _, text in FIGURES)]
    territories = [c for c in shown if c.place]
    first = min(min(comparable[c]) for c in territories if comparable[c])
    span = range(first, year + 1)
    series = [
        Series(c.label, c.role, [comparable[c][y]["comparative_index"] if y in comparable[c] else None for y in span])
        for c in territories
    ]
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
    own_cell = as_cell(question, index, comparable[own][year])
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
