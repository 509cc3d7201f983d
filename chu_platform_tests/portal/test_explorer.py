"""The explorer of released cells: every cell of a table is a published one, and nothing is computed of them."""

from io import BytesIO
from urllib.parse import parse_qs, quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from chu_platform.portal.addresses import explorer_address
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.random_tables import random_tables
from chu_platform_tests.portal.served import BY_SLUG, Served

pytestmark = pytest.mark.integration

FEW = 20
AGES = "sujet=hospitalisations-sexe-age&mesure=taux&axe1=age&axe2=sexe"


def published(made: Home, slug: str) -> pa.Table:
    """The published rows of a question, read without the portal."""
    return DeltaTable(made.lake.root / "published" / "kpis" / BY_SLUG[slug].table.name).to_pyarrow_table()


def file_of(portal: Served, query: str) -> pa.Table:
    answer = portal.get(f"/explorer/tableau.parquet?{query}")
    assert answer.status == 200, query
    return pq.read_table(BytesIO(answer.body))


def assert_released(made: Home, portal: Served, query: str) -> int:
    """Each row of a table is a published row, cell by cell; returns how many there are."""
    slug = parse_qs(query)["sujet"][0]
    rows = file_of(portal, query)
    keys = BY_SLUG[slug].table.key
    known = {tuple(row[k] for k in keys): row for row in published(made, slug).to_pylist()}
    found = rows.to_pylist()
    assert len({tuple(row[k] for k in keys) for row in found}) == len(found), query
    for row in found:
        assert row == {name: known[tuple(row[k] for k in keys)][name] for name in row}, query
    page = portal.get(f"/explorer?{query}")
    assert page.status == 200 and ("Rien à ce croisement" in page.text) == (not found), query
    return len(found)


def test_random_tables_hold_released_cells_alone(made: Home, portal: Served) -> None:
    """Many of them: `test_every_page`."""
    explore(made, portal, FEW)


def explore(made: Home, portal: Served, count: int) -> None:
    """As many random tables hold released cells alone; enough of them have several."""
    counts = [assert_released(made, portal, query) for query in random_tables(portal.reader.snapshot, 2023, count)]
    assert sum(found > 1 for found in counts) > count / 3


def test_a_table_has_all_cells_of_its_axes(made: Home, portal: Served) -> None:
    rows = file_of(portal, AGES)
    expected = [
        row
        for row in published(made, "hospitalisations-sexe-age").to_pylist()
        if row["period_grain"] == "all" and row["sex"] != "all" and row["age_band"] != "all"
    ]
    assert rows.num_rows == len(expected)
    page = portal.page(f"/explorer?{AGES}")
    table = page.one("table")
    assert [h.text for h in table.all("thead th")] == ["Âge", "Femmes", "Hommes"]
    masked = sum(row["is_masked"] for row in expected)
    assert len(table.all(".masked")) == masked > 0


def test_the_shown_query_gives_the_rows_of_the_file(made: Home, portal: Served) -> None:
    query = "sujet=consultations-etablissement&axe1=department&x=region:53&mesure=taux&mesure=nombre"
    sql = portal.page(f"/explorer?{query}").one("pre code").text
    with duckdb.connect() as connection:
        for name in ("kpis/kpi_consultation_rate_by_establishment", "kpis/published_department"):
            rows = DeltaTable(made.lake.root / "published" / name).to_pyarrow_table()
            connection.register(name.partition("/")[2], rows)
        found = connection.sql(sql).to_arrow_table().to_pylist()
    rows = file_of(portal, query).to_pylist()
    assert rows and [{name: row[name] for name in rows[0]} for row in found] == rows


def test_dates_keep_whole_periods_between_them(portal: Served) -> None:
    rows = file_of(portal, "sujet=hospitalisations&axe1=mois&du=2018-01-15&au=2018-04-30").to_pylist()
    assert [f"{row['period_start']:%Y-%m}" for row in rows] == ["2018-02", "2018-03", "2018-04"]


@pytest.mark.parametrize(
    "query",
    [
        "sujet=n-existe-pas",
        "sujet=hospitalisations&axe1=region",
        "sujet=hospitalisations&mesure=n",
        "sujet=hospitalisations&axe1=annee&axe2=mois",
        "sujet=hospitalisations&axe1=annee'; DROP TABLE need; --",
        "sujet=hospitalisations&du=hier",
        "sujet=hospitalisations&du=2020-01-01&au=2019-01-01",
        "sujet=hospitalisations&ordre=events",
        "sujet=deces-region&sexe=X",
        "sujet=deces-region&axe1=region&axe1=sexe",
        "sujet=consultations-etablissement&axe1=region&x=chapter:I",
        "sujet=consultations-etablissement&axe1=region&x=region",
    ],
)
def test_what_the_declarations_do_not_name_is_refused(query: str, portal: Served) -> None:
    for path in ("/explorer", "/explorer/tableau.csv"):
        answer = portal.get(f"{path}?{quote(query, safe='=&')}")
        assert answer.status in (400, 404) and '<html lang="fr">' in answer.text


def test_values_are_parameters_of_the_query(portal: Served) -> None:
    """A value that would be SQL finds no place of that name."""
    for value in ("region:11' OR '1'='1", "region:$code", "region:%"):
        query = explorer_address([("sujet", "consultations-etablissement"), ("axe1", "annee"), ("x", value)])
        assert "Rien à ce croisement" in portal.get(query).text


def test_a_finer_level_says_for_which_periods_it_is_published(portal: Served) -> None:
    page = portal.get("/explorer?sujet=consultations-etablissement&axe1=establishment&axe2=mois")
    assert page.status == 200 and "d’autres périodes : toute la période" in page.text.replace("’", "’")


def test_the_chart_is_a_file_too(portal: Served) -> None:
    answer = portal.get(f"/explorer/graphique.svg?{AGES}")
    assert answer.status == 200 and answer.headers["content-type"] == "image/svg+xml"
    assert answer.text.startswith("<svg") and "données publiées" in answer.text
    assert portal.get(f"/explorer/autre.csv?{AGES}").status == 404
