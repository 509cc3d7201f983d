"""Mortality in a profile: rates, index and life expectancy of a territory, beside others and France."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
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


# The index of France.
FRANCE_INDEX: Final = 100.0
FRANCE_LEVEL: Final = "france"
SIDES: Final = {
    1: "plus élevée que celle de la France",
    -1: "moins élevée que celle de la France",
    0: "ne se distingue pas de celle de la France",
}
NO_INDEX: Final = (None, None, None)
Territory = tuple[str, str]


# A comparative index with its limits.
Index = tuple[float | None, float | None, float | None]


def _indices(snapshot: Snapshot, question: Question) -> Mapping[Territory, Mapping[int, Index]]:
    """The comparative index of every territory, by level and code, in each comparable year."""

    def find() -> Mapping[Territory, Mapping[int, Index]]:
        found: dict[Territory, dict[int, Index]] = {}
        for row in snapshot.rows(
            f"SELECT level, code, year, comparative_index, comparative_low, comparative_high FROM {relation(question)} "
            f"WHERE sex = '{ALL}' AND is_comparable"
        ):
            limits = (row["comparative_index"], row["comparative_low"], row["comparative_high"])
            found.setdefault((row["level"], row["code"]), {})[row["year"]] = limits
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
    series = [Series(c.label, c.role, [index_of[c].get(y, NO_INDEX)[0] for y in span]) for c in territories]
    chart = series_chart(
        "Indice comparatif de mortalité",
        "pour 100 en France",
        1,
        [str(y) for y in span],
        series,
        Reference(FRANCE, FRANCE_INDEX),
    )
    value, low, high = index_of[own][year]
    if low is None or high is None:
        said = f"Mortalité à âge égal en {year} : pas d’indice."
    else:
        side, since = since_when(index_of[own])
        limits = french.interval(low, high)
        said = f"Mortalité à âge égal en {year} : {SIDES[side]}, indice {shown_or_none(value)} ({limits}) pour 100."
        if side and since < year:
            said += f" C’est le cas de chaque année comparable depuis {since}."
    return Part(
        "mortalite",
        "Mortalité au lieu du décès",
        [said],
        [(chart, "L’axe ne part pas de zéro. Les années qui ne sont pas comparables interrompent les lignes.")],
        [(f"Mortalité à âge égal – {own.label}", columns, rows)],
        notes=[question.caution, *_over_residents(rows_of, own, year)],
        links=[(question.short, question_address(question, {"x": f"{own.level}:{own.code}"}))],
    )


def since_when(by_year: Mapping[int, Index]) -> tuple[int, int]:
    """On which side of 100 the index of the last year is, and since which year it has been there in every year.

    1: above; -1: below; 0: the interval contains 100, or there is none. Years that are not comparable do not count.
    """

    def side(year: int) -> int:
        _, low, high = by_year[year]
        return 0 if low is None or high is None else int(low > FRANCE_INDEX) - int(high < FRANCE_INDEX)

    years = sorted(by_year, reverse=True)
    same = list(takewhile(lambda year: side(year) == side(years[0]), years))
    return side(years[0]), same[-1]


def _over_residents(rows_of: Mapping[Territory, Row], own: Compared, year: int) -> Sequence[str]:
    """Deaths over residents, where hospitals may attract: a place whose index is above that of France."""
    row, france = rows_of[own.level, own.code], rows_of.get((FRANCE_LEVEL, ALL))
    low = row["comparative_low"]
    if france is None or low is None or low <= FRANCE_INDEX or None in (row["crude_rate"], france["crude_rate"]):
        return []
    more = row["comparative_index"] - FRANCE_INDEX
    expected = row["deaths"] / row["comparative_index"] * FRANCE_INDEX
    return [
        f"En {year}, {french.number(row['crude_rate'], 1)} décès ont lieu ici pour 1 000 habitants, contre "
        f"{french.number(france['crude_rate'], 1)} en France. À âge égal, c’est {french.amount(more, '%')} de plus, soit "
        f"{french.counted(round(row['deaths'] - expected), 'décès', 'décès')} : une part peut être celle de malades venus "
        "d’ailleurs, que le registre ne distingue pas."
    ]


def _with_limits(cell: Cell | None) -> str:
    if cell is None or cell.value is None:
        return NONE
    known = cell.low is not None and cell.high is not None
    return (
        f"{shown_or_none(cell.value)} ({french.interval(cell.low or 0.0, cell.high or 0.0)})"
        if known
        else shown_or_none(cell.value)
    )
