"""Findings that intervals support: a change, a highest group, regions apart, a rank; as a title and as a sentence.

A finding is stated only where intervals do not meet; elsewhere the text states that it is not established. Where a
figure is masked or missing, the title states that.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from itertools import combinations
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.cells import Cell
from chu_platform.portal.charts.dots import Dots, Row
from chu_platform.portal.charts.ranks import interval, rank_ranges
from chu_platform.portal.charts.regions import Region, RegionMap, Side, side
from chu_platform.portal.questions import Measure
from chu_platform.portal.sentences import figure

NEVER_SHRINKS: Final = (
    "La base ne diminue pas quand des patients décèdent ou partent : une part de la baisse peut en venir."
)


class Course(Enum):
    """How a series goes from its first to its last whole period, as far as all of its intervals tell."""

    RISES = "augmente"
    FALLS = "baisse"
    VARIES = "varie"
    STEADY = "aucune évolution"
    UNKNOWN = "sans intervalle"


def course(cells: Iterable[Cell]) -> Course:
    """The course of a series. All whole periods speak, not two of them: a noisy series has two that differ by chance.

    It rises (falls) if the last interval lies above (below) the first one, and no two intervals say the contrary. It
    varies if two intervals are apart otherwise.
    """
    seen = _whole(cells)
    pairs = [_direction(before, later) for before, later in combinations(seen, 2)]
    if not pairs or None in pairs:
        return Course.UNKNOWN
    from_first_to_last = _direction(seen[0], seen[-1])
    if from_first_to_last and -from_first_to_last not in pairs:
        return Course.RISES if from_first_to_last > 0 else Course.FALLS
    return Course.VARIES if any(pairs) else Course.STEADY


def change_title(noun: str, cells: Sequence[Cell]) -> str:
    """How what the (masculine) noun says goes, such as "recours aux consultations"."""
    seen = _whole(cells)
    if not seen:
        why = "aucun chiffre n’est publié"
        if cells:
            masked = any(c.masked for c in cells)
            why = "les chiffres complets sont masqués" if masked else "aucune période complète n’est publiée"
        return f"Sur le {noun}, rien ne se dit : {why}"
    if len(seen) == 1:
        return f"Le {noun} n’est connu que pour {seen[0].period.label} : rien ne se dit d’une évolution"
    which, ends = course(seen), f"de {seen[0].period.label} à {seen[-1].period.label}"
    if which in (Course.RISES, Course.FALLS):
        return f"Le {noun} {which.value} {ends}"
    if which is Course.VARIES:
        return f"Le {noun} varie d’une période à l’autre, sans tendance établie {ends}"
    return f"{french.capital(ends)}, aucune évolution du {noun} n’est établie"


def change(measure: Measure, cells: Iterable[Cell]) -> str:
    """The evidence for the course of a series: its first and last whole periods, or its ends."""
    seen = _whole(cells)
    if len(seen) < 2:
        return "Une seule période complète est visible : rien ne se dit d’une évolution." if seen else ""
    which, first, last = course(seen), seen[0], seen[-1]
    if which is Course.UNKNOWN:
        return f"{_told(measure, first)} pour comparaison ; sans intervalle, rien ne dit si l’écart est établi."
    if which is Course.STEADY:
        return (
            f"{_told(measure, first)}, {french.small(_told(measure, last))} : les intervalles de toutes les périodes se "
            "recouvrent."
        )
    if which is Course.VARIES:
        lowest, highest = (choose(seen, key=lambda c: c.value or 0.0) for choose in (min, max))
        return (
            f"{_told(measure, lowest)} au plus bas, {french.small(_told(measure, highest))} au plus haut : des intervalles "
            "ne se recouvrent pas, mais ils ne vont pas tous dans le même sens."
        )
    text = (
        f"{_told(measure, first)}, {french.small(_told(measure, last))} : les deux intervalles ne se recouvrent pas, et "
        "aucune période entre les deux ne dit le contraire."
    )
    of_base = measure.denominator is not None and measure.denominator.column == "base_patients"
    return f"{text} {NEVER_SHRINKS}" if which is Course.FALLS and of_base else text


def _told(measure: Measure, cell: Cell) -> str:
    """As "En 2018, 10,0 ‰"."""
    assert cell.value is not None
    return f"{cell.period.when}, {figure(measure, cell.value)}"


def _whole(cells: Iterable[Cell]) -> list[Cell]:
    return [c for c in cells if c.value is not None and not c.partial and c.comparable is not False]


def _direction(before: Cell, last: Cell) -> int | None:
    """1 for more, -1 for less, 0 where the intervals meet, None without them."""
    if before.low is None or before.high is None or last.low is None or last.high is None:
        return None
    return (last.low > before.high) - (last.high < before.low)


def highest_title(noun: str, cells: Sequence[Cell]) -> str:
    """Which age has the highest figure of what the (masculine) noun says, if one is beyond doubt."""
    masked = any(c.masked for c in cells)
    if not _ages(cells):
        why = "tous les chiffres sont masqués" if masked else "aucun chiffre n’est publié"
        return f"Sur le {noun} selon l’âge, rien ne se dit : {why}"
    among = " visible" if masked else ""
    first = _first(cells)
    if first is None:
        return f"Aucune tranche d’âge{among} n’a un {noun} établi comme le plus élevé"
    ages = french.age_band(first.x["age_band"])
    return f"Le {noun} est le plus élevé chez les {ages}{', parmi les tranches visibles' if masked else ''}"


def highest(measure: Measure, cells: Sequence[Cell]) -> str:
    """The same with its figure, and how many ages are masked."""
    masked = sum(c.masked for c in cells)
    hidden = f" {french.counted(masked, 'tranche est masquée', 'tranches sont masquées')}." if masked else ""
    if not _ages(cells):
        return f"Aucune tranche d’âge n’est visible.{hidden}"
    first = _first(cells)
    if first is None or first.value is None:
        return f"Aucune tranche d’âge visible n’a un taux établi comme plus élevé que toutes les autres.{hidden}"
    name = french.age_band(first.x["age_band"])
    return f"Parmi les tranches visibles, la plus élevée est celle de {name} ({figure(measure, first.value)}), de façon établie.{hidden}"


def across_ages(noun: str, measure: Measure, cells: Sequence[Cell]) -> Markup | None:
    """Between which figures the ages lie, without naming any: the ends may be so by chance. None for fewer than two."""
    groups = _ages(cells)
    if len(groups) < 2:
        return None
    values = [c.value for c in groups if c.value is not None]
    ends = f"{french.number(min(values), measure.decimals)} à {figure(measure, max(values))}"
    return Markup("{}, le {} va, selon la tranche d’âge, de <strong>{}</strong> ({} tranches visibles).").format(
        groups[0].period.when, noun, ends, len(groups)
    )


def _ages(cells: Sequence[Cell]) -> list[Cell]:
    return [
        c for c in cells if c.value is not None and c.low is not None and c.x.get("age_band") not in ("all", "unknown")
    ]


def _first(cells: Sequence[Cell]) -> Cell | None:
    """The age whose interval lies above all others, of which there must be some."""
    groups = _ages(cells)
    if len(groups) < 2:
        return None
    ranges = rank_ranges([interval(c.low, c.high) for c in groups])
    return next((c for c, r in zip(groups, ranges, strict=True) if r == (1, 1)), None)


def apart_title(subject: str, chart: RegionMap | None) -> str:
    """How many regions differ from the whole; `subject` is what is counted and when, such as "Décès de 2019"."""
    if chart is None:
        return f"{subject} : aucun taux n’est publié"
    if chart.reference is None:
        masked = sum(r.value is None for r in chart.regions)
        why = f" ({french.counted(masked, 'région masquée', 'régions masquées')})" if masked else ""
        return f"{subject} : sans taux d’ensemble{why}, les régions ne se comparent pas"
    sides = _sides(chart)
    texts = [
        f"{text} dans {french.counted(len(sides[which]), 'région', 'régions')}"
        for which, text in ((Side.ABOVE, "au-dessus de l’ensemble"), (Side.BELOW, "en dessous"))
        if sides[which]
    ]
    if not texts:
        return f"{subject} : aucune région ne se distingue de l’ensemble"
    if not sides[Side.ABOVE]:
        texts = [texts[0].replace("en dessous", "en dessous de l’ensemble")]
    return f"{subject} : un taux brut {', '.join(texts)}"


def apart(chart: RegionMap) -> str:
    """Which regions differ from the whole, as far as intervals tell."""
    reference = chart.reference
    if reference is None:
        return "Sans taux d’ensemble, les régions ne sont pas comparées."
    sides = _sides(chart)
    whole = f"l’ensemble ({french.amount(reference.value, chart.unit, chart.digits)})"
    texts = [
        f"{text} de {whole}, intervalle entier compris : {french.listed([r.label for r in sides[which]])}."
        for which, text in ((Side.ABOVE, "Au-dessus"), (Side.BELOW, "En dessous"))
        if sides[which]
    ]
    lone = ""
    if names := [r.label for r in sides[Side.UNKNOWN]]:
        verb = "n’est pas comparée" if len(names) == 1 else "ne sont pas comparées"
        lone = f" {french.listed(names)} {verb} ({chart.without})."
    compared = sum(len(sides[which]) for which in Side if which is not Side.UNKNOWN)
    if not compared:
        return f"Sans intervalle, aucune région ne se compare à {whole}."
    if not texts:
        return f"Aucune région ne se distingue de {whole} : tous les intervalles le contiennent.{lone}"
    if rest := len(sides[Side.SAME]):
        texts.append(f"{french.counted(rest, 'autre ne s’en distingue pas', 'autres ne s’en distinguent pas')}.")
    texts.append(f"Sur {compared} comparaisons à 95 %, une peut s’écarter par le seul hasard.{lone}")
    return " ".join(texts)


def _sides(chart: RegionMap) -> Mapping[Side, Sequence[Region]]:
    shown = [r for r in chart.regions if r.value is not None]
    return {which: [r for r in shown if side(r, chart.reference) is which] for which in Side}


def established_title(subject: str, chart: Dots | None) -> str:
    """Whether a ranking of regions holds; `subject` is what is ranked and when, such as "Satisfaction de 2020"."""
    if chart is None or not any(r.value is not None for r in chart.rows):
        return f"{subject} : aucun score de région n’est visible"
    ranks = _ranks(chart)
    if not ranks:
        return f"{subject} : sans intervalles à comparer, aucun rang n’est établi"
    sure = sum(best == worst for _, best, worst in ranks)
    if not sure:
        return f"{subject} : aucun rang de région n’est établi"
    return f"{subject} : {french.counted(sure, 'rang de région est établi', 'rangs de régions sont établis')} sur {len(ranks)}"


def established(chart: Dots) -> str:
    """How many ranks are established among the rows of a dot plot, and whose."""
    ranks = _ranks(chart)
    if not ranks:
        return "Sans intervalles à comparer, aucun rang n’est donné."
    sure = [(row, best) for row, best, worst in ranks if best == worst]
    if not sure:
        return f"Un palmarès ne se justifie pas : aucun des {len(ranks)} rangs n’est établi."
    whose = french.listed([f"{row.label}, {french.ordinal(best)}" for row, best in sorted(sure, key=lambda r: r[1])])
    others = " ; les autres sont des fourchettes" if len(sure) < len(ranks) else ""
    return f"Sur {len(ranks)} régions, {french.counted(len(sure), 'rang est établi', 'rangs sont établis')} ({whose}){others}."


def _ranks(chart: Dots) -> list[tuple[Row, int, int]]:
    """The rows that have an interval, with the best and the worst rank it allows; none where one stands alone."""
    ranges = rank_ranges([interval(r.low, r.high) for r in chart.rows])
    found = [(row, *ranks) for row, ranks in zip(chart.rows, ranges, strict=True) if ranks]
    return found if len(found) > 1 else []
