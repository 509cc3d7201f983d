"""An establishment or a diagnosis is found by what a reader knows of it."""

from collections import Counter
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from deltalake import DeltaTable

from chu_platform.portal.search import CODE, _nearest, everything
from chu_platform_tests import small_duckdb
from chu_platform_tests.html import parsed
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import Served

pytestmark = pytest.mark.integration


def rows(made: Home, table: str, sql: str, zone: str = "published") -> list[dict[str, Any]]:
    with small_duckdb.connect() as connection:
        connection.register("found", DeltaTable(made.lake.root / zone / "kpis" / table).to_pyarrow_table())
        listed: list[dict[str, Any]] = connection.sql(sql).to_arrow_table().to_pylist()
        return listed


@pytest.fixture(scope="module")
def establishment(made: Home) -> dict[str, Any]:
    """One with a FINESS number, whose name no other has. It may be masked."""
    sql = """
        SELECT label, code, substr(code, 2) AS finess FROM found WHERE level = 'establishment' AND code LIKE 'F%'
        QUALIFY count(*) OVER (PARTITION BY label) = 1 ORDER BY finess LIMIT 1
    """
    return rows(made, "kpi_consultation_rate_by_establishment", sql)[0]


def links(portal: Served, kind: str, words: str) -> list[str]:
    """Where a search leads: straight to a page, or to the pages of a list."""
    answer = portal.get(f"/recherche/{kind}?{urlencode({'q': words})}")
    return [answer.headers.get("location", ""), *parsed(answer.text).links]


def test_a_finess_number_leads_straight_to_its_establishment(establishment: dict[str, Any], portal: Served) -> None:
    answer = portal.get(f"/recherche/etablissements?q={establishment['finess']}")
    assert answer.status == 303
    assert answer.headers["location"].endswith(f"x=establishment%3A{establishment['code']}")
    assert establishment["label"] in portal.page(answer.headers["location"])


def test_an_establishment_is_found_by_its_name(establishment: dict[str, Any], portal: Served) -> None:
    found = links(portal, "etablissements", f"{establishment['label'].lower()} {establishment['finess'][:5]}")
    assert any(link.endswith(f"x=establishment%3A{establishment['code']}") for link in found)


@pytest.mark.parametrize("known_by", ["commune_label", "department_label"])
def test_an_establishment_with_a_visible_figure_is_found_by_its_place(
    known_by: str, made: Home, portal: Served
) -> None:
    one = rows(
        made, "published_establishment", f"SELECT * FROM found WHERE {known_by} IS NOT NULL ORDER BY ALL LIMIT 1"
    )[0]
    found = links(portal, "etablissements", f"{one[known_by].lower()} {one['establishment_label'].lower()}")
    assert any(link.endswith(f"x=establishment%3A{one['establishment_key']}") for link in found)


def test_a_diagnosis_with_a_visible_figure_is_found_by_code_and_by_words_without_accents(
    made: Home, portal: Served
) -> None:
    sql = "SELECT * FROM found WHERE level = 'category' AND code <> 'inconnu' ORDER BY code LIMIT 1"
    one = rows(made, "published_diagnosis", sql)[0]
    for words in (one["code"], one["code"].lower()):
        assert any(link.endswith(f"x=category%3A{one['code']}") for link in links(portal, "diagnostics", words))
    assert any(link.endswith("x=chapter%3AXIX") for link in links(portal, "diagnostics", "lesions traumatiques"))


def test_a_rare_code_is_not_found(made: Home, portal: Served) -> None:
    """It may be that of one patient."""
    sql = "SELECT code FROM found WHERE level = 'leaf' GROUP BY code HAVING max(patients) = 1 ORDER BY code LIMIT 1"
    code = rows(made, "kpi_consultation_rate_by_diagnosis", sql, "pseudonymised")[0]["code"]
    for words in (code, f"{code[:3]}.{code[3:]}"):
        assert not any(code in link for link in links(portal, "diagnostics", words) if link.startswith("/questions"))


def test_a_search_of_stays_finds_what_has_stays_only(made: Home, portal: Served) -> None:
    stays = rows(
        made, "kpi_hospitalisation_rate_by_diagnosis", "SELECT DISTINCT code FROM found WHERE level = 'chapter'"
    )
    page = portal.page("/recherche/diagnostics?question=hospitalisations-diagnostic")
    address = "/questions/hospitalisations-diagnostic?x=chapter%3A"
    listed = [link.removeprefix(address) for link in page.one("main").links if link.startswith(address)]
    assert sorted(listed) == sorted(r["code"] for r in stays)


