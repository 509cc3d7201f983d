"""What is claimed, and what is said not to be established; the expected texts are written by hand."""

from collections.abc import Sequence
from datetime import date

import pytest

from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.portal.cells import Cell, Peers
from chu_platform.portal.charts.dots import Dots, Row
from chu_platform.portal.charts.drawing import Reference
from chu_platform.portal.charts.regions import Region, RegionMap
from chu_platform.portal.findings import (
    Course,
    apart,
    apart_title,
    change,
    change_title,
    course,
    established,
    established_title,
    highest,
    highest_title,
)
from chu_platform.portal.readable_periods import Period
from chu_platform.portal.sentences import standing
from chu_platform_tests.html import parsed

pytestmark = pytest.mark.unit

RATE = kpi_hospitalisation_rate.question.measures[0]
NOUN = "recours à l’hospitalisation"


def plain(text: str) -> str:
    return parsed(text).text


def cell(
    x: dict[str, str],
    period: Period,
    value: float | None,
    low: float | None,
    high: float | None,
    partial: bool = False,
    absent: bool = False,
) -> Cell:
    return Cell(
        x=x,
        label="",
        name="",
        period=period,
        partial=partial,
        masked=value is None and not absent,
        pending=False,
        value=value,
        low=low,
        high=high,
        numerator=None,
        denominator=None,
        counts=[],
    )


def year(n: int, value: float | None, low: float | None, high: float | None, partial: bool = False) -> Cell:
    period = Period("year", date(n, 1, 1), date(n + 1, 1, 1))
    return cell({}, period, value, low, high, partial)


def band(age: str, value: float | None, low: float | None = None, high: float | None = None) -> Cell:
    period = Period("year", date(2019, 1, 1), date(2020, 1, 1))
    return cell({"age_band": age}, period, value, low, high)


def series(*figures: tuple[float, float | None, float | None]) -> list[Cell]:
    """Years from 2015 on, each with its value and limits."""
    return [year(2015 + n, *given) for n, given in enumerate(figures)]


# The stays of the real warehouse, 2015 to 2020, per 1 000 patients: more in 2017 than before and after.
STAYS = series((2.6, 2.2, 2.9), (4.0, 3.6, 4.4), (4.6, 4.2, 5.0), (4.0, 3.6, 4.4), (3.7, 3.4, 4.1), (4.1, 3.7, 4.5))
NOISE = series((10.0, 9.0, 11.0), (14.0, 12.0, 16.0), (10.5, 9.5, 11.5), (7.0, 6.0, 8.0), (10.0, 9.0, 11.0))


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (series((10.0, 9.0, 11.0), (14.0, 12.0, 16.0)), Course.RISES),
        (series((10.0, 9.0, 11.0), (7.0, 6.0, 8.0)), Course.FALLS),
        (series((10.0, 9.0, 11.0), (12.0, 10.5, 14.0)), Course.STEADY),
        # Two intervals that touch have a value in common.
        (series((10.0, 9.0, 11.0), (12.0, 11.0, 13.0)), Course.STEADY),
        (series((10.0, 9.0, 11.0), (14.0, None, None)), Course.UNKNOWN),
        (series((10.0, 9.0, 11.0)), Course.UNKNOWN),
        # The last two differ, and so do others, to the other side.
        (NOISE, Course.VARIES),
        (STAYS, Course.VARIES),
        # Up from the first to the last, with a fall of which nothing is established.
        (series((1.0, 0.9, 1.1), (9.0, 8.0, 10.0), (8.5, 7.5, 9.5)), Course.RISES),
        # Up from the first to the last, with a fall between that is established.
        (series((1.0, 0.9, 1.1), (9.0, 8.0, 10.0), (5.0, 4.0, 6.0)), Course.VARIES),
        ([*series((10.0, 9.0, 11.0), (10.5, 9.5, 11.5)), year(2020, 1.0, 0.5, 1.5, partial=True)], Course.STEADY),
    ],
)
def test_a_course_is_that_of_all_whole_periods(cells: Sequence[Cell], found: Course) -> None:
    """Independently: every pair of periods is compared by hand."""
    whole = [c for c in cells if not c.partial]
    apart = {
        (a.period.label, b.period.label): 1 if (b.low or 0) > (a.high or 0) else -1
        for i, a in enumerate(whole)
        for b in whole[i + 1 :]
        if a.high is not None and b.low is not None and ((b.low or 0) > (a.high or 0) or (b.high or 0) < (a.low or 0))
    }
    assert course(cells) is found
    if found is Course.RISES:
        assert set(apart.values()) == {1} and (whole[0].period.label, whole[-1].period.label) in apart
    assert (found is Course.STEADY) is (not apart and all(c.low is not None for c in whole) and len(whole) > 1)


