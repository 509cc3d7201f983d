"""Profiles, funnels and control charts answer what the head of a place asks, from the published tables."""

import re
from collections import Counter
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from chu_platform import french
from chu_platform.portal.control_limits import MIN_MONTHS
from chu_platform.portal.monthly_signals import measures_of
from chu_platform.release.published_quality import published_quality
from chu_platform.release.published_satisfaction import published_satisfaction
from chu_platform_tests.html import Element
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import BY_SLUG, Served
from chu_platform_tests.portal.test_pages import published, section

pytestmark = pytest.mark.integration


def plain(number: float, digits: int = 1) -> str:
    return f"{french.number(number, digits)}".replace("\u202f", " ")


@pytest.fixture(scope="module")
def scores(made: Home) -> list[dict[str, Any]]:
    """The published scores of sites."""
    found: list[dict[str, Any]] = made.lake.arrow(published_satisfaction).to_pylist()
    return found


@pytest.fixture(scope="module")
def scored_site(scores: list[dict[str, Any]]) -> str:
    """A site with scores in all campaigns of the survey of stays."""
    campaigns = Counter(r["site_finess"] for r in scores if r["survey"] == "48h_mco" and r["score"] is not None)
    found: str = max(sorted(campaigns), key=campaigns.__getitem__)
    return found


def lines(page: Element, name: str) -> list[list[str]]:
    """The lines of the first table of a part, as texts."""
    return [[cell.text for cell in row.all("th, td")] for row in section(page, name).all("table")[0].all("tbody tr")]


def test_the_profile_of_an_establishment_is_two_interactions_from_home(scored_site: str, portal: Served) -> None:
    home = portal.page("/")
    assert "/profil" in home.links
    form = portal.page("/profil").one("form[action='/profil']")
    assert len(form.all("input[name=q]")) == 1
    answer = portal.get(f"/profil?q={scored_site}")
    assert answer.status == 303 and answer.headers["location"] == f"/profil?lieu=establishment%3AF{scored_site}"


def test_the_profile_of_a_site_has_each_score_with_its_change(
    scored_site: str, scores: list[dict[str, Any]], portal: Served
) -> None:
    page = portal.page(f"/profil?lieu=establishment:F{scored_site}")
    own = {(r["survey"], r["campaign_year"]): r for r in scores if r["site_finess"] == scored_site}
    shown = lines(page, "satisfaction")
    assert len(shown) == len(own)
    names = {"Séjours de plus de 48 h": "48h_mco", "Chirurgie ambulatoire": "ca_mco"}
    for line in shown:
        survey, campaign = line[0].split(", ")
        row = own[names[survey], campaign]
        assert line[1] == ("–" if row["score"] is None else plain(row["score"]))
        assert line[3] == (f"classe {row['class']}" if row["class"] in "ABCD" else f"sans score ({row['class']})")
        before = [y for s, y in own if s == names[survey] and y < campaign and own[s, y]["score"] is not None]
        if before and row["score"] is not None:
            change = row["score"] - own[names[survey], max(before)]["score"]
            assert line[2].startswith(f"{'+' if change > 0 else ''}{plain(change)} depuis {max(before)}")
        spread = [row[f"national_{q}"] for q in ("median", "p20", "p80")]
        assert line[6] == f"{plain(spread[0])} ({plain(spread[1])} à {plain(spread[2])})"
    assert section(page, "satisfaction").all("svg.chart-wide path.series-own")


def test_region_and_france_stand_beside_it(made: Home, scored_site: str, portal: Served) -> None:
    page = portal.page(f"/profil?lieu=establishment:F{scored_site}")
    regions = published(made, BY_SLUG["satisfaction-region"], "survey = '48h_mco' AND year = 2020")
    heads = [h.text for h in section(page, "satisfaction").all("table")[0].all("thead th")]
    line = next(line for line in lines(page, "satisfaction") if line[0] == "Séjours de plus de 48 h, 2020")
    for label, cell in zip(heads[7:], line[7:], strict=True):
        (row,) = (r for r in regions if r["region_label"] == label)
        assert cell == plain(row["score_weighted"])
    assert heads[-1] == "France" and len(heads) == 9