def test_nothing_found_is_said(portal: Served) -> None:
    assert "Aucun établissement des indicateurs publiés ne correspond" in portal.page(
        "/recherche/etablissements?q=zzzzqq"
    )


def test_a_place_leads_to_what_lies_in_it(portal: Served) -> None:
    page = portal.page("/questions/consultations-etablissement?x=region:53&periode=tout")
    inside = page.one("section[aria-labelledby=titre-affiner]")
    assert any(e.own_text == "Finistère" for e in inside.all("a"))


def test_practices_are_published_without_a_name(made: Home) -> None:
    found = rows(made, "published_establishment", "SELECT * FROM found WHERE establishment_key NOT LIKE 'F%'")
    assert all(r["establishment_label"].startswith("Structure de soins") and r["finess"] is None for r in found)


def test_the_search_lists_have_what_has_a_visible_figure(made: Home) -> None:
    keys = {r["establishment_key"] for r in rows(made, "published_establishment", "SELECT * FROM found")}
    sql = "SELECT DISTINCT code FROM found WHERE level = 'establishment' AND NOT is_masked"
    assert keys == {r["code"] for r in rows(made, "kpi_consultation_rate_by_establishment", sql)} != set()
    codes = {(r["level"], r["code"]) for r in rows(made, "published_diagnosis", "SELECT * FROM found")}
    expected: set[tuple[str, str]] = set()
    for table in ("kpi_consultation_rate_by_diagnosis", "kpi_hospitalisation_rate_by_diagnosis"):
        sql = "SELECT DISTINCT level, code FROM found WHERE NOT is_masked"
        expected |= {(r["level"], r["code"]) for r in rows(made, table, sql)}
    assert codes == expected != set()


def test_a_code_is_searched_without_its_dot() -> None:
    assert CODE.sub(r"\1\2", "J45.9 et e11.01") == "J459 et e1101"


def damerau(a: str, b: str) -> int:
    """The number of typing errors between two words, by the definition: letters left out, added, changed, swapped."""
    rows = {(-1, -1): len(a) + len(b)}
    rows |= {(i, -1): i + 1 for i in range(len(a))} | {(-1, j): j + 1 for j in range(len(b))} | {(-1, -1): 0}
    for i, j in product(range(len(a)), range(len(b))):
        rows[i, j] = min(rows[i - 1, j] + 1, rows[i, j - 1] + 1, rows[i - 1, j - 1] + (a[i] != b[j]))
        if i and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
            rows[i, j] = min(rows[i, j], rows[i - 2, j - 2] + 1)
    return rows[len(a) - 1, len(b) - 1]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("bretagen", "Bretagne"), ("finistrèe", "Finistère"), ("occitani", "Occitanie"), ("normnadie", "Normandie")],
)
def test_a_typing_error_finds_what_was_meant(written: str, meant: str, portal: Served) -> None:
    page = portal.page(f"/recherche?q={quote(written)}")
    assert any(e.text.startswith(meant) for e in page.all("ul.results a")), page.text
    assert portal.get(f"/suggestions?q={quote(written)}").text.count(meant) >= 1


