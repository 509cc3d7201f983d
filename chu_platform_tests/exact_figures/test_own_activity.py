"""Own counts of practitioners, from the outside: beside the released distribution, and never those of a colleague."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Any

import pyarrow.parquet as pq
import pytest

from chu_platform.errors import ChuError
from chu_platform.kpis.kpi_consultation_rate_by_professional import EXACT, kpi_consultation_rate_by_professional
from chu_platform.pseudonymisation.bound_professional import pseudonym_of_number
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.exact_figures.conftest import Own
from chu_platform_tests.html import parsed
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows
from chu_platform_tests.portal.served import Answer

pytestmark = pytest.mark.integration

PAGE = "/mon-activite"
FILES = (f"{PAGE}/consultations.csv", f"{PAGE}/consultations.parquet")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Colleagues:
    """The exact rows of two professionals of one speciality with most consultations, and all published rows."""

    own: str
    other: str
    exact: Sequence[Row]
    published: Sequence[Row]

    def of(self, professional: str) -> Sequence[Row]:
        """The rows of years and of all years."""
        found = [
            r for r in self.exact if r["professional_key"] == professional and r["period_grain"] in ("year", "all")
        ]
        return sorted(found, key=lambda r: (r["period_grain"] == "all", r["period_start"]))


@pytest.fixture(scope="module")
def colleagues(made: Home) -> Colleagues:
    exact = rows(made.lake, EXACT).to_pylist()
    whole = [r for r in exact if r["period_grain"] == "all"]
    sizes = {g: [r for r in whole if (r["profession"], r["speciality"]) == g] for g in {group(r) for r in whole}}
    shared = max(sizes.values(), key=lambda found: (len(found), group(found[0])))
    first, second = sorted(shared, key=lambda r: (-r["events"], r["professional_key"]))[:2]
    published = rows(made.lake, kpi_consultation_rate_by_professional.masked).to_pylist()
    return Colleagues(first["professional_key"], second["professional_key"], exact, published)


def group(row: Row) -> tuple[str, str]:
    return row["profession"], row["speciality"]


@pytest.fixture(scope="module")
def token(own: Own, colleagues: Colleagues) -> str:
    """The session of the practitioner."""
    return own.sign_in("lou", Profile.PRACTITIONER, Purpose.CARE_QUALITY, professional=colleagues.own)


def parquet(answer: Answer) -> list[Row]:
    assert answer.status == 200
    found: list[Row] = pq.read_table(BytesIO(answer.body)).to_pylist()
    return found


def test_a_practitioner_is_led_to_their_own_counts(own: Own, token: str, colleagues: Colleagues) -> None:
    led = own.get("/mon-etablissement", token)
    assert (led.status, led.headers["location"]) == (303, PAGE)
    before = len(own.answers)
    answer = own.get(PAGE, token)
    assert answer.status == 200 and answer.headers["cache-control"] == "no-store, private"
    assert "etag" not in answer.headers and answer.headers["vary"].startswith("Cookie")
    page = parsed(answer.body.decode())
    cells = [[c.text for c in line.all("th, td")] for line in page.one("table").all("tbody tr")]
    own_rows = colleagues.of(colleagues.own)
    assert [line[1:4] for line in cells] == [
        [f"{row[c]:,.0f}".replace(",", " ") for c in ("events", "patients", "worked_months")] for row in own_rows
    ]
    (entry,) = own.answers[before:]
    assert (entry.profile, entry.purpose, entry.decision, entry.rows) == (
        "practitioner",
        "care_quality",
        "allowed",
        len(own_rows),
    )
    assert colleagues.own not in answer.text and colleagues.own not in str(entry)


def test_files_have_the_own_counts_beside_what_is_published(own: Own, token: str, colleagues: Colleagues) -> None:
    found = parquet(own.get(FILES[1], token))
    exact = colleagues.of(colleagues.own)
    for column in ("period_start", "events", "patients", "worked_months", "events_per_active_year"):
        assert [row[column] for row in found] == [row[column] for row in exact], column
    assert "professional_key" not in found[0]
    released = {(r["period_grain"], r["period_start"], *group(r)): r for r in colleagues.published}
    for row in found:
        if row["period_grain"] == "year":
            known = released.get(("year", row["period_start"], *group(row)), {})
            assert (row["peer_median"], row["peer_p20"]) == (known.get("median"), known.get("p20"))
    lines = list(csv.reader(StringIO(own.get(FILES[0], token).body.decode("utf-8-sig")), delimiter=";"))
    assert len(lines) == len(found) + 1 and len(set(map(len, lines))) == 1


@pytest.mark.parametrize("path", [PAGE, *FILES])
def test_no_address_gives_the_counts_of_a_colleague(own: Own, token: str, colleagues: Colleagues, path: str) -> None:
    other, before = colleagues.other, len(own.answers)
    for asked in (f"professional_key={other}", f"x={other}", f"x=professional:{other}", f"rpps={other}"):
        answer = own.get(f"{path}?{asked}", token, **{"If-None-Match": "*"})
        assert answer.status == 400 and "rien à y choisir" in answer.text
    assert own.get(f"{path}/{other}", token).status == 404
    assert len(own.answers) == before
    mine, theirs = (own.get(path, one).body for one in (token, _of_other(own, colleagues)))
    assert mine != theirs and own.get(path, token, **{"If-None-Match": "*"}).body == mine


def _of_other(own: Own, colleagues: Colleagues) -> str:
    return own.sign_in("max", Profile.PRACTITIONER, Purpose.CARE_QUALITY, professional=colleagues.other)


@pytest.mark.parametrize("path", [PAGE, *FILES])
def test_who_is_no_practitioner_gets_no_counts(own: Own, head: str, path: str) -> None:
    before = len(own.answers)
    for headers in ({}, {"X-Forwarded-User": "lou"}):
        answer = own.get(path, None, **headers)
        assert answer.status == 303 and answer.headers["location"].startswith("/connexion?retour=%2Fmon-activite")
    analyst = own.sign_in("alix", Profile.ANALYST, Purpose.RESEARCH)
    for one in (head, analyst):
        refused = own.get(path, one)
        assert refused.status == 403 and "rattaché à aucun professionnel" in refused.text
    assert len(own.answers) == before


def test_a_professional_without_consultations_is_denied_and_journalled(own: Own) -> None:
    token = own.sign_in("none", Profile.PRACTITIONER, Purpose.CARE_QUALITY, professional="0" * 32)
    answer = own.get(PAGE, token)
    assert answer.status == 404 and "aucune de vos consultations" in answer.text
    assert own.answers[-1].decision == "denied"


def test_a_practitioner_opens_no_site_and_a_withdrawn_one_nothing(own: Own, colleagues: Colleagues) -> None:
    token = own.sign_in("eli", Profile.PRACTITIONER, Purpose.CARE_QUALITY, professional=colleagues.own)
    site = f"/mon-etablissement/questions/consultations-etablissement?x=establishment:{own.sites.a}"
    assert own.get(site, token).status == 403
    assert own.get(PAGE, token).status == 200
    own.accounts.remove("eli", Profile.PRACTITIONER)
    assert own.get(PAGE, token).status in (303, 403)


def test_without_a_journal_no_count_is_shown(own: Own, token: str) -> None:
    kept = own.journal.file.with_name("kept")
    own.journal.file.rename(kept)
    own.journal.file.mkdir()
    try:
        assert [own.get(path, token).status for path in (PAGE, *FILES)] == [503] * 3
    finally:
        own.journal.file.rmdir()
        kept.rename(own.journal.file)
    assert own.get(PAGE, token).status == 200


def test_a_number_gives_the_pseudonym_and_a_wrong_one_a_sentence_without_it(made: Home) -> None:
    known = {r["Identifiant"]: r["professional_key"] for r in rows(made.lake, professional_pseudonym).to_pylist()}
    rpps = next(number for number in known if len(number) == 11)
    adeli = next(number for number in known if len(number) == 9)
    assert pseudonym_of_number(made.lake, rpps, None) == known[rpps]
    assert pseudonym_of_number(made.lake, None, f" {adeli.lower()} ") == known[adeli]
    assert pseudonym_of_number(made.lake, None, None) is None
    for given, why in (
        ((rpps, adeli), "not both"),
        ((adeli, None), "no RPPS number"),
        ((None, rpps), "no ADELI number"),
        (("99999999999", None), "no source of the lake has a professional"),
    ):
        with pytest.raises(ChuError, match=why) as refused:
            pseudonym_of_number(made.lake, *given)
        assert not any(str(n) in str(refused.value) for n in given if n)