def test_a_place_is_compared_with_up_to_three_others(
    scored_site: str, scores: list[dict[str, Any]], portal: Served
) -> None:
    others = sorted({r["site_finess"] for r in scores if r["score"] is not None} - {scored_site})[:4]
    lead = f"/profil?lieu=establishment:F{scored_site}"
    added = portal.get(f"{lead}&q={others[0]}")
    assert added.status == 303 and f"avec=establishment%3AF{others[0]}" in added.headers["location"]
    keys = [f"establishment:F{finess}" for finess in others]
    page = portal.page(f"{lead}&avec={','.join(keys[:3])}")
    heads = section(page, "satisfaction").all("table")[0].all("thead th")
    assert len(heads) == 9 + 3
    assert len(section(page, "entonnoir").all("svg.chart-wide .mark-own")) >= 1
    assert not page.all("form.inline")
    assert sum("retirer" in link.text for link in page.all("a")) == 3
    refused = portal.get(quote(f"{lead}&avec={','.join(keys)}", safe="/?=&:,"))
    assert refused.status == 400 and "avec 3 autres lieux au plus" in refused.text


def test_every_quality_result_of_a_site_is_there_with_its_place(made: Home, portal: Served) -> None:
    results = made.lake.arrow(published_quality).to_pylist()
    finess, count = Counter(r["site_finess"] for r in results).most_common(1)[0]
    own = [r for r in results if r["site_finess"] == finess]
    page = portal.page(f"/profil?lieu=establishment:F{finess}")
    part = section(page, "qualite")
    shown = [[c.text for c in row.all("th, td")] for row in part.all("tbody tr")]
    assert len(shown) == count
    for row in own:
        name = " ".join(f"{row['indicator_label']} ({row['unit']})".split())
        # Two indicators may have one name.
        same = [one for one in shown if one[0] == name and one[1] == row["campaign_year"]]
        if row["value"] is None:
            assert any(line[2] == "–" and line[5] == "–" for line in same)
            continue
        same = [line for line in same if line[2].startswith(plain(row["value"]))]
        first, last = (french.ordinal(row[f"rank_{end}"]) for end in ("first", "last"))
        ranks = first if first == last else f"{first} à {last}"
        assert any(line[5].endswith(f"{ranks} sur {plain(row['sites'], 0)}") for line in same)
    newest = {
        key: max(r["campaign_year"] for r in own if r["indicator_key"] == key)
        for key in {r["indicator_key"] for r in own}
    }
    ranked = [r for r in own if r["campaign_year"] == newest[r["indicator_key"]] and r["rank_first"] is not None]
    above = sum(r["rank_last"] < (r["sites"] + 1) / 2 for r in ranked)
    assert f"{above} sont plus hauts que ceux de la moitié des sites de façon établie" in page.one("ul.findings").text


def test_the_quality_of_a_region_is_the_median_of_its_sites(made: Home, portal: Served) -> None:
    results = [r for r in made.lake.arrow(published_quality).to_pylist() if r["region_code"] == "11"]
    shown = [
        [c.text for c in row.all("th, td")]
        for row in section(portal.page("/profil?lieu=region:11"), "qualite").all("tbody tr")
    ]
    key, campaign = next((r["indicator_key"], r["campaign_year"]) for r in results if r["value"] is not None)
    same = [r for r in results if (r["indicator_key"], r["campaign_year"]) == (key, campaign)]
    values = [r["value"] for r in same if r["value"] is not None]
    name = " ".join(f"{same[0]['indicator_label']} ({same[0]['unit']})".split())
    (line,) = (one for one in shown if one[0] == name and one[1] == campaign)
    sites = f"{len(values)} site{'s' if len(values) > 1 else ''}"
    assert line[2] == f"{plain(float(np.median(values)))} ({sites})"


