"""Pages say what the published tables hold, masked cells as masked, and where nothing is, why."""

import csv
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from datetime import date
from http import HTTPStatus
from io import BytesIO, StringIO
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from chu_platform import french
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.portal.cells import Cell, Peers
from chu_platform.portal.questions import BREAKDOWNS, Measure, Question
from chu_platform.portal.readable_periods import GRAINS, Period
from chu_platform.portal.sentences import in_one_line, left_out
from chu_platform.release.published_quality import published_quality
from chu_platform.tables.table import Table
from chu_platform_tests import small_duckdb
from chu_platform_tests.html import Element
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import BY_SLUG, QUESTIONS, UI, Served

pytestmark = pytest.mark.integration


def published(made: Home, question: Question, where: str = "true") -> list[dict[str, Any]]:
    """The rows of a question's table, read by delta-rs from the published zone."""
    table: pa.Table = DeltaTable(made.lake.root / "published" / "kpis" / question.table.name).to_pyarrow_table()
    with small_duckdb.connect() as connection:
        connection.register("published", table)
        found: list[dict[str, Any]] = (
            connection.sql(f"SELECT * FROM published WHERE {where} ORDER BY ALL").to_arrow_table().to_pylist()
        )
        return found


def period_of(row: dict[str, Any]) -> str:
    """The period of a row as an address has it, worked out here again."""
    if "year" in row:
        return str(row["year"])
    start = row["period_start"]
    forms = {
        "all": "tout",
        "year": f"{start:%Y}",
        "quarter": f"{start:%Y}-T{(start.month + 2) // 3}",
        "month": f"{start:%Y-%m}",
    }
    return forms[row["period_grain"]]


def address(question: Question, row: dict[str, Any], measure: Measure) -> str:
    x = {p.name: p.separator.join(row[c] for c in p.columns) for p in question.parameters}
    return f"/questions/{question.slug}?{urlencode({**x, 'periode': period_of(row), 'mesure': measure.key})}"


def figure_of(page: Element) -> str:
    """The figure that a page is about, or that it is masked."""
    shown = page.one("#chiffre")
    return shown.own_text or shown.one(".masked").text


# Shares of patients by level: for how many a share per 1 000 is displayed, by factor, unit and decimals.
PER_100, PER_100_000 = (0.1, "%", 1), (100, "pour 100 000", 0)
DISPLAYED = {
    ("consultations-etablissement", "taux", "total"): PER_100,
    ("consultations-etablissement", "taux", "unattached"): PER_100,
    ("consultations-etablissement", "taux", "region"): PER_100,
    ("consultations-etablissement", "taux", "department"): PER_100,
    ("consultations-etablissement", "taux", "establishment"): PER_100_000,
    ("consultations-diagnostic", "taux", "chapter"): PER_100,
}


def displayed(question: Question, measure: Measure, row: Mapping[str, Any]) -> set[str]:
    """The figure of a row with its unit, as a reader may see it: shares in % are also displayed without decimals."""
    as_declared = (1, measure.unit, measure.decimals)
    factor, unit, decimals = DISPLAYED.get((question.slug, measure.key, str(row.get("level"))), as_declared)
    texts = [
        f"{french.number(row[measure.value] * factor, n)} {unit}"
        for n in ({decimals, 0} if unit == "%" else {decimals})
    ]
    return {" ".join(text.split()) for text in texts}


def section(page: Element, name: str) -> Element:
    """The part of a page of a question below a heading: evolution, carte, comparaison, ..."""
    return page.one(f"section[aria-labelledby=titre-{name}]")


def some(rows: Sequence[dict[str, Any]], count: int) -> Sequence[dict[str, Any]]:
    return rows[:: max(len(rows) // count, 1)][:count]


def is_displayed(question: Question, measure: Measure, level: str | None) -> bool:
    """Whether a measure is one of a level."""
    return measure.key in {m.key for m in question.measures_at(level)}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.slug)
def test_a_figure_is_that_of_the_published_table(question: Question, made: Home, portal: Served) -> None:
    rows = published(made, question, "NOT is_masked")
    for measure in question.measures:
        shown = [r for r in rows if r[measure.value] is not None and is_displayed(question, measure, r.get("level"))]
        assert shown, measure.key
        for row in some(shown, 4):
            page = portal.page(address(question, row, measure))
            assert figure_of(page) in displayed(question, measure, row), row
            for count in (measure.numerator, measure.denominator):
                if count and row[count.column] is not None:
                    value = row[count.column]
                    number = french.number(value, 0 if float(value).is_integer() or value >= 1000 else 1)
                    number = number.replace("\u202f", " ")
                    assert number in [e.text for e in page.all("dl.stats dd")], (count, row)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.slug)
def test_a_masked_cell_is_shown_as_masked_with_the_reason(question: Question, made: Home, portal: Served) -> None:
    rows = published(made, question, "is_masked")
    if not rows:
        pytest.skip("nothing of it is masked in this pack")
    for row in some(rows, 2):
        page = portal.page(address(question, row, question.measures[0]))
        assert figure_of(page) == "masqué"
        assert "le chiffre est masqué" in page
        # Without a figure there is no interval to speak of.
        assert question.measures[0].limits not in page.one("dl.stats")
        assert "il porte sur 1 à 10 personnes" in page
        assert "moins de trois professionnels" in page
        assert "toute la base sauf 1 à 10 personnes" in page


def test_home_has_the_questions_with_figure_trend_and_reliability(portal: Served) -> None:
    page = portal.page("/")
    for question in QUESTIONS:
        assert question.title in page
    assert len(page.all("li.card svg.chart-spark")) == len(QUESTIONS)
    cards = page.all("li.card")
    # A finding in a sentence, what it is made of, and the state of its data in a line.
    assert all(1 <= len(card.all("p:not(.small, .foot)")) <= 1 and len(card.all("p.foot")) == 1 for card in cards)
    feet = [card.one("p.foot").text for card in cards]
    assert sum(bool(re.search(r"Jusqu’au \d", foot)) for foot in feet) == len(QUESTIONS) - 2
    assert sum(bool(re.search(r"Campagne \d{4}", foot)) for foot in feet) == 2
    assert max(len(foot) for foot in feet) < 110
    (state,) = page.all("p.state")
    assert state.text.startswith("État des données : ") and len(state.text) < 240
    # A statement about all figures that some of them break is none.
    assert "chaque chiffre" not in re.sub("sous chaque chiffre", "", page.text.lower())