def test_the_nearest_word_has_the_fewest_errors(portal: Served) -> None:
    """Against all known words, by an independent distance; a short word, or one with digits, is not changed."""
    snapshot = portal.reader.snapshot
    everything(snapshot, "a")
    known = [r["word"] for r in snapshot.rows("SELECT word FROM found_word WHERE kind = 'diagnosis' ORDER BY word")]
    long = [w for w in known if w.isalpha() and len(w) > 6 and w[1] != w[2]]
    for word in (long[0], long[len(long) // 2]):
        wrong = word[0] + word[2] + word[1] + word[3:]
        found = _nearest(snapshot, "diagnosis", wrong)
        if any(wrong in other for other in known):
            assert found == wrong
            continue
        assert found is not None
        least = min(min(damerau(wrong, o), damerau(wrong, o[: len(wrong)])) for o in known)
        assert min(damerau(wrong, found), damerau(wrong, found[: len(wrong)])) == least == 1
    assert _nearest(snapshot, "diagnosis", "zzq") is None and _nearest(snapshot, "diagnosis", "e119zz") is None


def test_a_search_among_everything_finds_every_kind_and_says_what_is_masked(made: Home, portal: Served) -> None:
    answer = portal.get("/recherche?q=satisfaction%20region")
    assert (answer.status, answer.headers["location"]) == (303, "/questions/satisfaction-region")
    sql = "SELECT code, label FROM found WHERE level = 'establishment' AND is_masked AND code LIKE 'F%' ORDER BY code"
    masked = rows(made, "kpi_consultation_rate_by_establishment", sql)[0]
    for path in (f"/recherche?q={quote(masked['label'])}", f"/recherche/etablissements?q={quote(masked['label'])}"):
        answer = portal.get(path)
        if answer.status == 200:
            own = [e for e in parsed(answer.text).all("ul.results a") if masked["code"][1:] in e.text]
            assert own and all(e.all(".masked") for e in own)
    assert "Rien ne correspond" in portal.page("/recherche?q=zzzzqq")
    assert portal.get("/recherche").status == 200
    assert portal.get("/recherche?q=a&x=b").status == 400


def test_establishments_without_a_visible_figure_are_counted_by_place(made: Home, portal: Served) -> None:
    """By the commune that HAS publishes, else by the department of the FINESS number; visible ones come first."""
    sql = (
        "SELECT substr(code, 2) AS finess, label FROM found WHERE level = 'establishment' "
        "GROUP BY ALL HAVING bool_and(is_masked)"
    )
    masked = {r["finess"]: r["label"] for r in rows(made, "kpi_consultation_rate_by_establishment", sql)}
    of_has = {
        r["site_finess"]: r["commune"]
        for r in rows(
            made,
            "published_satisfaction",
            "SELECT site_finess, arg_max(commune_label, campaign_year) AS commune FROM found GROUP BY site_finess",
        )
    }
    departments = {
        r["department_code"]: r["department_label"] for r in rows(made, "published_department", "SELECT * FROM found")
    }
    expected: Counter[str] = Counter()
    for finess, label in masked.items():
        if "centre" in f"{label} {of_has.get(finess, '')}".lower():
            department = departments.get(finess[:2])
            other = f"{department}, d’après le numéro FINESS" if department else "Commune non publiée"
            expected[of_has.get(finess) or other] += 1
    assert expected.total() > 20 and len(expected) > 5
    page = portal.page("/recherche/etablissements?q=centre")
    said = {}
    for group in page.all("main details"):
        place, _, count = group.one("summary").text.partition(" : ")
        said[place] = int(count.split()[0])
        assert all(link.all(".masked") for link in group.all("li a"))
    lone = said.pop("Seuls dans leur lieu", 0) + said.pop("Seul dans son lieu", 0)
    assert said.items() <= expected.items() and (said or lone)
    assert lone <= sum(count == 1 for count in expected.values())
    assert "l’un ne se distingue pas de l’autre" in page


def test_suggestions_are_what_the_search_finds(portal: Served) -> None:
    for words in ("bret", "13", "E11", "consultation", "zzzzqq", "<b>"):
        shown = parsed(portal.get(f"/suggestions?q={quote(words)}").text).links
        whole = portal.get(f"/recherche?q={quote(words)}")
        found = parsed(whole.text).one("main").links if whole.status == 200 else [whole.headers["location"]]
        assert len(shown) <= 8 and set(shown) <= set(found)
    assert "&lt;b&gt;" in portal.get("/suggestions?q=%3Cb%3E").text


def test_a_place_lists_what_lies_in_it_with_its_figures(made: Home, portal: Served) -> None:
    """The departments of Brittany with their rates, the highest first, as published."""
    sql = (
        "SELECT code, label, patients, base_patients, is_masked FROM found WHERE period_grain = 'all' "
        "AND level = 'department' AND code IN ('22', '29', '35', '56') ORDER BY is_masked, rate_per_1000 DESC, label"
    )
    departments = rows(made, "kpi_consultation_rate_by_establishment", sql)
    inside = portal.page("/questions/consultations-etablissement?x=region:53&periode=tout").one(
        "section[aria-labelledby=titre-affiner]"
    )
    lines = [[e.text for e in row.all("th, td")] for row in inside.all("tbody tr")]
    assert [line[0] for line in lines] == [d["label"] for d in departments] and len(lines) == 4
    for line, department in zip(lines, departments, strict=True):
        if department["is_masked"]:
            assert line[1] == "masqué"
        else:
            share = f"{department['patients'] / department['base_patients']:.1%}"
            assert line[1] == share.rstrip("%").replace(".", ",")
