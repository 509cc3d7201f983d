"""The documents as files: complete, linked, and with the numbers of the lake."""

from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chu_platform.catalogue import catalogue
from chu_platform.describe_catalogue import described_catalogue
from chu_platform.documents.site import Site
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table
from chu_platform.urls import page_of
from chu_platform_tests import small_duckdb
from chu_platform_tests.html import Element, parsed
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

EVERY = [made for table in catalogue() for made in table.outputs]


@pytest.fixture(scope="module")
def folder(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents that the command writes of a made lake."""
    folder = tmp_path_factory.mktemp("documents") / "new"
    done = made.chu("dictionary", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(folder: Path) -> Mapping[Path, Element]:
    return {file: parsed(file.read_text(encoding="utf-8")) for file in folder.rglob("*.html")}


def test_every_element_that_is_opened_is_closed(folder: Path) -> None:
    for file in folder.rglob("*.html"):
        balance = Balance()
        balance.feed(file.read_text(encoding="utf-8"))
        assert balance.open == [], file.name


class Balance(HTMLParser):
    """The elements that are open; a parser for reading closes what is not."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def table(layer: str, name: str) -> Table:
    return next(t for t in EVERY if (t.layer, t.name) == (layer, name))


def test_every_link_leads_to_a_file_and_a_place_in_it(folder: Path, pages: Mapping[Path, Element]) -> None:
    assert len(pages) == len(EVERY) + 2
    ids = {file: one.ids for file, one in pages.items()}
    dead = []
    links = 0
    for file, one in pages.items():
        for link in [e.attributes["href"] for e in one.all("[href]")]:
            links += 1
            path, _, place = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            if not target.is_file() or (place and place not in ids[target]):
                dead.append((file.name, link))
    assert dead == [] and links > 1000


def test_pictures_are_well_formed_and_link_to_pages(folder: Path) -> None:
    pictures = list(folder.rglob("*.svg"))
    assert len(pictures) == 2 * len(EVERY)
    for picture in pictures:
        for anchor in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}a"):
            assert (picture.parent / anchor.attrib["href"]).is_file()


def test_every_table_and_column_has_its_labels(folder: Path, pages: Mapping[Path, Element]) -> None:
    markdown = (folder / "dictionnaire.md").read_text(encoding="utf-8")
    for one in EVERY:
        shown = pages[folder / page_of(one)].text
        assert one.label in shown and one.grain in shown
        for column in one.columns:
            # The text of a page has plain spaces.
            label = column.label.replace("\u00a0", " ")
            assert column.name in shown and label in shown and column.description in shown
            assert f"| `{column.name}` | {column.label} |" in markdown
        assert all(rule.description in shown for rule in one.all_checks)


def test_the_dictionary_says_what_columns_tell_of_persons(folder: Path) -> None:
    markdown = (folder / "dictionnaire.md").read_text(encoding="utf-8")
    assert "| `diagnosis_key` | Diagnostic | texte | sensible |" in markdown
    assert "| `days` | Durée de séjour (jours) | entier | quasi-identifiante |" in markdown
    assert "| `patient_key` | Patient | texte | pseudonymisée |" in markdown


def test_a_masked_column_names_its_mask_and_the_delivered_columns(folder: Path, pages: Mapping[Path, Element]) -> None:
    page = pages[folder / "tables/editions/kpi_hospitalisation_rate.html"]
    row = page.one("tr#colonne-days")
    origins = {e.one("a").text: e.one(".kind").text for e in row.all("td:nth-of-type(3) li, td:nth-of-type(4) li")}
    assert origins["candidates/kpi_hospitalisation_rate.days"] != "masquage"
    assert origins["editions/stay_mask_release.state"] == "masquage"
    assert "hospitalisations.csv : Jour_Hospitalisation" in [e.text for e in row.all("td:nth-of-type(5)")]
    assert "masquage" not in page.one("tr#colonne-period_start")


def test_a_table_of_public_figures_names_their_source(pages: Mapping[Path, Element], folder: Path) -> None:
    assert "Insee : rien n’est masqué" in pages[folder / "tables/published/kpi_deaths_by_region.html"]
    assert "rien n’est masqué" not in pages[folder / "tables/published/kpi_hospitalisation_rate.html"]
    dictionary = (folder / "dictionnaire.md").read_text(encoding="utf-8")
    assert "- Données publiques (Insee) : rien n’est masqué" in dictionary