def test_the_deaths_of_the_home_page_are_the_sum_of_the_regions(made: Home, portal: Served) -> None:
    where = "year = 2019 AND sex = 'all' AND age_band = 'all' AND region_code <> 'all'"
    regions = published(made, BY_SLUG["deces-region"], where)
    page = portal.page("/")
    whole = french.number(sum(row["deaths"] for row in regions)).replace("\u202f", " ")
    assert f"{whole} décès" in [e.text for e in page.all("li.card strong")]
    inside, elsewhere = (
        french.number(sum(r["deaths"] for r in regions if (r["region_code"] == "99") == outside)).replace("\u202f", " ")
        for outside in (False, True)
    )
    assert f"{whole} décès sont comptés : {inside} dans les 18 régions et {elsewhere} ailleurs" in page


def test_old_data_are_a_fact_beside_the_figure_and_no_alarm(portal: Served) -> None:
    """Events of the demonstration pack end years ago: the rules on freshness remark it, nothing else is wrong."""
    page = portal.page("/")
    labels = [e.text for e in page.all(".badge")]
    assert len(labels) == len(QUESTIONS) and set(labels) <= {"✓ Contrôlé", "✓ Contrôlé, avec remarque"}
    assert "Aucun calcul en échec ni en retard" in page
    assert f"{len(QUESTIONS)} aux données plus anciennes que prévu." in page
    page = portal.page("/questions/consultations-etablissement")
    assert "Données plus anciennes que prévu : dans « Consultations », l’âge du dernier événement est de" in page
    assert "jours (prévu : 0 à 31)." in page
    assert "fraîcheur des données" in portal.page("/methode")


@pytest.mark.parametrize(
    ("slug", "fact", "column"),
    [
        ("consultations-diagnostic", fact_consultation, "date"),
        ("hospitalisations", fact_hospitalisation, "date"),
        ("deces-region", fact_death, "death_date"),
    ],
)
def test_the_data_reach_to_the_day_of_the_last_event(
    slug: str, fact: Table, column: str, made: Home, portal: Served
) -> None:
    """Of the facts themselves, which the portal cannot read."""
    sql = f"SELECT max({column}) FROM {made.lake.relation(fact)}"
    ((last,),) = small_duckdb.connect().sql(sql).fetchall()
    said = f"données jusqu’au {french.day(last)}"
    assert any(e.text.startswith(said) for e in portal.page(f"/questions/{slug}").all("dl.stats small"))
    assert french.capital(said) in portal.page("/methode")
    assert french.day(last) in [e.text for e in portal.page("/recit").all("td.day")]


@pytest.mark.parametrize("path", ["/", "/recit", "/methode", "/questions/satisfaction-region"])
def test_what_is_masked_is_said_of_persons_and_events_not_of_sites(path: str, portal: Served) -> None:
    """Deaths and scores are public: from 1 to 10 they are shown."""
    footer = portal.page(path).one("footer")
    assert "1 à 10 patients, événements ou professionnels n’apparaît jamais" in footer
    assert "Les décès (Insee), la satisfaction et la qualité des soins (HAS), publics, ne sont pas masqués." in footer


def test_what_stays_visible_is_said_of_the_widest_and_of_the_finest_level(made: Home, portal: Served) -> None:
    table: pa.Table = DeltaTable(made.lake.root / "published/kpis/publication_coverage").to_pyarrow_table()
    name = "kpi_hospitalisation_rate_by_sex_and_age"
    rows = [r for r in table.to_pylist() if r["indicator"] == name and r["visible_share"] is not None]
    finest = max(rows, key=lambda r: r["cells"])
    words = f"{french.small(BREAKDOWNS[finest['level']])}, {french.small(GRAINS[finest['grain']])}"
    share = french.percent(finest["visible_share"]).replace("\u00a0", " ")
    page = portal.page("/questions/hospitalisations-sexe-age")
    assert f"Là où les lignes sont le plus fines ({words}), {share} des événements restent visibles." in page
    for slug in ("hospitalisations-sexe-age", "consultations-professionnel"):
        question = BY_SLUG[slug]
        of_years = [r for r in table.to_pylist() if r["indicator"] == question.table.name and r["grain"] == "year"]
        widest = min(of_years, key=lambda r: r["cells"])
        said = "au niveau le plus large et à ce pas de temps" in portal.page(f"/questions/{slug}")
        assert said is (widest["visible_share"] is not None)


def test_of_public_data_it_is_said_that_nothing_is_masked(portal: Served) -> None:
    for slug in ("deces-region", "satisfaction-region"):
        page = portal.page(f"/questions/{slug}")
        assert "ces données sont publiques" in page
        assert "sont masquées" not in page and "est masquée" not in page.one("#calcul").text.replace(
            "Aucune ligne n’est masquée", ""
        )


