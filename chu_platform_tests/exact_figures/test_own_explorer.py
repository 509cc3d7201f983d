"""The explorer of exact figures, from the outside: each profile gets what its grants open, and nothing beyond."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from io import BytesIO
from random import Random
from threading import Event
from typing import Any
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest

from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.exact_figures.cubes import CUBES
from chu_platform.exact_figures.jobs import Jobs, Progress, Unfinished
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.indicators.small_cells import mask_small_cells
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.storage.lake import Lake
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.exact_figures.conftest import Own
from chu_platform_tests.html import parsed
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

FEW = 20
EXPLORER = "/mon-etablissement/explorer"
OF_SITE = "etablissement-consultations"
STORED = "consultations-etablissement"
KEY = ("period_grain", "period_start", "level", "code")
WITHOUT_FIGURES = (
    (Profile.AUDITOR, Purpose.AUDIT),
    (Profile.OPERATOR, Purpose.OPERATION),
    (Profile.STEWARD, Purpose.DATA_QUALITY),
)
Asked = Mapping[str, str]
Row = Mapping[str, Any]


def file_of(own: Own, token: str, asked: Asked, name: str = "tableau.parquet") -> list[dict[str, Any]]:
    answer = own.get(f"{EXPLORER}/{name}?{urlencode(asked)}", token)
    assert answer.status == 200, (asked, answer.status)
    assert answer.headers["cache-control"] == "no-store, private" and "etag" not in answer.headers
    found: list[dict[str, Any]] = pq.read_table(BytesIO(answer.body)).to_pylist()
    return found


def consultations_at(lake: Lake, key: str, first: date, last: date) -> list[Row]:
    """The consultations of the professionals of a site between two days, read without the explorer."""
    there = {
        r["professional_key"]
        for r in rows(lake, bridge_professional_establishment).to_pylist()
        if r["establishment_key"] == key
    }
    return [
        r
        for r in rows(lake, fact_consultation).to_pylist()
        if r["professional_key"] in there and first <= r["date"] <= last
    ]


def test_a_head_counts_own_consultations_between_any_two_days(own: Own, head: str, made: Home) -> None:
    first, last = date(2017, 3, 14), date(2020, 11, 2)
    found = consultations_at(made.lake, own.sites.a, first, last)
    asked = {"sujet": OF_SITE, "axe1": "annee", "mesure": "consultations", "du": f"{first}", "au": f"{last}"}
    before = len(own.answers)
    table = file_of(own, head, asked)
    expected = {year: [r for r in found if r["date"].year == year] for year in {r["date"].year for r in found}}
    assert {r["period_start"].year: r["events"] for r in table} == {y: len(e) for y, e in expected.items()}
    (entry,) = own.answers[before:]
    assert (entry.principal, entry.decision, entry.rows) == ("claire", "allowed", len(table))
    assert entry.table == "pseudonymised/kpis/kpi_consultation_rate_by_establishment" and f"{first}" in entry.filter
    patients = file_of(own, head, {**asked, "mesure": "patients", "axe1": "jour"})
    by_day = {d: {r["patient_key"] for r in found if r["date"].isoweekday() == d} - {"inconnu"} for d in range(1, 8)}
    assert [r["patients"] for r in patients] == [len(p) for p in by_day.values() if p]


def test_a_page_has_the_table_the_query_and_where_it_is_noted(own: Own, head: str) -> None:
    asked = {"sujet": STORED, "axe1": "annee", "mesure": "nombre", "x": f"establishment:{own.sites.a}"}
    answer = own.get(f"{EXPLORER}?{urlencode(asked)}", head)
    page = parsed(answer.body.decode())
    assert answer.status == 200 and "journal des accès" in page and "SELECT" in page.one("pre code")
    exact = {f"{r['period_start']:%Y}": r["consultations"] for r in own.sites.of(own.sites.a, "year")}
    shown = {row.one("th").text[:4]: row.all("td")[0].text for row in page.one("table").all("tbody tr")}
    assert shown == {year: f"{count:,}".replace(",", " ") for year, count in exact.items()}
    assert own.get(f"{EXPLORER}/tableau.csv", head).status == 200 and own.get(EXPLORER).status == 303


@pytest.mark.parametrize("file", ["", "/tableau.csv", "/tableau.parquet", "/graphique.svg"])
def test_another_site_is_reached_by_no_address(own: Own, head: str, file: str) -> None:
    b = own.sites.b
    for asked in (
        {"sujet": OF_SITE, "finess": b.removeprefix("F")},
        {"sujet": STORED, "x": f"establishment:{b}"},
        {"sujet": STORED, "x": f"establishment:{b}", "axe1": "mois"},
        {"sujet": "consultations"},
        {"sujet": "sejours", "filtre-etablissement": b},
        {"sujet": "mes-consultations"},
        {"sujet": "hospitalisations"},
    ):
        before = len(own.answers)
        answer = own.get(f"{EXPLORER}{file}?{urlencode(asked)}", head)
        assert answer.status == 403 and b not in answer.text, asked
        assert [a.decision for a in own.answers[before:]] == ["denied"]
    for asked in ({"sujet": OF_SITE, "axe1": "chapitre"}, {"sujet": OF_SITE, "filtre-age": "0-4"}, {"sujet": "x"}):
        assert own.get(f"{EXPLORER}{file}?{urlencode(asked)}", head).status in (400, 404)
    hostile = f"{b.removeprefix('F')}') OR ('1'='1"
    assert own.get(f"{EXPLORER}{file}?{urlencode({'sujet': OF_SITE, 'finess': hostile})}", head).status == 403


def test_no_exact_figure_is_in_the_log_of_addresses(own: Own, head: str) -> None:
    """What an address holds are choices: names of declarations, codes of places, dates."""
    page = parsed(own.get(f"{EXPLORER}?sujet={STORED}", head).body.decode())
    known = {"sujet", "mesure", "axe1", "x", "du", "au"}
    links = [link for link in page.links if link.startswith(EXPLORER)]
    assert links and all(
        {part.partition("=")[0] for part in one.partition("?")[2].split("&")} <= known for one in links
    )


def random_requests(own: Own, seed: int, count: int) -> Sequence[Asked]:
    """Requests of any subject, axes, dates, and of the sites A and B."""
    draw, found = Random(seed), list[Asked]()
    for _ in range(count):
        asked: dict[str, str] = {}
        days = sorted(date(2015, 6, 1) + timedelta(days=draw.randrange(2700)) for _ in range(2))
        if draw.random() < 0.5:
            asked |= {"du": f"{days[0]}", "au": f"{days[1]}"}
        site = draw.choice((own.sites.a, own.sites.b, ""))
        if draw.random() < 0.5:
            asked |= {"sujet": STORED, "mesure": draw.choice(("taux", "nombre", "intensite"))}
            axes = [draw.choice(("annee", "trimestre", "mois")), draw.choice(("region", "department", "establishment"))]
            for number, axis in enumerate(draw.sample(axes, draw.randint(0, 2)), 1):
                asked[f"axe{number}"] = axis
            if site and not {"region", "department"} & set(asked.values()):
                asked["x"] = f"establishment:{site}"
        else:
            cube = draw.choice(CUBES)
            asked |= {"sujet": cube.slug, "mesure": draw.choice(cube.measures).measure.key}
            for number, counted in enumerate(draw.sample(cube.axes, draw.randint(0, 2)), 1):
                asked[f"axe{number}"] = counted.name
            if site and cube.site:
                asked["finess"] = site.removeprefix("F")
        found.append(asked)
    return found


def attack(own: Own, made: Home, count: int) -> None:
    """Whatever is asked for, each answer is a part of one fixed table, that of the grants, so that differences and
    marginals of answers are differences and marginals of what is granted."""
    a = own.sites.a
    published = {tuple(r[k] for k in KEY): r for r in own.sites.published}
    exact = rows(made.lake, kpi_consultation_rate_by_establishment.exact)
    of_a = exact.filter([code == a for code in exact["code"].to_pylist()])
    masked = mask_small_cells(kpi_consultation_rate_by_establishment, of_a).to_pylist()
    granted = {
        Profile.HEAD: {tuple(r[k] for k in KEY): {**r, "is_masked": False} for r in of_a.to_pylist()},
        Profile.CLINICIAN: {tuple(r[k] for k in KEY): r for r in masked},
    }
    label = next(r["label"] for r in masked)
    purposes = {Profile.HEAD: Purpose.STEERING, Profile.CLINICIAN: Purpose.CARE_QUALITY}
    for profile, own_rows in granted.items():
        token = own.sign_in(f"attacker-{profile}-{count}", profile, purposes[profile], a)
        opened = 0
        for asked in random_requests(own, 2023, count):
            answer = own.get(f"{EXPLORER}/tableau.parquet?{urlencode(asked)}", token)
            assert answer.status in (200, 400, 403, 404), asked
            if answer.status != 200:
                continue
            opened += 1
            cube = next((c for c in CUBES if c.slug == asked["sujet"]), None)
            assert cube is None or (cube.slug == OF_SITE and profile is Profile.HEAD), asked
            for row in pq.read_table(BytesIO(answer.body)).to_pylist():
                if cube:
                    assert row["label"] == label, asked
                    continue
                key = tuple(row[k] for k in KEY)
                known = own_rows.get(key) if row["code"] == a else published[key]
                assert known is not None
                assert {n: v for n, v in row.items() if n != "revision_pending"} == {
                    n: known[n] for n in row if n != "revision_pending"
                }, asked
        assert opened, profile
    for profile, purpose in WITHOUT_FIGURES:
        token = own.sign_in(f"attacker-{profile}-{count}", profile, purpose)
        for asked in random_requests(own, 7, count // 4):
            assert own.get(f"{EXPLORER}/tableau.csv?{urlencode(asked)}", token).status in (400, 403, 404), (
                profile,
                asked,
            )
            assert own.get(f"{EXPLORER}?{urlencode(asked)}", token).status in (400, 403, 404), (profile, asked)
    # Who is bound to a professional without consultations reads those of nobody.
    token = own.sign_in(f"attacker-unknown-{count}", Profile.PRACTITIONER, Purpose.CARE_QUALITY, professional="0" * 32)
    for asked in random_requests(own, 7, count // 4):
        answer = own.get(f"{EXPLORER}/tableau.parquet?{urlencode(asked)}", token)
        assert answer.status in (400, 403, 404) or not pq.read_table(BytesIO(answer.body)).num_rows, asked


def test_random_requests_give_parts_of_what_is_granted(own: Own, made: Home) -> None:
    """200 of each profile: `test_every_own_table`."""
    attack(own, made, FEW)


def test_an_analyst_crosses_facts(own: Own, made: Home) -> None:
    token = own.sign_in("anais", Profile.ANALYST, Purpose.RESEARCH)
    asked = {"sujet": "consultations", "mesure": "consultations", "axe1": "age", "du": "2018-01-05", "au": "2018-12-30"}
    found = {r["age"]: r["events"] for r in file_of(own, token, asked)}
    expected: dict[str, int] = {}
    for row in rows(made.lake, fact_consultation).to_pylist():
        if date(2018, 1, 5) <= row["date"] <= date(2018, 12, 30):
            band = "âge inconnu" if row["age_band"] == "unknown" else row["age_band"]
            expected[band] = expected.get(band, 0) + 1
    assert found == expected
    assert own.get(f"{EXPLORER}/graphique.svg?{urlencode(asked)}", token).status == 200


def test_a_count_that_takes_long_is_given_to_who_comes_back() -> None:
    jobs = Jobs(patience=0.01)
    begun, go_on = [], Event()

    def make(progress: Progress) -> str:
        begun.append(1)
        progress.percent = lambda: 42.0
        go_on.wait(10)
        return "counted"

    while (found := jobs.answer("key", make)) != Unfinished(42, 0):
        assert isinstance(found, Unfinished)
    go_on.set()
    assert jobs.answer("key", make, wait=True) == "counted"
    assert begun == [1]