def test_a_title_tells_the_course_and_its_evidence() -> None:
    up = series((10.0, 9.0, 11.0), (11.0, 10.0, 12.0), (14.0, 12.5, 16.0))
    assert change_title(NOUN, up) == "Le recours à l’hospitalisation augmente de 2015 à 2017"
    assert plain(change(RATE, up)) == (
        "En 2015, 10,0 ‰, en 2017, 14,0 ‰ : les deux intervalles ne se recouvrent pas, et aucune période entre les "
        "deux ne dit le contraire."
    )
    down = series((10.0, 9.0, 11.0), (7.0, 6.0, 8.0))
    assert change_title(NOUN, down) == "Le recours à l’hospitalisation baisse de 2015 à 2016"
    assert "La base ne diminue pas" in change(RATE, down)
    assert change_title(NOUN, NOISE) == (
        "Le recours à l’hospitalisation varie d’une période à l’autre, sans tendance établie de 2015 à 2019"
    )
    assert plain(change(RATE, NOISE)).startswith("En 2018, 7,0 ‰ au plus bas, en 2016, 14,0 ‰ au plus haut : ")
    even = series((10.0, 9.0, 11.0), (12.0, 10.5, 14.0))
    assert change_title(NOUN, even) == "De 2015 à 2016, aucune évolution du recours à l’hospitalisation n’est établie"
    assert plain(change(RATE, even)).endswith("les intervalles de toutes les périodes se recouvrent.")
    bare = series((10.0, None, None), (12.0, None, None))
    assert change_title(NOUN, bare) == "De 2015 à 2016, aucune évolution du recours à l’hospitalisation n’est établie"
    assert "sans intervalle, rien ne dit" in change(RATE, bare)


def test_a_title_without_two_whole_visible_periods_says_why() -> None:
    whole, hidden = year(2018, 10.0, 9.0, 11.0), year(2019, None, None, None)
    cut = year(2020, 1.0, 0.5, 1.5, partial=True)
    assert change_title(NOUN, [whole, hidden, cut]) == (
        "Le recours à l’hospitalisation n’est connu que pour 2018 : rien ne se dit d’une évolution"
    )
    assert change_title(NOUN, [hidden, cut]).endswith("rien ne se dit : les chiffres complets sont masqués")
    assert change_title(NOUN, [cut]).endswith("rien ne se dit : aucune période complète n’est publiée")
    assert change_title(NOUN, []).endswith("rien ne se dit : aucun chiffre n’est publié")


def test_an_incomplete_or_masked_period_is_no_change() -> None:
    whole = year(2018, 10.0, 9.0, 11.0)
    said = change(RATE, [whole, year(2019, None, None, None), year(2020, 1.0, 0.5, 1.5, partial=True)])
    assert said == "Une seule période complète est visible : rien ne se dit d’une évolution."


def test_an_age_is_the_highest_only_beyond_doubt() -> None:
    surely = [band("0-4", 5.0, 4.0, 6.0), band("85+", 20.0, 15.0, 25.0), band("all", 90.0, 80.0, 99.0)]
    assert "celle de 85 ans et plus" in highest(RATE, surely)
    unsure = [*surely, band("80-84", 14.0, 10.0, 16.0), band("75-79", None)]
    said = plain(highest(RATE, unsure))
    assert said.startswith("Aucune tranche d’âge visible n’a un taux établi") and "1 tranche est masquée." in said


def test_a_title_names_the_highest_age_only_beyond_doubt() -> None:
    surely = [band("0-4", 5.0, 4.0, 6.0), band("85+", 20.0, 15.0, 25.0), band("all", 90.0, 80.0, 99.0)]
    assert highest_title(NOUN, surely) == "Le recours à l’hospitalisation est le plus élevé chez les 85 ans et plus"
    hidden = band("75-79", None)
    assert highest_title(NOUN, [*surely, hidden]) == (
        "Le recours à l’hospitalisation est le plus élevé chez les 85 ans et plus, parmi les tranches visibles"
    )
    close = band("80-84", 14.0, 10.0, 16.0)
    assert highest_title(NOUN, [*surely, close]) == (
        "Aucune tranche d’âge n’a un recours à l’hospitalisation établi comme le plus élevé"
    )
    assert highest_title(NOUN, [*surely, close, hidden]) == (
        "Aucune tranche d’âge visible n’a un recours à l’hospitalisation établi comme le plus élevé"
    )
    assert highest_title(NOUN, [hidden]).endswith("selon l’âge, rien ne se dit : tous les chiffres sont masqués")
    assert highest_title(NOUN, []).endswith("selon l’âge, rien ne se dit : aucun chiffre n’est publié")


def test_who_stands_alone_is_not_the_highest() -> None:
    alone = [band("85+", 20.0, 15.0, 25.0), band("0-4", None)]
    assert "établi comme le plus élevé" in highest_title(NOUN, alone)
    assert "n’a un taux établi comme plus élevé" in highest(RATE, alone)
    one = Dots("Score", "", 1, [Row("a", 70.0, 65.0, 75.0), Row("b", None)])
    assert established_title("Scores", one) == "Scores : sans intervalles à comparer, aucun rang n’est établi"