def test_numbers_of_checks_add_up_and_agree(made: Home, portal: Served) -> None:
    """The same numbers in the story and in the method, of the published report; no label denies a remark below it."""
    table: pa.Table = DeltaTable(made.lake.root / "published/reports/check_result").to_pyarrow_table()
    rows = table.to_pylist()
    passed = sum(r["status"] == "passed" for r in rows)
    remarks = sum(r["status"] == "failed" and not r["blocking"] for r in rows)
    waiting = len(rows) - passed - sum(r["status"] == "failed" for r in rows)
    said = f"{french.number(passed)} contrôles réussis sur {french.number(len(rows))} dans tout l’entrepôt"
    for path in ("/recit", "/methode"):
        text = portal.page(path).text
        assert " ".join(said.split()) in text
        numbers = re.search(
            r"dans tout l’entrepôt(?:, (\d+) remarques? à examiner)?(?:, (\d+) pas encore évalués?)?\.", text
        )
        assert numbers and tuple(int(n or 0) for n in numbers.groups()) == (remarks, waiting)
    for question in QUESTIONS:
        page = portal.page(f"/questions/{question.slug}").one("#calcul")
        listed = [[cell.text for cell in row.all("td")] for row in page.all("table tbody tr")]
        ages = ["fraîcheur des données" in row[0] for row in listed]
        assert ("Aucun contrôle n’a échoué" in page) is all(ages)
        assert ("seul l’âge des données est à savoir" in page) is (all(ages) and len(ages) > 0)
    assert "sinon sur l’âge des données" in portal.page("/methode").one("ul.states")


def test_every_label_has_its_why(portal: Served) -> None:
    links = [e.attributes["href"] for e in portal.page("/").all("a") if e.text.startswith("Pourquoi ?")]
    assert len(links) == len(QUESTIONS)
    for link in links:
        address, _, fragment = link.partition("#")
        assert fragment in portal.page(address).ids
    labels = [e.text for e in portal.page("/methode").all("ul.states .badge")]
    assert labels == [
        "✓ Contrôlé", "✓ Contrôlé, avec remarque", "? Pas encore contrôlé", "! Calcul en retard", "✗ En échec",
    ]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.slug)
def test_a_permanent_link_reopens_exactly_this_view(question: Question, portal: Served) -> None:
    page = portal.page(f"/questions/{question.slug}")
    assert portal.page(page.one("#lien").attributes["href"]) == page


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.slug)
def test_files_hold_the_published_rows(question: Question, portal: Served, made: Home) -> None:
    for part in ("evolution", "comparaison"):
        answer = portal.get(f"/questions/{question.slug}/{part}.parquet")
        assert answer.status == 200
        rows = pq.read_table(BytesIO(answer.body))
        assert rows.column_names == [c.name for c in question.table.columns]
        every = published(made, question)
        assert rows.num_rows > 0
        assert all(row in every for row in some(rows.to_pylist(), 20))
        text = portal.get(f"/questions/{question.slug}/{part}.csv").body.decode("utf-8-sig")
        lines = text.splitlines()
        assert lines[0].split(";") == [c.label for c in question.table.columns]
        assert len(lines) == rows.num_rows + 1
        shown = list(csv.reader(StringIO(text), delimiter=";"))[1:]
        assert ["masqué" in line for line in shown] == [row["is_masked"] for row in rows.to_pylist()]
        drawing = portal.get(f"/questions/{question.slug}/{part}.svg")
        assert drawing.headers["content-type"].startswith("image/svg+xml")
        assert b"<title" in drawing.body and b"<desc" in drawing.body


@pytest.mark.parametrize("part", ["evolution", "comparaison", "carte"])
def test_a_chart_that_is_taken_along_says_what_it_shows_and_where_it_is_from(part: str, portal: Served) -> None:
    answer = portal.get(f"/questions/deces-region/{part}.svg?region=11&periode=2019&mesure=taux")
    assert f'"deces-region-ile-de-france-taux-2019-{part}.svg"' in answer.headers["content-disposition"]
    root = ET.fromstring(answer.body)
    left, top, width, height = map(float, root.get("viewBox", "").split())
    texts = {"".join(t.itertext()): t for t in root.iter("{http://www.w3.org/2000/svg}text")}
    said = " ".join(texts)
    number = portal.reader.snapshot.versions["kpi_deaths_by_region"].number
    for part_of_it in (
        "Décès par région – Île-de-France",
        "aux brut de mortalité",
        "période choisie : 2019",
        f"Indicateurs du groupe hospitalier, données publiées, version {number} du ",
        "kpi_deaths_by_region",
    ):
        assert part_of_it in said
    for text, drawn in texts.items():
        assert top < float(drawn.get("y", "")) < top + height and left <= float(drawn.get("x", "")) <= width, text


def test_several_x_are_on_one_chart_in_the_table_and_in_the_files(made: Home, portal: Served) -> None:
    """All patients, and regions of which years are masked: each figure of the table is the published one."""
    question = BY_SLUG["consultations-etablissement"]
    where = "period_grain = 'year' AND level IN ('total', 'region') AND code <> 'inconnu'"
    by_code: dict[str, dict[int, dict[str, Any]]] = {}
    for row in published(made, question, where):
        by_code.setdefault(row["code"], {})[row["period_start"].year] = row
    regions = sorted((c for c in by_code if c != "total"), key=lambda c: -len(by_code[c]))[:2]
    others = {"avec": f"region:{regions[0]}", "avec2": f"region:{regions[1]}"}
    path = f"/questions/{question.slug}?{urlencode({'x': 'total:total', **others})}"
    evolution = section(portal.page(path), "evolution")
    for line in evolution.all("tbody tr"):
        year = int(line.one("th").text[:4])
        for code, shown in zip(("total", *regions), line.all("td"), strict=True):
            found = by_code[code].get(year)
            if found is None or found["is_masked"]:
                assert shown.text == ("masqué" if found else "–"), (year, code)
            else:
                assert shown.text.startswith(f"{found['rate_per_1000'] / 10:.1f} (".replace(".", ",")), (year, code)
    hidden = [(c, y) for c in ("total", *regions) for y, row in by_code[c].items() if row["is_masked"]]
    strips = [e for e in evolution.all("svg.chart-wide .withheld") if re.search(r", \d{4} : ", e.text)]
    assert len(strips) == len(hidden) > 0
    # One more by the form leads to the address with all; the permanent link has them; the others can be left out.
    answer = portal.get(f"{path}&autre-x=region%3A{regions[1]}")
    assert (answer.status, answer.headers["location"].split("?")[1]) == (
        303,
        urlencode({"x": "total:total", **others, "avec3": others["avec2"]}),
    )
    assert portal.page(answer.headers["location"]).one("#lien").attributes["href"].count("avec") == 2
    without = [a.attributes["href"] for a in evolution.all("a") if a.text.startswith("retirer")]
    assert [a.count("avec") for a in without] == [1, 1]
    files = path.replace("?", "/evolution.{}?")
    rows = pq.read_table(BytesIO(portal.get(files.format("parquet")).body)).to_pylist()
    assert {(r["code"], r["period_start"].year) for r in rows} == {
        (c, y) for c in ("total", *regions) for y in by_code[c]
    }
    labels = [by_code[c][min(by_code[c])]["label"] for c in regions]
    assert all(label in portal.get(files.format("svg")).text for label in labels)
    for asked in ("avec=region%3A1~F", "avec=nirgends", "autre-x=a&avec=b&avec2=c&avec3=d", "avec4=region%3A11"):
        assert portal.get(f"/questions/{question.slug}?{asked}").status == 400, asked


