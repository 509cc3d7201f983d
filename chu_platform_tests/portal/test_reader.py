"""The reader serves one whole edition, and the last good one while tables are rewritten."""

import re
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.kpis.kpi_consultation_rate_by_diagnosis import kpi_consultation_rate_by_diagnosis
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.kpis.kpi_consultation_rate_by_professional import kpi_consultation_rate_by_professional
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.portal.addresses import ServedAddresses
from chu_platform.portal.choices import choose
from chu_platform.portal.reader import Reader
from chu_platform.portal.rendering import Renderer
from chu_platform.portal.views import view_of
from chu_platform.release.published_quality import published_quality
from chu_platform.reports.check_result import check_result
from chu_platform.storage.commit import commit_written
from chu_platform.storage.edition_manifest import published_edition, record_published
from chu_platform.storage.lake import Lake
from chu_platform.storage.superseded import keep_only
from chu_platform.tables.table import Table
from chu_platform_tests.html import Element, parsed
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import QUESTIONS, Served, full_catalogue, serving

pytestmark = pytest.mark.integration

# Tables of one edition, and the count of each that the home page shows.
TOGETHER = {
    kpi_consultation_rate_by_establishment.masked: "patients",
    kpi_consultation_rate_by_diagnosis.masked: "patients",
    kpi_consultation_rate_by_professional.masked: "professionals",
}
ROUNDS = 4
CLIENTS = 4
FIRST = 1001
MAX_WAIT = 600


@pytest.fixture
def lake(made: Home, tmp_path: Path) -> Lake:
    """A copy of the published zone alone: the portal needs no other."""
    shutil.copytree(made.lake.root / "published", tmp_path / "lake" / "published")
    return Lake(tmp_path / "lake")


def rewrite(lake: Lake, table: Table, column: str, count: int) -> None:
    """Write the table anew with one count in every row that is not masked. No manifest names the new version."""
    rows = lake.arrow(table)
    counts = pa.array([None if m else count for m in rows["is_masked"].to_pylist()], rows.schema.field(column).type)
    rows = rows.set_column(rows.column_names.index(column), rows.schema.field(column), counts)
    with lake.writing(table) as write:
        if table.partition_by:
            pq.write_to_dataset(rows, write.rows, partition_cols=list(table.partition_by))
        else:
            pq.write_table(rows, write.rows / write.new_name("rows.parquet"))
        commit_written(lake, table, write, None, {"run": "r", "asset": table.name, "read": {}})


def publish(lake: Lake) -> None:
    """Let readers see the current versions as a new edition, and delete what they saw before."""
    before = published_edition(lake.place)
    assert before is not None
    tables = {t.folder: lake.version(t) for t in catalogue() if t.edition}
    record_published(lake.place, replace(before, number=before.number + 1, tables=tables))
    for table in catalogue():
        if table.edition:
            keep_only(lake, table, tables[table.folder])


def remake(lake: Lake, count: int) -> None:
    """Publish an edition, one table after the other, as a release does."""
    for table, column in TOGETHER.items():
        rewrite(lake, table, column, count)
    publish(lake)


def test_four_clients_read_while_tables_are_rewritten_and_their_old_files_deleted(lake: Lake) -> None:
    """No request fails, and no page shows figures of two versions."""
    mixed: list[Sequence[str]] = []
    failed: list[tuple[str, int]] = []
    seen: set[str] = set()
    ended = threading.Event()
    remake(lake, FIRST - 1)
    first = published_edition(lake.place)
    assert first is not None

    def client(portal: Served, number: int) -> None:
        paths = ["/", *(f"/questions/{q.slug}" for q in QUESTIONS), "/recherche/diagnostics?q=a"]
        turn = number
        while not ended.is_set():
            path = "/" if turn % 2 else paths[turn % len(paths)]
            answer = portal.get(path)
            if answer.status != 200:
                failed.append((path, answer.status))
            if path == "/":
                # The stays of card 3 and on are no part of the family.
                counts = consultation_counts(parsed(answer.body.decode()))
                seen.update(counts)
                if len(set(counts)) != 1 or len(counts) != 3:
                    mixed.append(counts)
            turn += 1
            ended.wait(0.02)

    with serving(lake.root) as portal:
        portal.reader.follow()
        clients = [threading.Thread(target=client, args=(portal, n)) for n in range(CLIENTS)]
        for thread in clients:
            thread.start()
        for number in range(FIRST, FIRST + ROUNDS):
            remake(lake, number)
            wait_until_served(portal, first.number + 1 + number - FIRST)
            ended.wait(0.3)
        ended.set()
        for thread in clients:
            thread.join()
        portal.reader.refresh()
        last = consultation_counts(portal.page("/"))
        portal.reader.close()
    assert failed == []
    assert mixed == []
    assert len(seen) > ROUNDS // 2, "the pages never changed: this tests nothing"
    assert set(last) == {str(FIRST + ROUNDS - 1)}


