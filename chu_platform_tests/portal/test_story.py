"""The story: its figures are those of the published tables, its titles the findings, its steps complete."""

import re
from pathlib import Path

import pytest

from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.kpis.kpi_hospitalisation_rate_by_sex_and_age import kpi_hospitalisation_rate_by_sex_and_age
from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.portal.addresses import ServedAddresses
from chu_platform.portal.defence import SPEECH
from chu_platform.portal.story import story_of
from chu_platform.tables.table import Table
from chu_platform_tests import small_duckdb
from chu_platform_tests.html import parsed
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import Served, serving

pytestmark = pytest.mark.integration


def plain(text: str) -> str:
    return parsed(text).text


def test_the_figures_of_the_story_are_those_of_the_published_tables(made: Home, portal: Served) -> None:
    page = portal.page("/recit")
    counts = [
        ("events", kpi_hospitalisation_rate.masked, "period_grain = 'all'"),
        ("events", kpi_consultation_rate_by_establishment.masked, "period_grain = 'all' AND level = 'total'"),
        (
            "deaths",
            kpi_deaths_by_region.masked,
            "year = 2019 AND sex = 'all' AND age_band = 'all' AND region_code <> 'all'",
        ),
    ]
    for column, table, where in counts:
        sql = f"SELECT sum({column}) FROM {made.lake.relation(table)} WHERE {where}"
        count = small_duckdb.connect().sql(sql).fetchall()[0][0]
        assert f"{round(count):,}".replace(",", " ") in page


def test_the_story_goes_from_the_question_to_what_to_do(portal: Served) -> None:
    page = portal.page("/recit")
    steps = page.all("section.step")
    assert [step.attributes["id"] for step in steps] == [f"etape-{n}" for n in range(1, STEPS + 1)]
    following = [e.attributes["href"] for step in steps for e in step.all("a[rel=next]")]
    assert following == [f"#etape-{n}" for n in range(2, STEPS + 1)]
    kickers = [step.one(".kicker").own_text for step in steps]
    assert (kickers[0], kickers[3], kickers[6], kickers[-2], kickers[-1]) == (
        "La question", "L’entrepôt", "La lecture", "Les limites", "Que faire",
    )  # fmt: skip


def test_the_story_shows_no_masked_figure(portal: Served) -> None:
    told = story_of(portal.reader.snapshot, ServedAddresses())
    for name in RESULTS:
        assert not re.search(r"\b(nan|null)\b|[:( ]None\b", str(getattr(told, name).shown))


STEPS = len(SPEECH)
RESULTS = ("consultations", "stays", "ages", "deaths", "satisfaction")


def test_the_title_of_each_result_is_its_finding(portal: Served) -> None:
    told = story_of(portal.reader.snapshot, ServedAddresses())
    page = portal.page("/recit")
    titles = [plain(getattr(told, name).title) for name in RESULTS]
    assert [page.one(f"#titre-{n}").text for n in range(8, 13)] == titles
    assert len(set(titles)) == 5
    for name in RESULTS:
        assert plain(getattr(told, name).finding) in page


def test_the_published_zone_is_counted_with_its_reports(made: Home, portal: Served) -> None:
    folders = [p for p in (made.lake.root / "published").glob("*/*") if (p / "_delta_log").is_dir()]
    (published,) = (e for e in portal.page("/recit").all("ol.way li") if e.one("strong").text == "Publication")
    assert published.one(".big").text == str(len(folders))
    reports = len(list((made.lake.root / "published" / "reports").iterdir()))
    assert f"dont {reports} rapports" in published


def test_every_result_says_what_its_figure_is_made_of(made: Home, portal: Served) -> None:
    page = portal.page("/recit")
    step = {n: page.one(f"#etape-{n}").text for n in (10, 11, 12)}

    def total(columns: str, table: Table, where: str) -> tuple[float, ...]:
        sql = f"SELECT {columns} FROM {made.lake.relation(table)} WHERE {where}"
        (row,) = small_duckdb.connect().sql(sql).fetchall()
        return tuple(row)

    # Rates of the ages go from the least to the greatest; both sexes.
    found = re.search(
        r"En (\d{4}), le taux de recours à l’hospi\w+ va, selon la tranche d’âge, de (\S+) à (\S+) ‰", step[10]
    )
    assert found
    where = f"period_grain = 'year' AND period_start = DATE '{found[1]}-01-01'"
    where += " AND sex = 'all' AND age_band NOT IN ('all', 'unknown')"
    ends = total("min(rate_per_1000), max(rate_per_1000)", kpi_hospitalisation_rate_by_sex_and_age.masked, where)
    assert found.groups()[1:] == tuple(f"{end:.1f}".replace(".", ",") for end in ends)
    assert "Tous âges : " in step[10]
    # As the definition says.
    assert "de cet âge au milieu de la période" in step[10] and "au moins un jour" not in step[10]
    assert "âge au milieu de la période" in portal.page("/methode")

    rated = "year = 2019 AND sex = 'all' AND age_band = 'all' AND rate_per_1000 IS NOT NULL AND region_code <> 'all'"
    deaths, people = total(
        "sum(rated_deaths), CAST(round_even(sum(population), 0) AS BIGINT)", kpi_deaths_by_region.masked, rated
    )
    if "au moins" not in step[11]:
        assert f"{deaths:,} décès pour {people:,} habitants".replace(",", " ") in step[11]
        assert "sans intervalle pour l’ensemble" in step[11]

    france = "year = 2020 AND survey = '48h_mco' AND region_code = 'all'"
    (answers,) = total("answers", kpi_satisfaction_by_region.masked, france)
    assert f"{answers:,} réponses".replace(",", " ") in step[12]


def test_the_satisfaction_of_the_story_is_one_measure_and_its_course(made: Home, portal: Served) -> None:
    """Headline, title and evidence are of the weighted mean; the course follows from its published limits."""
    sql = (
        "SELECT year, score_weighted, weighted_low, weighted_high FROM "
        f"{made.lake.relation(kpi_satisfaction_by_region.masked)} "
        "WHERE survey = '48h_mco' AND region_code = 'all' ORDER BY year"
    )
    first, *_, last = small_duckdb.connect().sql(sql).fetchall()
    step = portal.page("/recit").one("#etape-12")
    text, title = step.text, step.one("h2").text
    assert f"le score moyen de satisfaction est de {last[1]:.1f}".replace(".", ",") in text
    assert f"{last[2]:.1f} à {last[3]:.1f} sur 100".replace(".", ",") in text
    if last[2] > first[3]:
        assert title == f"Le score moyen de satisfaction augmente de {first[0]} à {last[0]}"
        assert f"En {first[0]}, {first[1]:.1f} sur 100".replace(".", ",") in text
    else:
        assert title.startswith("Satisfaction de 2020 : ")


def test_before_anything_is_published_the_titles_say_so(tmp_path: Path) -> None:
    with serving(tmp_path / "empty") as portal:
        page = portal.page("/recit").text
    assert page.count("aucun chiffre n’est publié") == 3
    assert "Décès de 2019 : aucun taux n’est publié" in page
    assert "Satisfaction de 2020 : aucun score de région n’est visible" in page
    assert page.count("Ce chiffre n’est pas encore publié.") == 5