# What the published tables call in English or by a code, in the columns of a CSV.
CODES = {
    "Période": "month|quarter|year|all",
    "Niveau": "[a-z_]+",
    "Code": "unattached",
    "Sexe": "[FM]|all",
    "Tranche d’âge": r"[\d+-]+|[a-z]+",
    "Enquête": "[0-9a-z_]+",
    "Code région": "all",
}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.slug)
def test_a_csv_is_in_french(question: Question, portal: Served) -> None:
    views = (("evolution", ""), ("comparaison", ""), ("evolution", "periode=tout"), ("evolution", "periode=2019-T1"))
    for part, query in views:
        answer = portal.get(f"/questions/{question.slug}/{part}.csv?{query}")
        if answer.status == 404 and query:
            continue
        assert answer.status == 200
        rows = list(csv.DictReader(StringIO(answer.body.decode("utf-8-sig")), delimiter=";"))
        for row in rows:
            for column, code in CODES.items():
                assert not re.fullmatch(code, row.get(column, "")), (column, row)
            assert not {"True", "False", "None", "nan"} & set(row.values())


def test_a_csv_names_what_the_page_names(portal: Served) -> None:
    def first(path: str) -> dict[str, str]:
        text = portal.get(path).body.decode("utf-8-sig")
        return next(csv.DictReader(StringIO(text), delimiter=";"))

    row = first("/questions/hospitalisations-sexe-age/evolution.csv?sexe=F&age=85%2B&periode=2019")
    assert (row["Période"], row["Sexe"], row["Tranche d’âge"]) == ("année", "Femmes", "85 ans et plus")
    row = first("/questions/satisfaction-region/evolution.csv?enquete=ca_mco")
    assert (row["Enquête"], row["Code région"]) == ("Chirurgie ambulatoire", "France")
    row = first("/questions/consultations-etablissement/evolution.csv?x=unattached:unattached")
    assert (row["Niveau"], row["Code"]) == ("Sans établissement", "sans établissement")


def test_a_csv_begins_with_the_youngest(portal: Served) -> None:
    text = portal.get("/questions/hospitalisations-sexe-age/comparaison.csv").body.decode("utf-8-sig")
    ages = [row["Tranche d’âge"] for row in csv.DictReader(StringIO(text), delimiter=";")]
    assert [*ages[:3], *ages[-4:]] == [
        *("0 à 4 ans", "5 à 9 ans", "10 à 14 ans"),
        *("80 à 84 ans", "85 ans et plus", "Tous âges", "Âge inconnu"),
    ]


def test_a_comparison_file_also_has_what_the_page_does_not_draw(made: Home, portal: Served) -> None:
    """Of a short comparison every row; of a long one every row with a figure, not thousands of masked ones."""
    question = BY_SLUG["consultations-etablissement"]
    rows = published(made, question, "level = 'establishment' AND period_grain = 'all'")
    shown = [row for row in rows if not row["is_masked"]]
    path = f"/questions/{question.slug}/comparaison.{{}}?x=establishment:{rows[0]['code']}&periode=tout"
    assert len(rows) > 40 and pq.read_table(BytesIO(portal.get(path.format("parquet")).body)).num_rows == len(shown)
    assert "masqué" not in portal.get(path.format("csv")).text
    regions = published(made, question, "level = 'region' AND period_grain = 'year' AND code <> 'inconnu'")
    year = max(row["period_start"] for row in regions)
    path = f"/questions/{question.slug}/comparaison.parquet?x=region:11&periode={year.year}"
    found = pq.read_table(BytesIO(portal.get(path).body)).to_pylist()
    assert {r["code"] for r in found} == {r["code"] for r in regions if r["period_start"] == year}


def test_of_many_only_those_with_a_figure_are_drawn_and_the_others_counted(made: Home, portal: Served) -> None:
    where = "level = 'establishment' AND period_grain = 'all'"
    rows = published(made, BY_SLUG["consultations-etablissement"], where)
    masked = [row for row in rows if row["is_masked"]]
    page = portal.page(f"/questions/consultations-etablissement?x=establishment:{masked[0]['code']}&periode=tout")
    comparison = section(page, "comparaison")
    drawn = comparison.all("figure tbody tr")
    assert 0 < len(drawn) <= min(len(rows) - len(masked), 40) + 1
    count = french.number(len(masked)).replace("\u202f", " ")
    assert f"{count} chiffres masqués, hors des fichiers ; seul celui de cette page est marqué" in comparison