def test_regions_stand_apart_only_with_whole_intervals() -> None:
    whole = Reference("Ensemble", 9.0)

    def chart(*regions: Region) -> RegionMap:
        return RegionMap("Décès", "‰", 1, regions, whole)

    corse, guyane = Region("94", "Corse", 10.0, 9.5, 10.5), Region("03", "Guyane", 4.0, 3.0, 5.0)
    alike, hidden = Region("53", "Bretagne", 9.2, 8.5, 9.9), Region("06", "Mayotte", None)
    said = plain(apart(chart(corse, guyane, alike, hidden)))
    assert said == (
        "Au-dessus de l’ensemble (9,0 ‰), intervalle entier compris : Corse. "
        "En dessous de l’ensemble (9,0 ‰), intervalle entier compris : Guyane. "
        "1 autre ne s’en distingue pas. Sur 3 comparaisons à 95 %, une peut s’écarter par le seul hasard."
    )
    assert plain(apart(chart(alike, hidden))).startswith("Aucune région ne se distingue")
    lone = Region("06", "Mayotte", 12.0)
    assert plain(apart(chart(corse, alike, lone))).endswith(
        "1 autre ne s’en distingue pas. Sur 2 comparaisons à 95 %, une peut s’écarter par le seul hasard. "
        "Mayotte n’est pas comparée (sans intervalle)."
    )
    assert plain(apart(chart(lone))) == "Sans intervalle, aucune région ne se compare à l’ensemble (9,0 ‰)."


def test_who_is_alone_has_nothing_to_be_compared_with() -> None:
    def said(shown: int, masked: int = 0) -> str:
        own = year(2019, 10.0, 9.0, 11.0)
        peers = Peers("Spécialités", [own], False, shown, masked, 0, None, None, None, (1, shown), [])
        return plain(standing(RATE, peers, own) or "")

    assert said(1) == "Rien à quoi le comparer : c’est le seul chiffre visible."
    assert said(1, 3) == "Rien à quoi le comparer : c’est le seul chiffre visible (3 autres sont masqués)."
    assert said(2) == "Aucun rang n’est établi : l’intervalle les permet tous."


def test_a_ranking_is_refused_where_no_rank_is_sure() -> None:
    alike = Dots("Score", "", 1, [Row("a", 70.0, 65.0, 75.0), Row("b", 71.0, 66.0, 76.0)])
    assert established(alike) == "Un palmarès ne se justifie pas : aucun des 2 rangs n’est établi."
    clear = Dots("Score", "", 1, [Row("a", 50.0, 49.0, 51.0), Row("b", 71.0, 66.0, 76.0), Row("c", 72.0, 67.0, 77.0)])
    assert plain(established(clear)) == "Sur 3 régions, 1 rang est établi (a, 3e) ; les autres sont des fourchettes."


def test_a_title_counts_the_regions_apart() -> None:
    corse, guyane = Region("94", "Corse", 10.0, 9.5, 10.5), Region("03", "Guyane", 4.0, 3.0, 5.0)
    mayotte, alike = Region("06", "Mayotte", 3.0, 2.0, 4.0), Region("53", "Bretagne", 9.2, 8.5, 9.9)

    def title(*regions: Region, whole: float | None = 9.0) -> str:
        reference = None if whole is None else Reference("Ensemble", whole)
        return plain(apart_title("Décès de 2019", RegionMap("Décès", "‰", 1, regions, reference)))

    assert title(corse, guyane, mayotte, alike) == (
        "Décès de 2019 : un taux brut au-dessus de l’ensemble dans 1 région, en dessous dans 2 régions"
    )
    assert title(guyane, alike) == "Décès de 2019 : un taux brut en dessous de l’ensemble dans 1 région"
    assert title(alike) == "Décès de 2019 : aucune région ne se distingue de l’ensemble"
    assert title(corse, Region("06", "Mayotte", None), whole=None) == (
        "Décès de 2019 : sans taux d’ensemble (1 région masquée), les régions ne se comparent pas"
    )
    assert apart_title("Décès de 2019", None) == "Décès de 2019 : aucun taux n’est publié"


def test_a_title_counts_the_ranks_that_hold() -> None:
    def title(*rows: Row) -> str:
        return plain(established_title("Satisfaction de 2020", Dots("Score", "", 1, rows)))

    a, b, c = Row("a", 50.0, 49.0, 51.0), Row("b", 71.0, 66.0, 76.0), Row("c", 72.0, 67.0, 77.0)
    assert title(a, b, c) == "Satisfaction de 2020 : 1 rang de région est établi sur 3"
    assert title(b, c) == "Satisfaction de 2020 : aucun rang de région n’est établi"
    assert title(Row("a", 50.0), Row("b", 60.0)).endswith("sans intervalles à comparer, aucun rang n’est établi")
    assert title(Row("a", None)) == "Satisfaction de 2020 : aucun score de région n’est visible"
    assert established_title("Scores", None) == "Scores : aucun score de région n’est visible"
    sure = Dots("Score", "", 1, [Row("a", 9.0, 8.0, 10.0), Row("b", 1.0, 0.0, 2.0)])
    assert plain(established(sure)) == "Sur 2 régions, 2 rangs sont établis (a, 1er et b, 2e)."
