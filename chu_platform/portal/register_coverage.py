"""How complete the register of deaths is by year: whether a curve over its years shows mortality, or the register."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from chu_platform import french
from chu_platform.portal.charts.drawing import Reference
from chu_platform.portal.charts.grammar import Axis, Band, Chart
from chu_platform.portal.charts.series import Series, series_chart
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.spark_sql import ALL

# The age groups of the picture, with their role in it: all, and the oldest, whose deaths a register lacks first.
GROUPS: Final = (("own", ALL, "tous les âges"), ("second", "85+", "85 ans et plus"))
SEXES: Final = ((ALL, "Ensemble"), ("F", "Femmes"), ("M", "Hommes"))
# The source of the register: the questions that it answers have it.
INSEE: Final = "Insee"
NO_SHARE: Final = "–"
# One year of so many is written on the axis.
TICKS: Final = 5
COLUMNS: Final = (
    ("Année", False),
    ("Décès du registre", True),
    ("Décès attendus", True),
    *((f"Couverture, {words}", True) for _, _, words in GROUPS),
    ("Comparable", False),
)


@dataclass(frozen=True)
class RegisterCoverage:
    """How complete the register is in metropolitan France, by year.

    Attributes:
        comparable: The comparable years in words, neighbours as "1989 à 1998".
        number: How many years are comparable.
        years: How many years the register has.
        definition: What a comparable year is, in French.
        chart: The shares of the expected deaths by year, in percent.
        tables: Rows under COLUMNS, of each sex in words.
        reasons: The years that are not comparable, and why; neighbours with one reason are one entry.
    """

    comparable: str
    number: int
    years: int
    definition: str
    chart: Chart
    tables: Sequence[tuple[str, Sequence[Sequence[str]]]]
    reasons: Sequence[tuple[str, str]]


def register_coverage(snapshot: Snapshot) -> RegisterCoverage | None:
    """The coverage of the register; None before the first calculation."""
    return snapshot.once("register coverage", lambda: _register_coverage(snapshot))


def _register_coverage(snapshot: Snapshot) -> RegisterCoverage | None:
    rows = snapshot.rows("SELECT * FROM death_coverage ORDER BY year")
    if not rows:
        return None
    found = {(r["sex"], r["age_group"], r["year"]): r for r in rows}
    years = sorted({r["year"] for r in rows})
    of_all = [found[ALL, ALL, year] for year in years]
    comparable = [r["year"] for r in of_all if r["is_comparable"]]
    (table,) = (t for t in snapshot.catalogue.tables if t.name == "death_coverage")
    (definition,) = (c.description for c in table.columns if c.name == "is_comparable")
    return RegisterCoverage(
        french.listed([_span(run) for run in _runs(comparable)]),
        len(comparable),
        len(years),
        french.small(definition.removeprefix("vrai si ")),
        _chart(found, years),
        [(words, [_row(found, sex, year) for year in years]) for sex, words in SEXES],
        _reasons(of_all),
    )


def _chart(found: Mapping[tuple[str, str, int], Mapping[str, Any]], years: Sequence[int]) -> Chart:
    # The last year delivered counts as incomplete: it is no part of a line.
    apart = [len(years) - 1] if not found[ALL, ALL, years[-1]]["is_comparable"] else []
    series = [
        Series(words, role, [_percent(found[ALL, group, year]["coverage"]) for year in years], apart=apart)
        for role, group, words in GROUPS
    ]
    chart = series_chart(
        "Décès du registre pour 100 décès attendus, France métropolitaine",
        "%",
        1,
        [str(year) for year in years],
        series,
        Reference("registre complet", 100.0),
        [str(year) if year % TICKS == 0 else "" for year in years],
        from_zero=True,
    )
    assert isinstance(chart.y, Axis)
    limits: list[tuple[float, float, float] | None] = []
    for run in _runs([year for year in years if found[ALL, ALL, year]["is_comparable"]]):
        ends = (run[0] - years[0] - 0.5, run[-1] - years[0] + 0.5)
        limits += [None, *((x, chart.y.low, chart.y.high) for x in ends)]
    return replace(chart, marks=[Band(limits, "span", "années comparables"), *chart.marks])


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _row(found: Mapping[tuple[str, str, int], Mapping[str, Any]], sex: str, year: int) -> list[str]:
    whole = found[sex, ALL, year]
    return [
        str(year),
        NO_SHARE if whole["deaths"] is None else french.number(whole["deaths"]),
        NO_SHARE if whole["expected"] is None else french.number(whole["expected"]),
        *(
            NO_SHARE if (share := found[sex, group, year]["coverage"]) is None else french.percent(share)
            for _, group, _ in GROUPS
        ),
        "oui" if whole["is_comparable"] else "non",
    ]


def _reasons(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Neighbours that have the same reason, as one line: what the figures of a reason say is in the tables."""
    return [
        (_span([r["year"] for r in same]), reason)
        for reason, run in groupby((r for r in rows if not r["is_comparable"]), key=lambda r: str(r["reason"]))
        for same in [list(run)]
    ]


def _runs(years: Sequence[int]) -> list[list[int]]:
    """Years as runs of neighbours."""
    runs: list[list[int]] = []
    for year in years:
        if runs and runs[-1][-1] == year - 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return runs


def _span(run: Sequence[int]) -> str:
    return str(run[0]) if len(run) == 1 else f"{run[0]} à {run[-1]}"