def _peers(cells: Sequence[Cell], shown: int, masked: int, added: bool) -> Peers:
    return Peers("Les établissements", cells, False, shown, masked, 0, None, None, None, None, [], added)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (None, "Les 40 plus élevés sont dessinés ; 60 autres ne sont pas dessinés"),
        (1.0, "Les 40 plus élevés et celui de cette page sont dessinés ; 59 autres ne sont pas dessinés"),
    ],
)
def test_a_caption_counts_as_the_highest_only_what_is_among_them(own: float | None, expected: str) -> None:
    period = Period("year", date(2019, 1, 1), date(2020, 1, 1))

    def cell(value: float) -> Cell:
        return Cell({}, "", "", period, False, False, False, value, None, None, None, None, [])

    cells = [cell(100.0 - n) for n in range(40)] + ([cell(own)] if own else [])
    said = left_out(_peers(cells, 100, 7, own is not None)).replace(french.NO_BREAK, " ")
    assert said.startswith(f"{expected} (ils sont dans les fichiers à télécharger).")
    assert "7 chiffres masqués, ni dessinés ni dans les fichiers" in said


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.slug)
def test_what_nobody_knows_is_neither_compared_nor_ranked(question: Question, made: Home, portal: Served) -> None:
    """Unknown places, diagnoses and specialities, and deaths outside the regions; ages have their own order."""
    unknown = [
        row
        for row in published(made, question, "NOT is_masked")
        if "inconnu" in (row.get("code"), str(row.get("speciality")).lower(), row.get("region_code"))
        or row.get("region_code") == "99"
    ]
    for row in some(unknown, 3):
        page = portal.page(address(question, row, question.measures[0]))
        comparison = section(page, "comparaison")
        assert not re.search("Rang établi|fourchette de rangs|Aucun rang", "".join(e.text for e in comparison.all("p")))
        compared = [e.text for e in comparison.all("figure tbody th")]
        assert not [name for name in compared if re.search("inconnu", name, re.IGNORECASE)], compared
    if question.slug in ("consultations-etablissement", "deces-region"):
        assert unknown
        listed = [e.text for e in portal.page(f"/questions/{question.slug}").all("select[name=x] option")]
        assert "inconnu – Inconnu" not in listed


def test_an_interval_of_scores_ends_where_scores_end(made: Home, portal: Served) -> None:
    question = BY_SLUG["satisfaction-region"]
    assert published(made, question, "score_high > 100 OR score_low < 0") == []
    assert published(made, question, "weighted_high > 100 OR weighted_low < 0") == []
    assert published(made, question, "sites_scored < 5 AND weighted_low IS NOT NULL") == []
    for row in some(published(made, question, "score_low IS NOT NULL"), 3):
        for measure, name in zip(question.measures, ("weighted", "score"), strict=False):
            page = portal.page(address(question, row, measure))
            low, high = (french.number(row[f"{name}_{end}"], 1) for end in ("low", "high"))
            assert f"{low} à {high} sur 100" in page


def test_a_mean_of_few_sites_has_no_interval_and_is_compared_with_nothing(made: Home, portal: Served) -> None:
    question = BY_SLUG["satisfaction-region"]
    assert published(made, question, "sites_scored >= 5 AND score_low IS NULL AND NOT is_masked") == []
    assert published(made, question, "sites_scored < 5 AND score_low IS NOT NULL") == []
    few = published(made, question, "sites_scored BETWEEN 1 AND 4 AND NOT is_masked")
    assert few, "the demonstration pack has regions of few sites with a score"
    for row in some(few, 2):
        for measure in question.measures[:2]:
            page = portal.page(address(question, row, measure))
            assert "sans intervalle : moins de cinq sites avec score" in [e.text for e in page.all("dl.stats small")]
            name = french.capital(row["region_label"])
            of_it = next(r for r in section(page, "comparaison").all("tbody tr") if r.one("th").text == name)
            assert of_it.all("td")[1].text == "–"
            for drawn in page.all("section[aria-labelledby=titre-carte]"):
                assert f"{name} : {french.number(row[measure.value], 1)} (sans intervalle : moins de" in drawn


def test_lines_without_a_figure_are_named(made: Home, portal: Served) -> None:
    """Mayotte has no population before 2014; deaths outside the regions are none of the regions."""
    question = BY_SLUG["deces-region"]
    where = "year = 2005 AND sex = 'all' AND age_band = 'all' AND NOT is_masked AND rate_per_1000 IS NULL"
    without = [r for r in published(made, question, where) if r["region_code"] != "99"]
    page = portal.page("/questions/deces-region?periode=2005&mesure=taux")
    assert [r["region_label"] for r in without] == ["Mayotte"]
    assert "1 ligne n’a pas de chiffre à cette mesure (Mayotte)." in page
    assert "Étranger" in section(page, "comparaison").all("table")[-1]


def test_a_page_of_an_establishment_opens_with_its_count_and_has_its_rate_per_100_000(
    made: Home, portal: Served
) -> None:
    question = BY_SLUG["consultations-etablissement"]
    row = some(published(made, question, "level = 'establishment' AND NOT is_masked"), 1)[0]
    page = portal.page(f"/questions/{question.slug}?x=establishment:{row['code']}")
    assert figure_of(page) == f"{row['consultations']} consultations"
    assert str(row["patients"]) in [e.text for e in page.all("dl.stats dd")]
    rate = page.one("nav[aria-label=Mesure]").all("a")[1].attributes["href"]
    low, high = (round(row[f"rate_{end}"] * 100) for end in ("low", "high"))
    page = portal.page(rate)
    rate, low, high = (f"{n:,}".replace(",", " ") for n in (round(row["rate_per_1000"] * 100), low, high))
    assert figure_of(page) == f"{rate} pour 100 000"
    assert f"{low} à {high} pour 100 000" in page.one("dl.stats")
    assert portal.page(page.one("#lien").attributes["href"]) == page
    # In the comparison and among the contexts the unit is the same.
    assert {h.text for h in page.all("th.number") if "Taux de recours" in h.text} == {"Taux de recours (pour 100 000)"}


def test_an_establishment_without_a_course_opens_with_its_comparison(made: Home, portal: Served) -> None:
    """Nothing of it is published by month or year: the chart that there is stands beside the lists."""
    where = "level = 'establishment' AND period_grain = 'all' AND NOT is_masked"
    rows = published(made, BY_SLUG["consultations-etablissement"], where)
    page = portal.page(f"/questions/consultations-etablissement?x=establishment:{rows[0]['code']}")
    (beside,) = page.one("div.split").all("section[aria-labelledby=titre-comparaison]")
    assert len(beside.all("svg.chart-wide")) == (len(rows) > 1)
    assert len(page.all("section[aria-labelledby=titre-comparaison]")) == 1
    with_course = portal.page("/questions/consultations-etablissement")
    assert not with_course.one("div.split").all("section[aria-labelledby=titre-comparaison]")
    assert len(with_course.all("section[aria-labelledby=titre-comparaison]")) == 1


