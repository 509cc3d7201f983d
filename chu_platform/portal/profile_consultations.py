"""Consultations in a profile: rates of a place and of others, and their courses from a common year on."""

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal import sentences
from chu_platform.portal.addresses import question_address
from chu_platform.portal.cells import Cell, X, as_cell, history
from chu_platform.portal.charts.grammar import Chart
from chu_platform.portal.charts.series import Series, series_chart
from chu_platform.portal.places import ESTABLISHMENT
from chu_platform.portal.profile_parts import NONE, Compared, Part, shown_or_none
from chu_platform.portal.questions import Measure, Question
from chu_platform.portal.reader import Snapshot

CONSULTATIONS: Final = "consultations-etablissement"


def _x(compared: Compared) -> X:
    if compared.level == "france":
        return {"level": "total", "code": "total"}
    return {"level": compared.level, "code": compared.code}


def rate_at(question: Question, level: str) -> Measure:
    """The share of the base that consulted, as places of a level display it."""
    return next(m for m in question.measures_at(level) if m.key == question.measures[0].key)


def consultation_cells(snapshot: Snapshot, question: Question, compared: Compared, measure: Measure) -> Sequence[Cell]:
    """The cells of a place for a measure, for all its periods."""

    def find() -> Sequence[Cell]:
        rows = history(snapshot, question, _x(compared))
        return [as_cell(question, measure, row) for row in rows]

    return snapshot.kept(("profile consultations", compared.level, compared.code, measure.unit), find)


def consultations_part(snapshot: Snapshot, compared: Sequence[Compared]) -> Part:
    """The share of the base that consulted in each place, over the whole period, and its course."""
    question = snapshot.question(CONSULTATIONS)
    assert question
    own = compared[0]
    measure = rate_at(question, own.level)
    cells = {c: consultation_cells(snapshot, question, c, measure) for c in compared}
    rows: list[list[str | Markup | None]] = []
    for c in compared:
        label = "Ensemble des patients de la base" if c.level == "france" else c.label
        cell = next((cell for cell in cells[c] if cell.period.grain == "all"), None)
        if cell is None:
            rows.append([label, *[NONE] * (len(measure.counts) + 2)])
        elif cell.masked:
            rows.append([label, *[None] * (len(measure.counts) + 2)])
        else:
            counts = (NONE if v is None else french.number(v) for v in cell.counts)
            rows.append([label, *counts, shown_or_none(cell.value), sentences.limits(measure, cell) or NONE])
    columns = [("Lieu", False), *((french.capital(count.label), True) for count in measure.counts)]
    columns += [(f"{measure.label} ({measure.unit})", True), ("Intervalle à 95 %", True)]
    charts = [chart] if (chart := _course(compared, cells)) else []
    whole = next((cell for cell in cells[own] if cell.period.grain == "all"), None)
    if whole is None:
        said = "Consultations : aucune n’est rattachée à ce lieu dans les données."
    elif whole.masked:
        said = f"Consultations : le chiffre est masqué ({french.small(whole.period.label)})."
    else:
        said = (
            f"Consultations : {french.counted(whole.counts[0] or 0.0, 'patient', 'patients')} de la base y ont consulté, soit "
            f"{french.amount(whole.value or 0.0, measure.unit, measure.decimals)} ({french.small(whole.period.label)})."
        )
    notes = [question.caution]
    if own.level == ESTABLISHMENT:
        notes.append(
            "Pour un établissement, seule la période entière est publiée : par mois ou par année, il faudrait presque tout masquer. "
            "L’évolution est celle de son département et de sa région."
        )
    return Part(
        "consultations",
        "Consultations de la base de patients",
        [said],
        charts,
        [(f"Consultations – {own.label}", columns, rows)],
        notes=notes,
        links=[
            (f"{question.short} : {own.label}", question_address(question, {"x": ":".join(_x(own).values())})),
        ]
        if whole
        else (),
    )


def _course(compared: Sequence[Compared], cells: Mapping[Compared, Sequence[Cell]]) -> tuple[Chart, str] | None:
    """The rates by year, of which the first that all have is 100: levels follow the size of places, courses do not."""
    by_year = {
        c: {
            cell.period.start.year: cell.value
            for cell in cells[c]
            if cell.period.grain == "year" and not cell.partial and cell.value is not None
        }
        for c in compared
    }
    drawn = [c for c in compared if len(by_year[c]) > 1]
    shared = sorted(set.intersection(*(set(by_year[c]) for c in drawn))) if drawn else []
    if len(shared) < 2 or len(drawn) < 2:
        return None
    first, last = shared[0], max(max(by_year[c]) for c in drawn)
    years = range(first, last + 1)
    series = [
        Series(
            "Ensemble de la base" if c.level == "france" else c.label,
            c.role,
            [100 * v / by_year[c][first] if (v := by_year[c].get(y)) is not None else None for y in years],
        )
        for c in drawn
    ]
    title = f"Taux de recours aux consultations, {first} = 100"
    note = "L’axe ne part pas de zéro. Les années masquées ou incomplètes ne sont pas dessinées."
    if absent := [c.label for c in compared if c not in drawn and c.place and c.level != ESTABLISHMENT]:
        note += f" Sans années visibles : {french.listed(absent)}."
    return series_chart(title, "", 0, [str(y) for y in years], series), note