def wait_until_served(portal: Served, edition: int) -> None:
    """Wait until the portal serves this edition."""
    deadline = time.monotonic() + MAX_WAIT
    while portal.reader.snapshot.edition is None or portal.reader.snapshot.edition.number != edition:
        assert time.monotonic() < deadline, "the new edition is not served"
        time.sleep(0.05)


def consultation_counts(page: Element) -> list[str]:
    """The counts on the cards of the three consultation indicators."""
    cards = [c.text for c in page.all("li.card") if c.links[0].startswith("/questions/consultations-")]
    found = [re.search(r"(\d[\d ]*) (?:patients distincts|professionnels)\b", c) for c in cards]
    return [m[1].replace(" ", "") for m in found if m]


def test_tables_that_no_manifest_names_are_not_served(lake: Lake) -> None:
    """A release that was killed between two tables has written some of them."""
    reader = Reader(lake.root, full_catalogue())
    before = reader.snapshot
    rewrite(lake, kpi_consultation_rate_by_establishment.masked, "patients", FIRST)
    reader.refresh()
    assert reader.snapshot is before
    again = Reader(lake.root, full_catalogue()).snapshot
    name = kpi_consultation_rate_by_establishment.masked.name
    assert again.versions[name].number == before.versions[name].number
    remake(lake, FIRST + 1)
    reader.refresh()
    assert reader.snapshot is not before
    assert reader.snapshot.versions[name].number == before.versions[name].number + 2


def test_a_table_that_is_not_in_the_edition_is_not_served(lake: Lake) -> None:
    edition = published_edition(lake.place)
    assert edition is not None
    table = kpi_hospitalisation_rate.masked
    record_published(
        lake.place, replace(edition, tables={f: v for f, v in edition.tables.items() if f != table.folder})
    )
    snapshot = Reader(lake.root, full_catalogue()).snapshot
    assert table.name not in snapshot.versions
    assert snapshot.rows(f"SELECT count(*) AS n FROM {table.name}") == [{"n": 0}]


def test_a_table_that_cannot_be_read_leaves_the_last_good_version(lake: Lake, tmp_path: Path) -> None:
    reader = Reader(lake.root, full_catalogue(), tmp_path / "logs")
    before = reader.snapshot
    rewrite(lake, kpi_consultation_rate_by_establishment.masked, "patients", FIRST)
    publish(lake)
    path = lake.path(kpi_consultation_rate_by_establishment.masked)
    hidden = {file: file.with_suffix(".hidden") for file in path.rglob("*.parquet")}
    for file, away in hidden.items():
        file.rename(away)
    reader.refresh()
    assert reader.snapshot is before
    assert reader.snapshot.rows("SELECT count(*) AS n FROM kpi_consultation_rate_by_establishment")[0]["n"] > 0
    assert (tmp_path / "logs" / "errors.log").exists()
    for file, away in hidden.items():
        away.rename(file)
    reader.refresh()
    assert reader.snapshot is not before


def test_a_lake_without_published_tables_says_so(tmp_path: Path, lake: Lake) -> None:
    with serving(tmp_path / "empty") as portal:
        assert "16 indicateurs n’ont pas encore été calculés" in portal.page("/")
        answer = portal.get("/questions/hospitalisations")
        assert (answer.status, "n’a pas encore été calculé" in answer.text) == (404, True)
        assert portal.get("/methode").status == portal.get("/recherche/diagnostics?q=a").status == 200
        # The first materialisation is seen without a restart.
        shutil.copytree(lake.root, tmp_path / "empty")
        portal.reader.refresh()
        assert portal.get("/questions/hospitalisations").status == 200