def test_no_page_counts_tenths_of_many_people(made: Home, portal: Served) -> None:
    """The population in mid-year is the mean of two whole numbers; expected deaths are a median."""
    where = "level = 'region' AND sex = 'all' AND year = 2019 AND population >= 1000 AND population % 1 <> 0"
    row = published(made, BY_SLUG["mortalite"], where)[0]
    page = portal.page(f"/questions/mortalite?x=region:{row['code']}&periode=2019")
    whole = french.number(row["population"], 0).replace("\u202f", " ")
    assert whole in [e.text for e in page.all("dl.stats dd")]
    # The people are in the last column: those of a small region with a tenth, of others without.
    people = [line.all("td")[-1].text for line in section(page, "comparaison").all("figure tbody tr")]
    assert whole in people and not any(re.search(r"\d \d{3},\d", text) for text in people)


def test_a_share_of_two_thirds_is_a_percentage(made: Home, portal: Served) -> None:
    """641,4 ‰ are 64,1 %, in the sentence, the figure, the interval, the axis and the table."""
    rows = published(made, BY_SLUG["consultations-etablissement"], "level = 'total' AND period_grain = 'year'")
    row = max((r for r in rows if not r["is_partial"]), key=lambda r: r["period_start"])
    page = portal.page(f"/questions/consultations-etablissement?periode={row['period_start'].year}")
    share = f"{row['patients'] / row['base_patients']:.1%}".replace(".", ",").replace("%", " %")
    assert f"{share} des patients de la base ont consulté" in page.one("h1") and figure_of(page) == share
    assert "‰" not in page.one("h1").text + page.one("dl.stats").text + section(page, "evolution").text
    assert f"{share} des patients" in portal.page("/")


def test_no_line_breaks_within_a_number_or_before_the_number_of_a_unit(portal: Served) -> None:
    paths = [f"/questions/{q.slug}?mesure={m.key}" for q in QUESTIONS for m in q.measures]
    for path in ["/", "/recit", "/methode", *paths]:
        text = parsed_raw(portal.get(path).body.decode())
        assert not re.search(r"\d \d{3}\b|\b(?:sur|pour) (?:100|1\u202f000|100\u202f000)\b", text), path


def parsed_raw(page: str) -> str:
    """The text of a page without its charts, with its unbreakable spaces as they are."""
    bare = re.sub(r"<(svg|script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", "\n", bare)


TILES = ".tile-good, .tile-bad, .tile-above, .tile-below"


@pytest.mark.parametrize("slug", [q.slug for q in QUESTIONS])
def test_no_map_is_grey_all_over(slug: str, portal: Served) -> None:
    """Consultations follow the size of a region: no map. Elsewhere there is one where a region stands apart."""
    for measure in BY_SLUG[slug].measures:
        page = portal.page(f"/questions/{slug}?mesure={measure.key}")
        for drawn in page.all("section[aria-labelledby=titre-carte] svg.chart-wide"):
            coloured = [e for e in drawn.all(TILES) if e.name == "path"]
            assert coloured and slug != "consultations-etablissement"
    assert portal.get("/questions/consultations-etablissement/carte.svg").status == 404


def test_the_map_of_deaths_shows_what_stands_apart(made: Home, portal: Served) -> None:
    """Recomputed from the limits of the published table; of a crude rate neither side is favourable."""
    where = "year = 2019 AND sex = 'all' AND age_band = 'all' AND rate_low IS NOT NULL"
    rows = {r["region_code"]: r for r in published(made, BY_SLUG["deces-region"], where)}
    france = rows.pop("all")["rate_per_1000"]
    above = sum(r["rate_low"] > france for r in rows.values())
    below = sum(r["rate_high"] < france for r in rows.values())
    assert above + below > 0
    drawn = section(portal.page("/questions/deces-region?periode=2019&mesure=taux"), "carte").one("svg.chart-wide")
    assert (len(drawn.all("path.tile-above")), len(drawn.all("path.tile-below"))) == (above, below)
    assert drawn.all(".tile-good, .tile-bad") == [] and "favorable" not in drawn.text


@pytest.mark.parametrize(
    ("address", "column", "better"),
    [
        ("mortalite?periode=2019&mesure=standardise", "standardised", "lower"),
        ("mortalite?periode=2019&mesure=esperance-0", "life_expectancy_0", "higher"),
    ],
)
def test_a_favourable_side_has_the_same_colour_everywhere(
    address: str, column: str, better: str, made: Home, portal: Served
) -> None:
    rows = published(made, BY_SLUG["mortalite"], "year = 2019 AND sex = 'all' AND level IN ('france', 'region')")
    value = "standardised_rate" if column == "standardised" else column
    france = next(r[value] for r in rows if r["level"] == "france")
    regions = [r for r in rows if r["level"] == "region" and r[f"{column}_low"] is not None]
    above = sum(r[f"{column}_low"] > france for r in regions)
    below = sum(r[f"{column}_high"] < france for r in regions)
    drawn = portal.page(f"/questions/{address}").one("body")
    if maps := drawn.all("section[aria-labelledby=titre-carte] svg.chart-wide"):
        drawn = maps[0]
    good, bad = (above, below) if better == "higher" else (below, above)
    assert (len(drawn.all("path.tile-good")), len(drawn.all("path.tile-bad"))) == (good, bad)
    assert bool(maps) is (good + bad > 0) is (": favorable" in drawn.text)


def test_limits_are_not_called_exact_where_they_are_not(portal: Served) -> None:
    page = portal.page("/methode")
    use = page.one("section#consultations-etablissement")
    assert "Poisson exact" not in use
    assert "il est trop étroit dès qu’un même patient revient" in use
    assert "l’intervalle de Poisson est alors approché" in use


