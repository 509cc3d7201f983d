"""Five questions of a director, each answered in three interactions from home, in a browser that runs no script.

An interaction is a link that is followed, or words that are written and sent. The expected figures come from the
published tables, or, of a profile, from a computation over them that shares nothing with the page.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from deltalake import DeltaTable
from playwright.sync_api import Browser, Page, expect

from chu_platform import french
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.chromium import needs_chromium
from chu_platform_tests.portal.served import BY_SLUG, Served
from chu_platform_tests.portal.test_pages import published

pytestmark = [pytest.mark.integration, needs_chromium]

MOST_INTERACTIONS = 3


class Director:
    """A reader on the home page, whose interactions are counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.interactions = 0
        page.goto("/")

    def follow(self, link: str) -> None:
        self._count()
        self.page.get_by_role("link", name=link).first.click()

    def write(self, words: str) -> None:
        self._count()
        field = self.page.locator("main input[type=search]").first
        field.fill(words)
        field.press("Enter")

    def _count(self) -> None:
        self.interactions += 1
        assert self.interactions <= MOST_INTERACTIONS

    def reads(self, part: str = "main") -> str:
        return " ".join(self.page.locator(part).first.inner_text().split())


@pytest.fixture(params=[(1440, 900), (390, 844)], ids=["desktop", "phone"])
def director(request: pytest.FixtureRequest, browser: Browser, portal: Served) -> Iterator[Director]:
    width, height = request.param
    context = browser.new_context(
        base_url=portal.address, java_script_enabled=False, viewport={"width": width, "height": height}
    )
    yield Director(context.new_page())
    context.close()


def written(number: float, digits: int = 0) -> str:
    return " ".join(french.number(number, digits).split())


def side(row: dict[str, Any]) -> int:
    """On which side of France a region is, with its whole interval."""
    return int(row["comparative_low"] > 100) - int(row["comparative_high"] < 100)


def regions_by_year(made: Home) -> dict[str, list[dict[str, Any]]]:
    """The comparable years of each region by its name, oldest first."""
    where = "level = 'region' AND sex = 'all' AND comparative_low IS NOT NULL"
    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(published(made, BY_SLUG["mortalite"], where), key=lambda row: row["year"]):
        found.setdefault(row["label"], []).append(row)
    return found


def test_is_mortality_in_my_region_better_than_france_and_since_when(made: Home, director: Director) -> None:
    """Of the region that is the farthest from France."""
    region, years = max(regions_by_year(made).items(), key=lambda r: (abs(side(r[1][-1])), r[0] == "Bretagne"))
    director.follow("Où en est mon établissement, mon département, ma région ?")
    director.write(region)
    if "/profil?lieu=" not in director.page.url:
        director.follow(region)
    last = years[-1]
    index, low, high = (written(last[f"comparative_{c}"], 1) for c in ("index", "low", "high"))
    (answer,) = (text for text in director.page.locator(".findings li").all_inner_texts() if "Mortalité" in text)
    answer = " ".join(answer.split())
    where = {1: "plus élevée que", -1: "moins élevée que", 0: "ne se distingue pas de"}[side(last)]
    assert f"en {last['year']} : " in answer and where in answer and f"indice {index} ({low} à {high})" in answer
    elsewhere = [row["year"] for row in years if side(row) != side(last)]
    since = min(row["year"] for row in years if row["year"] > max(elsewhere, default=0))
    if side(last) and since < last["year"]:
        assert f"chaque année comparable depuis {since}" in answer


def test_how_many_extra_deaths_in_august_2003(made: Home, director: Director) -> None:
    director.follow("Combien de décès de plus que d’habitude, et quand ?")
    director.follow("été 2003")
    where = f"period_start = DATE '{date(2003, 8, 1)}' AND region_code = 'all' AND sex = 'all'"
    (row,) = published(made, BY_SLUG["deces-mois"], where)
    assert director.reads("#chiffre").startswith(f"{written(row['excess'])} décès")
    assert f"en août 2003, l’excédent est de {written(row['excess'])} décès" in director.reads("h1")


def test_what_becomes_of_patients_after_discharge(made: Home, director: Director) -> None:
    director.follow("Que deviennent les patients après leur sortie ?")
    where = "outcome = 'followed_90' AND level = 'total' AND period_grain = 'year' AND NOT is_partial"
    years = sorted(published(made, BY_SLUG["suites-sejour"], where), key=lambda row: row["period_start"])
    assert years
    # The latest year with a figure; in a small pack there is none.
    last = next((row for row in reversed(years) if not row["is_masked"]), years[-1])
    shown = "masqué" if last["is_masked"] else f"{written(last['percent'], 1)} %"
    assert director.reads("#chiffre").startswith(shown)
    assert f"en {last['period_start']:%Y}" in director.reads("h1")
    # The other outcomes are one list away.
    expect(director.page.get_by_label("Suite", exact=True)).to_be_visible()


def test_how_does_my_hospital_stand_on_everything_known_of_it(made: Home, director: Director) -> None:
    folder = made.lake.root / "published" / "kpis" / "published_satisfaction"
    scores = DeltaTable(folder).to_pyarrow_table().to_pylist()
    own = max(
        (row for row in scores if row["survey"] == "48h_mco" and row["score"] is not None),
        key=lambda row: (row["campaign_year"], row["site_finess"]),
    )
    director.follow("Où en est mon établissement, mon département, ma région ?")
    director.write(own["site_finess"])
    assert f"FINESS {own['site_finess']}" in director.reads(".kicker")
    assert str(own["region_label"]) in director.reads(".kicker")
    assert f"{written(own['score'], 1)} sur 100, classe {own['class']}" in director.reads(".findings")
    for part in ("satisfaction", "qualite", "consultations", "masque"):
        expect(director.page.locator(f"section[aria-labelledby=titre-{part}]")).to_be_visible()
    assert "Séjours : " in director.reads("section[aria-labelledby=titre-masque]")


def test_is_last_month_unusual(director: Director) -> None:
    director.follow("Le dernier mois est-il inhabituel ?")
    answer = director.reads(".lead")
    unusual = director.page.locator("main .badge.late").count()
    assert answer.startswith(f"Oui pour {unusual} chiffre" if unusual else "Non : aucun des")
    # Each figure says why, and leads to its chart.
    director.page.locator("main ul.results a >> visible=true").first.click()
    expect(director.page.locator("main svg.chart >> visible=true").first).to_be_visible()
