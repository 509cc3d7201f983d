"""Exact figures of own sites, from the outside: the head of A sees A exactly, and nothing more of B than everybody."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from chu_platform.access.verification import verify_journal
from chu_platform.storage.lake import Lake
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.exact_figures.conftest import QUESTION, Own
from chu_platform_tests.html import parsed
from chu_platform_tests.portal.served import Answer

pytestmark = pytest.mark.integration

FILES = ("evolution.csv", "evolution.parquet", "evolution.svg", "comparaison.csv", "comparaison.parquet")


def page_of(key: str, **parameters: str) -> str:
    more = "".join(f"&{name}={quote(value)}" for name, value in parameters.items())
    return f"{QUESTION}?x=establishment:{key}{more}"


def file_of(name: str, key: str, **parameters: str) -> str:
    return page_of(key, **parameters).replace("?", f"/{name}?", 1)


def parquet(answer: Answer) -> list[Mapping[str, Any]]:
    assert answer.status == 200
    found: list[Mapping[str, Any]] = pq.read_table(BytesIO(answer.body)).to_pylist()
    return found


@pytest.mark.parametrize(
    "path", ["/mon-etablissement", f"{QUESTION}?x=establishment:F010000024", f"{QUESTION}/evolution.csv", QUESTION]
)
@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-User": "claire"}, {"Remote-User": "claire"}, {"Cookie": "a=b"}])
def test_without_a_session_restricted_figures_lead_to_sign_in(own: Own, path: str, headers: Mapping[str, str]) -> None:
    before = len(own.answers)
    answer = own.get(path, None, **headers)
    assert answer.status == 303 and answer.headers["location"].startswith("/connexion?retour=%2Fmon-etablissement")
    assert answer.body == b"" and answer.headers["cache-control"] == "no-store"
    assert len(own.answers) == before


def test_public_pages_need_no_session_and_are_not_journalled(own: Own, head: str) -> None:
    before = len(own.answers)
    assert own.get("/sante").status == 200
    assert own.get("/questions/consultations-etablissement").status == 200
    assert own.get("/questions/consultations-etablissement", head).status == 200
    assert len(own.answers) == before


def test_a_head_with_one_site_is_led_to_it(own: Own, head: str) -> None:
    answer = own.get("/mon-etablissement", head)
    assert (answer.status, answer.headers["location"]) == (303, page_of(own.sites.a).replace(":", "%3A"))
    assert own.get(QUESTION, head).status == 200


@pytest.mark.parametrize("grain", ["month", "quarter", "year", "all"])
def test_the_head_of_a_sees_a_exactly(own: Own, head: str, grain: str) -> None:
    row = max(own.sites.of(own.sites.a, grain), key=lambda r: (r["consultations"], r["period_start"]))
    start = row["period_start"]
    written = {
        "month": f"{start:%Y-%m}",
        "quarter": f"{start.year}-T{(start.month + 2) // 3}",
        "year": f"{start.year}",
        "all": "tout",
    }[grain]
    before = len(own.answers)
    answer = own.get(page_of(own.sites.a, periode=written), head)
    assert answer.status == 200
    page = parsed(answer.body.decode())
    assert page.one("#chiffre").own_text.startswith(f"{row['consultations']:,}".replace(",", " "))
    assert "Chiffres exacts de votre établissement" in page and "ne les diffusez pas" in page
    stats = page.one("dl.stats")
    assert f"{row['patients']:,}".replace(",", " ") in stats
    (entry,) = own.answers[before:]
    assert (entry.principal, entry.profile, entry.purpose, entry.decision) == ("claire", "head", "steering", "allowed")
    assert entry.table == "pseudonymised/kpis/kpi_consultation_rate_by_establishment" and own.sites.a in entry.filter


def test_beside_it_are_the_published_figures_of_region_and_group(own: Own, head: str) -> None:
    shown = own.get(page_of(own.sites.a, periode="tout"), head)
    table = next(t for t in parsed(shown.body.decode()).all("table") if "Repères" in t.one("caption"))
    published = {(r["level"], r["period_grain"]): r for r in own.sites.published if r["level"] == "total"}
    total = published["total", "all"]
    assert f"{total['consultations']:,}".replace(",", " ") in table.text


def test_every_file_has_a_exactly_and_one_entry_in_the_journal(own: Own, head: str) -> None:
    months = own.sites.of(own.sites.a, "month")
    written = f"{months[-1]['period_start']:%Y-%m}"
    before = len(own.answers)
    for name in FILES:
        answer = own.get(file_of(name, own.sites.a, periode=written), head)
        assert answer.status == 200 and answer.headers["cache-control"] == "no-store, private"
        assert answer.headers["vary"].startswith("Cookie") and "etag" not in answer.headers
        assert b"publi\xc3\xa9es, version" not in answer.body
    assert [a.decision for a in own.answers[before:]] == ["allowed"] * len(FILES)
    found = parquet(own.get(file_of("evolution.parquet", own.sites.a, periode=written), head))
    assert [(r["period_start"], r["consultations"], r["patients"]) for r in found] == [
        (r["period_start"], r["consultations"], r["patients"]) for r in months
    ]
    assert not any(r["is_masked"] for r in found)


@pytest.mark.parametrize("name", ["", *FILES])
@pytest.mark.parametrize("period", ["tout", "2018", "2018-05"])
def test_a_changed_address_gives_nothing_of_b(own: Own, head: str, name: str, period: str) -> None:
    path = file_of(name, own.sites.b, periode=period) if name else page_of(own.sites.b, periode=period)
    before = len(own.answers)
    answer = own.get(path, head, **{"If-None-Match": "*"})
    assert answer.status == 403 and "Votre compte ne donne pas accès" in answer.text
    assert own.get(f"{path}&x=establishment:{own.sites.a}", head).status in (400, 403)
    assert own.get(f"{path.replace(':', '%3A')}", head).status == 403
    assert {a.decision for a in own.answers[before:]} <= {"denied", "allowed"}
    assert own.answers[before].decision == "denied" and own.answers[before].rows == 0


def test_b_beside_a_is_what_is_published_of_b(own: Own, head: str) -> None:
    published = {(r["period_grain"], r["period_start"]): r for r in own.sites.published if r["code"] == own.sites.b}
    for period in ("tout", "2018", "2018-05"):
        for name in ("evolution.parquet", "comparaison.parquet"):
            path = file_of(name, own.sites.a, periode=period, avec=f"establishment:{own.sites.b}")
            answer = own.get(path, head)
            if answer.status == 404:  # nothing is published of B
                assert not published
                continue
            for row in parquet(answer):
                if row["code"] == own.sites.b:
                    known = published[row["period_grain"], row["period_start"]]
                    assert (row["consultations"], row["is_masked"]) == (known["consultations"], known["is_masked"])


def test_nobody_is_given_the_page_of_another(own: Own, head: str) -> None:
    """Same address, other sessions, one after the other: no cache between them."""
    other = own.sign_in("paul", Profile.HEAD, Purpose.STEERING, own.sites.b)
    address = page_of(own.sites.a)
    statuses = [own.get(address, token).status for token in (head, other, head, None, other)]
    assert statuses == [200, 403, 200, 303, 403]
    assert own.get(page_of(own.sites.b), other).status == 200


@pytest.mark.parametrize(
    ("profile", "purpose"),
    [(Profile.AUDITOR, Purpose.AUDIT), (Profile.OPERATOR, Purpose.OPERATION), (Profile.STEWARD, Purpose.DATA_QUALITY)],
)
def test_profiles_without_figures_get_none(own: Own, profile: Profile, purpose: Purpose) -> None:
    token = own.sign_in(f"one-{profile}", profile, purpose)
    assert own.get(page_of(own.sites.a), token).status == 403
    page = parsed(own.get("/mon-etablissement", token).body.decode())
    assert "Votre compte n’est rattaché à aucun établissement" in page and not page.all("form[action]")[1:]


def test_an_analyst_asks_for_any_site(own: Own) -> None:
    token = own.sign_in("alix", Profile.ANALYST, Purpose.RESEARCH)
    assert "Un autre établissement" in own.get("/mon-etablissement", token).text
    found = own.get(f"/mon-etablissement?finess={own.sites.b.removeprefix('F')}", token)
    assert found.status == 303
    assert own.get(found.headers["location"], token).status == 200


def test_a_withdrawn_account_is_refused_at_the_next_request(own: Own) -> None:
    token = own.sign_in("lea", Profile.HEAD, Purpose.STEERING, own.sites.a)
    assert own.get(page_of(own.sites.a), token).status == 200
    own.accounts.remove("lea", Profile.HEAD)
    assert own.get(page_of(own.sites.a), token).status in (303, 403)
    own.accounts.remove("lea")
    assert own.get(page_of(own.sites.a), token).status == 303


def test_a_region_is_answered_by_the_portal(own: Own, head: str) -> None:
    before = len(own.answers)
    answer = own.get(f"{QUESTION}?x=total%3Atotal&periode=tout", head)
    assert answer.status == 303
    assert answer.headers["location"] == "/questions/consultations-etablissement?x=total%3Atotal&periode=tout"
    assert len(own.answers) == before


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/mon-etablissement/questions/deces-region", 404),
        ("/mon-etablissement/questions/n-existe-pas", 404),
        ("/mon-etablissement/ailleurs", 404),
        (f"{QUESTION}/evolution.xls?x=", 404),
        (f"{QUESTION}?x=establishment:{'F' * 300}", 403),
        (f"{QUESTION}?periode=jamais", 400),
        (f"{QUESTION}?inconnu=1", 400),
        (f"{QUESTION}?x=establishment:'%20OR%20true%20--", 403),
    ],
)
def test_a_mistake_is_a_page_in_french_without_figures(own: Own, head: str, path: str, status: int) -> None:
    answer = own.get(path, head)
    assert answer.status == status and answer.headers["cache-control"].startswith("no-store")
    assert "Erreur" in answer.text


def test_without_a_journal_no_figure_is_shown(own: Own, head: str) -> None:
    kept = own.journal.file.with_name("kept")
    own.journal.file.rename(kept)
    own.journal.file.mkdir()
    try:
        for path in (page_of(own.sites.a), *(file_of(name, own.sites.a) for name in FILES)):
            answer = own.get(path, head)
            assert answer.status == 503 and "Aucun chiffre n’est montré" in answer.text
        assert own.get("/questions/consultations-etablissement").status == 200
    finally:
        own.journal.file.rmdir()
        kept.rename(own.journal.file)
    assert own.get(page_of(own.sites.a), head).status == 200


def test_a_clinician_sees_their_site_with_small_cells_masked(own: Own) -> None:
    token = own.sign_in("noor", Profile.CLINICIAN, Purpose.CARE_QUALITY, own.sites.a)
    page = own.get(page_of(own.sites.a, periode="tout"), token)
    assert page.status == 200 and "Les petits effectifs sont masqués" in page.text
    exact = {(r["period_grain"], r["period_start"]): r for r in own.sites.exact if r["code"] == own.sites.a}
    for grain, period in (("month", "2018-05"), ("quarter", "2018-T2"), ("year", "2018")):
        found = parquet(own.get(file_of("evolution.parquet", own.sites.a, periode=period), token))
        for row in (r for r in found if r["period_grain"] == grain):
            real = exact[grain, row["period_start"]]
            small = any(0 < real[c] <= 10 for c in ("events", "consultations", "patients"))
            assert row["is_masked"] or not small
            for column in ("events", "consultations", "patients", "rate_per_1000", "intensity"):
                assert row[column] == (None if row["is_masked"] else real[column])
    assert own.answers[-1].profile == "clinician"
    assert own.get(page_of(own.sites.b), token).status == 403


def test_the_journal_of_all_these_answers_verifies(own: Own, head: str, tmp_path: Any) -> None:
    """After the other tests of this file, many requests from several threads."""
    own.get(page_of(own.sites.a), head)
    result = verify_journal(Lake(tmp_path), own.journal)
    assert result.findings == [] and result.entries == len(own.answers) > 1