def test_a_period_that_is_not_published_is_replaced_by_the_one_that_holds_it(portal: Served) -> None:
    page = portal.page("/questions/consultations-etablissement?x=region:11&periode=2019-05")
    assert "La période demandée n’est pas publiée pour ce choix" in page
    assert page.one("h1").text.startswith("Île-de-France : en 2019")


def test_a_partial_period_is_marked(portal: Served) -> None:
    assert "2015 (incomplète)" in section(portal.page("/questions/hospitalisations"), "comparaison")
    page = portal.page("/questions/consultations-etablissement?periode=2015")
    assert "Période incomplète" in page
    assert "Le premier mois livré est incomplet, car les données y commencent en cours de mois" in page
    deaths = portal.page("/questions/deces-region?periode=2020")
    assert "La dernière année livrée compte toujours comme incomplète" in deaths
    assert "période incomplète" in page


# Measures that the first X of their question does not have.
WITH_X = {
    ("recours-temps", "consultations"): "&x=slot:evening",
    ("recours-temps", "concentration"): "&x=most_frequent:10",
    ("prescriptions", "part"): "&x=form:gélule",
}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.slug)
def test_the_measure_that_is_chosen_is_compared(question: Question, portal: Served) -> None:
    for measure in question.measures:
        x = WITH_X.get((question.slug, measure.key), "")
        page = portal.page(f"/questions/{question.slug}?mesure={measure.key}{x}")
        comparison = section(page, "comparaison")
        headings = [e.text for e in comparison.all("figure th[scope=col].number")]
        level = {"consultations-etablissement": "total", "consultations-diagnostic": "chapter"}.get(question.slug, "")
        _, unit, _ = DISPLAYED.get((question.slug, measure.key, level), (1, measure.unit, 1))
        assert headings[0] == " ".join(f"{measure.label} ({unit})".split())


def test_the_two_surveys_are_beside_each_other_never_mixed(made: Home, portal: Served) -> None:
    question = BY_SLUG["satisfaction-region"]
    france = published(made, question, "year = 2020 AND region_code = 'all'")
    page = portal.page("/questions/satisfaction-region?periode=2020")
    assert "L’autre enquête, à part" in page
    for row in france:
        assert french.number(row["score_weighted"], 1) in page
    regions = pq.read_table(
        BytesIO(portal.get("/questions/satisfaction-region/comparaison.parquet?periode=2020").body)
    ).to_pylist()
    assert {row["survey"] for row in regions} == {"48h_mco"}


def test_without_a_rate_the_count_is_shown_and_the_rate_is_explained(portal: Served) -> None:
    """1976 has no mortality table, 1972 no population."""
    page = portal.page("/questions/deces-region?sexe=F&periode=1976")
    assert page.one("dl.stats div:has(#chiffre) dt").text == "Nombre de décès"
    page = portal.page("/questions/deces-region?periode=1976&mesure=taux")
    assert "Ce chiffre n’est pas calculé : aucune table de mortalité de cette année." in page
    page = portal.page("/questions/deces-region?periode=1972&mesure=taux")
    assert "Ce chiffre n’est pas calculé : aucune population connue de cette période." in page
    page = portal.page("/questions/mortalite?x=department:35&periode=1976")
    assert page.one("dl.stats div:has(#chiffre) dt").text == "Nombre de décès"
    assert "aucune table de mortalité de cette année" in page


def test_mortality_compares_places_and_sexes_with_france(made: Home, portal: Served) -> None:
    rows = published(made, BY_SLUG["mortalite"], "year = 2018 AND level = 'region' AND code = '53' AND sex = 'F'")
    for key, column, unit in (
        ("standardise", "standardised_rate", "décès pour 100 000 habitants"),
        ("esperance-0", "life_expectancy_0", "ans"),
    ):
        page = portal.page(f"/questions/mortalite?x=region:53&sexe=F&periode=2018&mesure={key}")
        assert figure_of(page) == f"{french.number(rows[0][column], 1)} {unit}".replace("\u202f", " ")
        assert "France, femmes" in page and "Bretagne, hommes" in page
        assert "Le registre donne le lieu du décès" in page
    assert "France" in portal.page("/questions/mortalite")


def test_an_index_is_drawn_beside_the_100_of_france(portal: Served) -> None:
    for address in ("x=region:53", "x=region:53&avec=region%3A11%7Eall"):
        page = portal.page(f"/questions/mortalite?{address}&mesure=indice")
        drawn = section(page, "evolution").one("svg.chart-wide")
        assert "France : 100" in drawn.text and "France : 100," not in drawn.text
        (tick,) = (e for e in drawn.all("text.soft") if e.text == "100")
        heights = {e.attributes["y1"] for e in drawn.all("line.reference")}
        # The line of the legend is below the axis.
        assert any(float(y) == pytest.approx(float(tick.attributes["y"]) - 4.5, abs=0.1) for y in heights)
        assert "L’axe ne part pas de zéro" in page.text
    other = section(portal.page("/questions/mortalite?x=region:53&mesure=standardise"), "evolution")
    assert other.one("svg.chart-wide").all("line.reference") == []


def test_a_region_and_a_department_of_the_same_name_are_told_apart(portal: Served) -> None:
    page = portal.page("/questions/mortalite?x=region:04&avec=department%3A974%7Eall")
    drawn = section(page, "evolution").one("svg.chart-wide").text
    assert "La Réunion (région)" in drawn and "La Réunion (département)" in drawn


def test_a_form_carries_no_measure_that_was_not_chosen(portal: Served) -> None:
    def carried(path: str) -> list[str]:
        forms = portal.page(path).all("form")
        found = [e.attributes["value"] for form in forms for e in form.all("input[type=hidden][name=mesure]")]
        assert len(found) in (0, 2), "of the form of the choice, and of that of the comparison"
        return found[:1]

    assert carried("/questions/deces-region") == []
    assert carried("/questions/deces-region?periode=2019&mesure=deces") == ["deces"]
    # Neither the first measure, which is there without being asked for, nor one that is shown in its place.
    assert carried("/questions/deces-region?periode=2019&mesure=taux") == []
    assert carried("/questions/deces-region?periode=1976") == []
    assert carried("/questions/deces-region?periode=1976&mesure=taux") == []