def test_consultations_are_those_of_the_published_table_and_masked_ones_stay_masked(made: Home, portal: Served) -> None:
    question = BY_SLUG["consultations-etablissement"]
    rows = published(made, question, "period_grain = 'all' AND level IN ('establishment', 'department', 'region')")
    for level in ("establishment", "department", "region"):
        for masked in (False, True):
            found = [r for r in rows if r["level"] == level and r["is_masked"] is masked and r["code"] != "unknown"]
            if not found:
                continue
            row = found[len(found) // 2]
            page = portal.page(f"/profil?lieu={level}:{row['code']}")
            line = lines(page, "consultations")[0]
            if masked:
                assert line[1:] == ["masqué"] * 5
                assert "Consultations : le chiffre est masqué" in page.one("ul.findings").text
                assert "est masqué" in section(page, "masque").text and "1 à 10 personnes" in page
            else:
                # Per 100 000 for an establishment, in percent for larger places.
                rate = row["rate_per_1000"] * (100 if level == "establishment" else 0.1)
                assert line[1:5] == [
                    *(plain(row[c], 0) for c in ("patients", "base_patients", "consultations")),
                    plain(rate),
                ]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("department:974", ["La Réunion", "France"]),
        ("department:974&avec=region:04", ["La Réunion (département)", "La Réunion (région)", "France"]),
        ("department:29", ["Finistère", "Bretagne", "France"]),
        ("department:29&avec=department:974", ["Finistère", "La Réunion", "Bretagne", "France"]),
    ],
)
def test_an_overseas_department_is_not_compared_with_itself(asked: str, shown: list[str], portal: Served) -> None:
    page = portal.page(f"/profil?lieu={asked}")
    assert [line[0] for line in lines(page, "mortalite")] == shown
    drawn = section(page, "mortalite").one("svg.chart-wide").text
    assert all(name in drawn for name in shown[:-1])
    heads = [head.text for head in section(page, "satisfaction").all("table")[0].all("thead th")]
    assert heads[-len(shown) + 1 :] == shown[1:]


def test_mortality_of_a_region_is_that_of_its_latest_comparable_year(made: Home, portal: Served) -> None:
    rows = published(made, BY_SLUG["mortalite"], "sex = 'all' AND is_comparable")
    year = max(r["year"] for r in rows if r["code"] == "53")
    (row,) = (r for r in rows if r["code"] == "53" and r["level"] == "region" and r["year"] == year)
    page = portal.page("/profil?lieu=region:53")
    line = lines(page, "mortalite")[0]
    assert line[0] == "Bretagne"
    assert line[1].startswith(f"{plain(row['standardised_rate'])} ({plain(row['standardised_low'])} à ")
    assert line[2].startswith(f"{plain(row['comparative_index'])} ({plain(row['comparative_low'])} à ")
    assert not portal.page("/profil").all("#titre-mortalite")
    years = [r for r in rows if r["code"] == "53" and r["level"] == "region" and r["comparative_low"] is not None]
    last = max(years, key=lambda r: r["year"])
    if last["comparative_low"] <= 100 <= last["comparative_high"]:
        assert "ne se distingue pas de celle de la France" in page.one("ul.findings").text
        return
    is_above = last["comparative_low"] > 100
    others = [r["year"] for r in years if not (r["comparative_low"] > 100 if is_above else r["comparative_high"] < 100)]
    since = min(r["year"] for r in years if r["year"] > max(others, default=0))
    said = f"C’est le cas de chaque année comparable depuis {since}."
    assert (said in page.one("ul.findings").text) == (since < last["year"])


def test_a_place_that_is_not_there_is_refused(portal: Served) -> None:
    for asked in ("establishment:F999999999", "region:00", "commune:35238", "x"):
        answer = portal.get(f"/profil?lieu={asked}")
        assert answer.status == 404 and "Rien n’est publié de ce lieu" in answer.text
    assert portal.get("/profil?lieu=region:53&autre=1").status == 400
    assert "Aucun lieu ne correspond" in portal.page("/profil?q=zzzzz")