def test_a_failed_check_and_a_late_table_are_said_on_home_and_page(lake: Lake) -> None:
    rows = lake.arrow(check_result).to_pylist()
    for row in rows:
        row["status"] = "passed"
        if (row["layer"], row["table"]) == ("published", "kpi_deaths_by_region"):
            row["evaluated_at"] = "2020-01-01T00:00:00+00:00"
        if (row["layer"], row["table"]) == ("kpis", "kpi_hospitalisation_rate") and row["blocking"]:
            row["status"] = "failed"
        if (row["layer"], row["table"], row["type"]) == ("facts", "fact_satisfaction", "row count"):
            row["status"] = "failed"
    with lake.writing(check_result) as write:
        pq.write_table(pa.Table.from_pylist(rows, check_result.schema), write.rows / write.new_name("rows.parquet"))
        commit_written(lake, check_result, write, None, {"run": "r", "asset": "reports/check_result", "read": {}})
    with serving(lake.root) as portal:
        home = portal.page("/")
        cards = home.all("li.card")
        # The four of stays are masked as one family: what one is made of, all are.
        good, failed, late, remark = "✓ Contrôlé", "✗ En échec", "! Calcul en retard", "✓ Contrôlé, avec remarque"
        labels = [[e.text for e in card.all(".badge")] for card in cards]
        assert labels == [
            *([text] for text in (good, good, failed, failed, failed, good, late, remark)),
            *([text] for text in (good, good, failed, good, remark)),
            *([text] for text in (good, failed, good)),
        ]
        stays = (
            "Hospitalisations, Hospitalisations par diagnostic, Hospitalisations par sexe et âge, Suites des séjours "
            "et Cycles de soins"
        )
        assert f"En échec : {stays} ; " in home
        assert "alcul en retard : Décès par région ; " in home and " ; 2 avec une remarque à lire" in home
        assert "ucun indicateur en échec" not in home
        assert "warning" in home.one("p.state").attributes["class"]
        assert "la dernière version valable est montrée" in portal.page("/questions/hospitalisations")
        assert "Périmé : calculé il y a" in portal.page("/questions/deces-region")
        assert "Remarque sur « Satisfaction des patients » : nombre de lignes stable" in portal.page(
            "/questions/satisfaction-region"
        )
        assert "périmé : calculé il y a" in portal.page("/methode")


def test_without_checks_nothing_is_said_to_be_controlled(lake: Lake) -> None:
    with lake.writing(check_result) as write:
        pq.write_table(pa.Table.from_pylist([], check_result.schema), write.rows / write.new_name("rows.parquet"))
        commit_written(lake, check_result, write, None, {"run": "r", "asset": "reports/check_result", "read": {}})
    with serving(lake.root) as portal:
        assert [e.text for e in portal.page("/").all(".badge")] == ["? Pas encore contrôlé"] * 16
        assert "Aucun contrôle de cet indicateur n’est publié." in portal.page("/questions/hospitalisations")


def test_only_the_published_zone_is_served(made: Home) -> None:
    reader = Reader(made.lake.root, full_catalogue())
    served = {r["table_name"] for r in reader.snapshot.rows("SELECT table_name FROM duckdb_tables()")}
    folders = {p.parent.name for p in (made.lake.root / "published").glob("*/*/_delta_log")}
    assert served == folders
    assert kpi_hospitalisation_rate.masked.name in served


def test_an_establishment_shows_its_care_quality(lake: Lake) -> None:
    """Also a masked one: the results are public. (No site of the demonstration pack is in its register.)"""
    places = lake.arrow(kpi_consultation_rate_by_establishment.masked).to_pylist()
    one, other = [r["code"] for r in places if r["level"] == "establishment" and r["is_masked"]][:2]
    rows = lake.arrow(published_quality)
    sites = rows["site_finess"].to_pylist()
    keys = pa.array([one if site == sites[0] else None for site in sites], pa.string())
    rows = rows.set_column(rows.column_names.index("establishment_key"), rows.schema.field("establishment_key"), keys)
    with lake.writing(published_quality) as write:
        pq.write_table(rows, write.rows / write.new_name("rows.parquet"))
        commit_written(lake, published_quality, write, None, {"run": "r", "asset": published_quality.name, "read": {}})
    snapshot = Reader(lake.root, full_catalogue()).snapshot

    def page(code: str) -> Element:
        choice = choose(snapshot, "consultations-etablissement", [("x", f"establishment:{code}")])
        return parsed(Renderer(ServedAddresses()).question(snapshot, view_of(snapshot, choice)))

    assert len(page(one).all("[aria-labelledby=titre-qualite] tbody tr")) == sites.count(sites[0])
    assert "Qualité des soins de ce site" not in page(other)