def test_in_place_of_a_measure_without_figure_another_is_shown_and_said(made: Home, portal: Served) -> None:
    rows = published(made, BY_SLUG["deces-region"], "year = 1976 AND deaths > 0 AND sex = 'all' AND age_band = 'all'")
    for row in some(rows, 3):
        page = portal.page(f"/questions/deces-region?region={row['region_code']}&periode=1976&mesure=taux")
        assert figure_of(page) == f"{french.number(row['deaths'])} décès".replace("\u202f", " ")
        assert "il n’y a pas de chiffre" not in page
        assert "Taux brut de mortalité : pas de chiffre ici" in page
        assert "Autre mesure montrée à sa place : nombre de décès." in page
    assert "pas de chiffre ici" not in portal.page("/questions/deces-region?periode=2018")


def test_how_it_is_calculated_names_definition_sources_versions_and_lineage(portal: Served) -> None:
    page = portal.page("/questions/deces-region")
    assert "selon la région du lieu de décès" in page
    assert "Sources : " in page
    assert "kpi_deaths_by_region, version 0" in page
    assert "kpi_hospitalisation_rate version 0" in portal.page("/questions/hospitalisations")
    assert "http://127.0.0.1:1/documents/tables/published/kpi_deaths_by_region.html" in page.links


def test_pages_need_no_script(portal: Served) -> None:
    """Every choice is a form with a button, every result a link; scripts only come from here."""
    for question in QUESTIONS:
        page = portal.page(f"/questions/{question.slug}")
        forms = page.all("form")
        assert forms
        assert [len(form.all("button[type=submit]")) for form in forms] == [1] * len(forms)
        scripts = page.all("script")
        assert scripts
        assert all(s.attributes["src"].startswith("/static/") and not s.text for s in scripts)
        assert page.all("[style]") == []
        loaded = [e.attributes.get("src") or e.attributes["href"] for e in page.all("[src], [href]")]
        assert [a for a in loaded if not a.startswith(("/", "#", f"{UI}/"))] == []


def test_an_unchanged_page_is_not_sent_again(portal: Served) -> None:
    first = portal.get("/questions/hospitalisations")
    again = portal.get("/questions/hospitalisations", **{"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def choices(question: Question, portal: Served) -> list[list[str]]:
    """The addresses that the lists of a question offer, list by list."""
    path = f"/questions/{question.slug}"
    lists = {one.attributes["name"]: one.all("option") for one in portal.page(path).all("select")}
    for name in [name for name in lists if name.startswith("autre-")]:
        # What may be compared is what may be chosen.
        assert lists.pop(name) == lists[name.removeprefix("autre-")]
    offered = [
        [f"{path}?{urlencode({name: option.attributes['value']})}" for option in options]
        for name, options in lists.items()
    ]
    assert offered and all(offered)
    return offered


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.slug)
def test_the_choices_that_a_list_offers_lead_to_pages(question: Question, portal: Served) -> None:
    """The first, the last, and some between; all of them: `test_every_page`."""
    for offered in choices(question, portal):
        for asked in {*offered[:: -(-len(offered) // 6)], offered[-1]}:
            assert portal.get(asked).status == HTTPStatus.OK, asked


def test_the_care_quality_of_a_site_is_shown_whole(made: Home, portal: Served) -> None:
    results = made.lake.arrow(published_quality).to_pylist()
    finess = max({r["site_finess"] for r in results}, key=[r["site_finess"] for r in results].count)
    own = sorted(
        (r for r in results if r["site_finess"] == finess),
        key=lambda r: (-int(r["campaign_year"]), r["indicator_label"], r["indicator_key"]),
    )
    page = portal.page(f"/qualite?q={finess}")
    shown = [[cell.text for cell in row.all("th, td")] for row in page.all("tbody tr")]
    assert [row[0] for row in shown] == [" ".join(f"{r['indicator_label']} ({r['unit']})".split()) for r in own]
    for line, result in zip(shown, own, strict=True):
        assert line[1] == result["campaign_year"]
        value = "–" if result["value"] is None else french.number(result["value"], 1).replace("\u202f", " ")
        assert line[2] == value
        if result["rank_first"] is not None:
            assert line[7] == f"{result['rank_first']} à {result['rank_last']} sur {result['sites']}"
    assert "masqué" not in page.one("table").text
    everything = portal.page("/qualite")
    assert {" ".join(r["indicator_label"].split()) for r in results if r["value"] is not None} == {
        row.one("th").text.rpartition(" (")[0] for row in everything.all("tbody tr")
    }
    others = portal.page("/qualite?q=a")
    assert len(others.all(".results li")) == 50 and "Plus de 50 sites" in others
    assert "Aucun site" in portal.page("/qualite?q=zzzz")


@pytest.mark.parametrize(
    ("label", "begun"),
    [
        ("Maladies du foie", "Maladies du foie : "),
        (
            "Symptômes, signes et résultats anormaux d’examens cliniques et de laboratoire, non classés ailleurs",
            "Symptômes, signes et résultats anormaux",
        ),
    ],
)
def test_a_finding_in_one_line_keeps_its_figure_and_the_beginning_of_its_label(label: str, begun: str) -> None:
    question = BY_SLUG["consultations-diagnostic"]
    period = Period("year", date(2022, 1, 1), date(2023, 1, 1))
    x = {"level": "chapter", "code": "X"}
    cell = Cell(x, label, label, period, False, False, False, 386.2, 383.0, 390.0, 3862.0, 10_000.0, [])
    line = in_one_line(question, question.measures[0], cell).striptags().replace("\u00a0", " ").replace("\u202f", " ")
    assert line.startswith(begun) and len(line) <= 158
    assert "en 2022, 386,2 ‰ des patients de la base" in line