@pytest.mark.parametrize(
    "slug",
    [
        "recommandation-sites",
        "recommandation-ambulatoire",
        "recommandation-regions",
        "mortalite-regions",
        "mortalite-departements",
    ],
)
def test_each_funnel_is_drawn_and_lists_who_is_beyond_it(slug: str, portal: Served) -> None:
    page = portal.page(f"/entonnoir?sujet={slug}")
    chart = section(page, "entonnoir").one("svg.chart-wide")
    assert len(chart.all("path.limit")) >= 2 and len(chart.all("path.limit-far")) >= 2
    beyond = len(chart.all("path.signal-good, path.signal-bad"))
    listed = section(page, "ecarts").all("ul.results li")
    told = re.search(r"(\d+) au-dessus des limites à 99,8 % \(\w+\), (\d+) au-dessous \(\w+\)", page.text)
    assert told and len(listed) == min(int(told[1]) + int(told[2]), 40)
    assert beyond >= len(listed)


def test_an_unknown_funnel_is_refused(portal: Served) -> None:
    assert portal.get("/entonnoir?sujet=autre").status == 404


def test_whether_the_last_month_is_unusual_is_one_interaction_from_home(made: Home, portal: Served) -> None:
    assert "/dernier-mois" in portal.page("/").links
    page = portal.page("/dernier-mois")
    assert "Le dernier mois est-il inhabituel ?" in page.one("h1").text
    entries = [entry.text for entry in page.all("ul.results li")]
    stays = published(made, BY_SLUG["hospitalisations"], "period_grain = 'month' AND NOT is_partial")
    last = max(stays, key=lambda r: r["period_start"])
    when = french.month(last["period_start"])
    (entry,) = (e for e in entries if e.startswith("Ensemble des patients : intensité"))
    assert f"En {when}, " in entry
    assert plain(last["intensity"]) in entry if not last["is_masked"] else "masqué" in entry
    deaths = published(made, BY_SLUG["deces-mois"], "sex = 'all' AND region_code = 'all' AND expected IS NOT NULL")
    latest = max(deaths, key=lambda r: r["period_start"])
    (entry,) = (e for e in entries if e.startswith("France"))
    assert f"excédent de {plain(latest['excess'], 0)} décès" in entry
    assert (": c’est inhabituel" in entry) == (latest["excess_low"] > 0 or latest["excess_high"] < 0)


def test_a_control_chart_has_the_limits_of_its_visible_whole_months(made: Home, portal: Served) -> None:
    question = BY_SLUG["hospitalisations"]
    (measure, _) = measures_of(question)
    page = portal.page(f"/controle/hospitalisations?mesure={measure.key}")
    rows = published(made, question, "period_grain = 'month' AND NOT is_partial")
    rows.sort(key=lambda r: r["period_start"])
    values = np.array([np.nan if r["is_masked"] else r[measure.value] for r in rows], dtype=float)
    if np.isnan(values).sum() > 0.1 * len(values) or (~np.isnan(values)).sum() < MIN_MONTHS:
        assert "Pas de carte de contrôle" in page
        return
    mean, moving = np.nanmean(values), np.nanmean(np.abs(np.diff(values)))
    text = section(page, "controle").text
    assert f"moyenne : {plain(mean)}" in text
    assert f"limites : {plain(max(mean - 2.66 * moving, 0))} à {plain(mean + 2.66 * moving)}" in text


def test_what_follows_the_size_of_a_place_or_the_days_of_a_month_has_no_control_chart(portal: Served) -> None:
    page = portal.page("/controle/consultations-etablissement?x=region:11")
    assert "Pas de carte de contrôle : ce taux suit d’abord la taille du lieu" in page
    assert not page.all("svg.chart-wide")
    assert portal.get("/controle/consultations-etablissement?mesure=taux").status == 400
    assert portal.get("/controle/satisfaction-region").status == 404
    assert portal.get("/controle/deces-mois").status == 404
    assert portal.get("/controle/rien").status == 404


def test_a_question_leads_to_the_control_chart_and_to_the_profile(portal: Served) -> None:
    stays = portal.page("/questions/hospitalisations")
    assert any(link.startswith("/controle/hospitalisations?mesure=") for link in stays.links)
    region = portal.page("/questions/satisfaction-region?region=53")
    assert "/profil?lieu=region%3A53" in region.links
    consulted = portal.page("/questions/consultations-etablissement?x=region:11")
    assert not any(link.startswith("/controle/") for link in consulted.links)
    assert "/profil?lieu=region%3A11" in consulted.links
