"""The page that says how complete the register of deaths is, beside its published table, read by delta-rs."""

import duckdb
import pytest
from deltalake import DeltaTable

from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import Served
from chu_platform_tests.portal.test_pages import section
from chu_platform_tests.portal.test_profile_pages import plain

pytestmark = pytest.mark.integration


def test_every_page_of_deaths_leads_to_the_coverage(portal: Served) -> None:
    for path in ("/", "/questions/mortalite", "/questions/deces-mois", "/questions/deces-region"):
        assert "/registre" in portal.page(path).links
    assert "/registre" not in portal.page("/questions/hospitalisations").links


def test_the_page_has_each_year_with_its_coverage_and_why_it_is_not_comparable(made: Home, portal: Served) -> None:
    coverage = DeltaTable(made.lake.root / "published" / "reports" / "death_coverage").to_pyarrow_table()
    with duckdb.connect() as connection:
        connection.register("coverage", coverage)
        rows = connection.sql(
            """
            SELECT sex, year, deaths, expected, coverage, is_comparable, reason,
                (SELECT coverage FROM coverage o WHERE o.sex = c.sex AND o.year = c.year AND o.age_group = '85+')
            FROM coverage c WHERE age_group = 'all' ORDER BY sex = 'all' DESC, sex, year
            """
        ).fetchall()
    years = [row for row in rows if row[0] == "all"]
    page = portal.page("/registre")
    comparable = [year for _, year, *_, is_comparable, _, _ in years if is_comparable]
    assert f"{len(comparable)} sur {len(years)} sont comparables" in page.one(".lead").text
    assert all(str(year) in page.one(".lead").text for year in (comparable[0], comparable[-1]))
    # A screen reader and whoever sees no colour read the picture in the tables.
    shown = [[cell.text for cell in row.all("th, td")] for row in section(page, "couverture").all("tbody tr")]
    assert shown == [
        [
            str(year),
            "–" if deaths is None else plain(deaths, 0),
            "–" if expected is None else plain(expected, 0),
            *("–" if share is None else f"{plain(100 * share)} %" for share in (of_all, of_oldest)),
            "oui" if is_comparable else "non",
        ]
        for _, year, deaths, expected, of_all, is_comparable, _, of_oldest in rows
    ]
    reasons = " ".join(section(page, "motifs").text.split())
    assert all(" ".join(reason.split()) in reasons for *_, reason, _ in years if reason)


def test_the_picture_marks_the_comparable_years(made: Home, portal: Served) -> None:
    del made
    drawn = section(portal.page("/registre"), "couverture").one("svg.chart-wide")
    assert drawn.all("path.span") and drawn.all("path.series-own") and drawn.all("path.series-second")
    assert "registre complet : 100" in drawn.text and "85 ans et plus" in drawn.text