def test_numbers_of_rows_of_the_group_are_coarse(folder: Path, pages: Mapping[Path, Element], made: Home) -> None:
    """A delivery of one person more is not seen in a number of rows."""
    for layer, name in (("sources", "Patient"), ("facts", "fact_hospitalisation"), ("rejects", "Consultation")):
        one = table(layer, name)
        (count,) = small_duckdb.connect().execute(f"SELECT count(*) FROM {made.lake.relation(one)}").fetchall()[0]
        (shown,) = (
            f.one("dd").text for f in pages[folder / page_of(one)].all("dl.facts div") if f.one("dt").text == "Lignes"
        )
        if count > 10:
            about = int(shown.removeprefix("environ ").replace(" ", ""))
            assert shown.startswith("environ ") and about % 20 == 0 and abs(about - count) <= 10
        else:
            assert shown == ("de 1 à 10" if count else "0")


def test_numbers_of_rows_are_those_of_the_lake(folder: Path, pages: Mapping[Path, Element], made: Home) -> None:
    for layer, name in (("sources", "deces"), ("published", "kpi_satisfaction_by_region"), ("rejects", "deces")):
        one = table(layer, name)
        (count,) = small_duckdb.connect().execute(f"SELECT count(*) FROM {made.lake.relation(one)}").fetchall()[0]
        shown = f"{count:,}".replace(",", " ")
        facts = pages[folder / page_of(one)].all("dl.facts div")
        assert [f.one("dd").text for f in facts if f.one("dt").text == "Lignes"] == [shown]


def test_the_quality_report_says_what_the_last_checks_found(
    folder: Path, pages: Mapping[Path, Element], made: Home
) -> None:
    report = made.lake.relation(table("reports", "check_result"))
    broken_rules = f"SELECT layer || '/' || \"table\", description FROM {report} WHERE status = 'failed'"
    found = small_duckdb.connect().execute(broken_rules).fetchall()
    assert found
    rows = pages[folder / "qualite.html"].all("[aria-labelledby=ecarts] tbody tr")
    shown = [(row.one("th").text, row.all("td")[0].text, row.all("td")[1].text) for row in rows]
    assert sorted(line[:2] for line in shown) == sorted((name, " ".join(text.split())) for name, text in found)
    assert {effect for _, _, effect in shown} <= {"avertit", "bloque la publication"}


def test_the_quality_report_says_how_each_source_was_read(folder: Path, made: Home) -> None:
    kept, rejected = (made.lake.relation(table(layer, "deces")) for layer in ("sources", "rejects"))
    count = f"SELECT (SELECT count(*) FROM {kept}), (SELECT count(*) FROM {rejected} WHERE mended_by IS NULL)"
    ((kept_rows, rejected_rows),) = small_duckdb.connect().execute(count).fetchall()
    assert rejected_rows
    text = (folder / "qualite.md").read_text(encoding="utf-8").replace("\u202f", "")
    (line,) = [line for line in text.splitlines() if line.startswith("| deces |")]
    cells = [cell.strip() for cell in line.split("|")]
    _, _, rows_in, shown_kept, shown_rejected, share, threshold, mended, undeclared, state, _ = cells
    shown = (int(rows_in), int(shown_kept), int(shown_rejected))
    assert shown == (kept_rows + rejected_rows, kept_rows, rejected_rows)
    assert float(share.replace(",", ".")) == pytest.approx(100 * rejected_rows / (kept_rows + rejected_rows), rel=1e-3)
    assert (threshold, mended, undeclared, state) == ("50", "0", "0", "lue")


def test_without_a_lake_there_are_no_numbers_and_no_error(tmp_path: Path) -> None:
    site = Site(Lake(tmp_path / "nowhere"), described_catalogue(), in_ui=True)
    document = site.document("tables/facts/fact_death.html")
    quality = site.document("qualite.html")
    assert document and "illisible d’ici" in document.text and 'href="/assets/facts/fact_death"' in document.text
    assert quality and "lisible d’ici" in quality.text
    assert not (tmp_path / "nowhere").exists()
    assert site.document("nothing.html") is None
