"""The story: its figures are those of the published tables, and it claims no more than intervals allow."""

import re
from datetime import date

import duckdb
import pytest

from chu_platform.portal.cells import Cell
from chu_platform.portal.charts.dots import Dots, Row
from chu_platform.portal.charts.drawing import Reference
from chu_platform.portal.charts.regions import Region, RegionMap
from chu_platform.portal.choices import choose
from chu_platform.portal.periods import Period
from chu_platform.portal.story import apart, change, established, highest, tell
from chu_platform.portal.views import View, look
from chu_platform.published.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.published.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.published.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import Served


@pytest.fixture(scope="module")
def stays(portal: Served) -> View:
    snapshot = portal.reader.snapshot
    return look(snapshot, choose(snapshot, "hospitalisations", []))


def plain(text: str) -> str:
    return re.sub(r"<[^>]+>", "", text).replace("\u202f", " ").replace("\u00a0", " ")


def cell(
    x: dict[str, str],
    period: Period,
    value: float | None,
    low: float | None,
    high: float | None,
    partial: bool = False,
) -> Cell:
    return Cell(
        x=x,
        label="",
        name="",
        period=period,
        partial=partial,
        masked=value is None,
        value=value,
        low=low,
        high=high,
        numerator=None,
        denominator=None,
    )


def year(n: int, value: float | None, low: float | None, high: float | None, partial: bool = False) -> Cell:
    period = Period("year", date(n, 1, 1), date(n + 1, 1, 1))
    return cell({}, period, value, low, high, partial)


def band(age: str, value: float | None, low: float | None = None, high: float | None = None) -> Cell:
    period = Period("year", date(2019, 1, 1), date(2020, 1, 1))
    return cell({"age_band": age}, period, value, low, high)


def test_the_figures_of_the_story_are_those_of_the_published_tables(made: Home, portal: Served) -> None:
    page = plain(portal.page("/recit"))
    counts = [
        ("events", kpi_hospitalisation_rate, "period_grain = 'all'"),
        ("events", kpi_consultation_rate_by_establishment, "period_grain = 'all' AND level = 'total'"),
        ("deaths", kpi_deaths_by_region, "year = 2019 AND sex = 'all' AND age_band = 'all'"),
    ]
    for column, table, where in counts:
        sql = f"SELECT sum({column}) FROM {made.lake.relation(table)} WHERE {where}"
        count = duckdb.connect().sql(sql).fetchall()[0][0]
        assert f"{round(count):,}".replace(",", " ") in page


def test_the_story_goes_from_the_question_to_what_to_do(portal: Served) -> None:
    page = portal.page("/recit")
    steps = re.findall(r'<section class="step" id="etape-(\d+)"', page)
    assert steps == [str(n) for n in range(1, 12)]
    for n in range(1, 11):
        assert f'rel="next" href="#etape-{n + 1}"' in page
    kickers = re.findall(r'class="count">\d+ / 11</span> ([^<]+)<', page)
    assert (kickers[0], kickers[2], kickers[3], kickers[-2], kickers[-1]) == (
        "La question", "L’entrepôt", "La méthode", "Les limites", "Que faire",
    )  # fmt: skip


def test_the_story_shows_no_masked_figure(portal: Served) -> None:
    told = tell(portal.reader.snapshot)
    for shown in (told.consultations, told.stays, told.ages, told.deaths, told.satisfaction):
        assert shown is None or not re.search(r"\b(None|nan|null)\b", str(shown))


def test_a_change_is_told_only_where_intervals_do_not_meet(stays: View) -> None:
    first = year(2018, 10.0, 9.0, 11.0)
    assert change([first, year(2019, 14.0, 12.0, 16.0)], stays).startswith("C’est plus qu’en 2018")
    assert change([first, year(2019, 7.0, 6.0, 8.0)], stays).startswith("C’est moins qu’en 2018")
    assert change([first, year(2019, 12.0, 10.5, 14.0)], stays).startswith("Aucune évolution n’est établie")


def test_an_incomplete_or_masked_period_is_no_change(stays: View) -> None:
    whole = year(2018, 10.0, 9.0, 11.0)
    said = change([whole, year(2019, None, None, None), year(2020, 1.0, 0.5, 1.5, partial=True)], stays)
    assert said == "Une seule période complète est visible : rien ne se dit d’une évolution."


def test_an_age_is_the_highest_only_beyond_doubt(stays: View) -> None:
    surely = [band("0-4", 5.0, 4.0, 6.0), band("85+", 20.0, 15.0, 25.0), band("all", 90.0, 80.0, 99.0)]
    assert "celle de 85 ans et plus" in highest(surely, stays)
    unsure = [*surely, band("80-84", 14.0, 10.0, 16.0), band("75-79", None)]
    said = plain(highest(unsure, stays))
    assert said.startswith("Aucune tranche d’âge visible n’a un taux établi") and "1 tranche est masquée." in said


def test_regions_stand_apart_only_with_whole_intervals() -> None:
    whole = Reference("Ensemble", 9.0)

    def chart(*regions: Region) -> RegionMap:
        return RegionMap("Décès", "‰", 1, regions, whole)

    corse, guyane = Region("94", "Corse", 10.0, 9.5, 10.5), Region("03", "Guyane", 4.0, 3.0, 5.0)
    alike, hidden = Region("53", "Bretagne", 9.2, 8.5, 9.9), Region("06", "Mayotte", None)
    said = plain(apart(chart(corse, guyane, alike, hidden)))
    assert "Corse est au-dessus et Guyane est en dessous" in said and "1 autre ne s’en distingue pas" in said
    assert "Sur 3 comparaisons" in said and "Mayotte" not in said
    assert plain(apart(chart(alike, hidden))).startswith("Aucune région ne se distingue")


def test_a_ranking_is_refused_where_no_rank_is_sure() -> None:
    alike = Dots("Score", "", 1, [Row("a", 70.0, 65.0, 75.0), Row("b", 71.0, 66.0, 76.0)])
    assert established(alike) == "Un palmarès ne se justifie pas : aucun des 2 rangs n’est établi."
    clear = Dots("Score", "", 1, [Row("a", 50.0, 49.0, 51.0), Row("b", 71.0, 66.0, 76.0), Row("c", 72.0, 67.0, 77.0)])
    assert plain(established(clear)) == "Sur 3 régions, 1 rang est établi ; les autres sont des fourchettes."
