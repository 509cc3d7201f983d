"""Charts: what is drawn, what is said of it, and what must never be drawn."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import pytest
from markupsafe import Markup

from chu_platform import french
from chu_platform.building_blocks.packaged_references import packaged
from chu_platform.portal.charts import dots, drawing, grammar, regions, trend
from chu_platform.portal.charts.dots import Dots, Row
from chu_platform.portal.charts.drawing import NARROW, WIDE, Reference
from chu_platform.portal.charts.ranks import rank_ranges
from chu_platform.portal.charts.regions import TILES, Region, RegionMap, Side
from chu_platform.portal.charts.sparkline import sparkline
from chu_platform.portal.charts.trend import Moment, Trend

pytestmark = pytest.mark.unit

SVG = "{http://www.w3.org/2000/svg}"
STYLE = Path(trend.__file__).parents[1] / "static" / "portal.css"
NASTY = "Saint-Jean <\"&'> & Cie"
YEARS = Trend(
    f"Recours, {NASTY}",
    "‰",
    1,
    [
        Moment("2015", "2015", 12.0, 10.0, 14.0, partial=True),
        Moment("2016", "2016", 20.0, 18.0, 22.0),
        Moment("2017", "2017", None),
        Moment("2018", "2018", None),
        Moment("2019", "2019", 10.0, 9.0, 11.0),
        Moment("2020", "2020", 30.0, 28.0, 32.0),
        Moment("2021", "2021", None, absent=True),
    ],
    reference=Reference("Groupe", 15.0),
)
PLACES = Dots(
    "Score",
    "/ 100",
    1,
    [
        Row("Bas", 60.0, 58.0, 62.0),
        Row(NASTY, None),
        Row("Haut", 80.0, 78.0, 82.0, chosen=True),
        Row("Vague", 70.0, 20.0, 120.0),
        Row("Milieu", 71.0, 69.0, 73.0),
    ],
    reference=Reference("France", 70.0),
)
FRANCE = RegionMap(
    "Décès",
    "‰",
    1,
    [
        Region("11", "Île-de-France", 6.0, 5.9, 6.1, href="/a?b=1&c=2"),
        Region("94", "Corse", 9.0, 8.0, 10.0),
        Region("06", "Mayotte", 12.0, 11.0, 13.0, chosen=True),
        Region("53", NASTY, None),
    ],
    Reference("Les régions", 9.0),
)


def trend_of(chart: Trend, name: str, size: drawing.Size) -> Markup:
    return grammar.draw(trend.trend(chart), name, size)


def dots_of(chart: Dots, name: str, size: drawing.Size) -> Markup:
    return grammar.draw(dots.dots(chart), name, size)


DRAWN: dict[str, Callable[[drawing.Size], Markup]] = {
    "trend": lambda size: trend_of(YEARS, "t", size),
    "dots": lambda size: dots_of(PLACES, "d", size),
    "regions": lambda size: regions.draw(FRANCE, "r", size),
    "spark": lambda _: sparkline(NASTY, "‰", 1, YEARS.moments, "s"),
}


def parsed(chart: Markup) -> ET.Element:
    return ET.fromstring(str(chart))


def of_class(chart: Markup, name: str) -> list[ET.Element]:
    return [e for e in parsed(chart).iter() if e.get("class") == name]


def texts(chart: Markup) -> list[str]:
    return [
        "".join(e.itertext()).replace("\u00a0", " ").replace("\u202f", " ") for e in parsed(chart).iter(f"{SVG}text")
    ]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda s: s.name)
@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_well_formed_named_and_within_the_content_policy(name: str, size: drawing.Size) -> None:
    chart = DRAWN[name](size)
    root = parsed(chart)
    ids = {e.get("id") for e in root.iter() if e.get("id")}
    assert root.get("aria-labelledby") in ids and root.get("aria-describedby") in ids
    assert "".join(root.find(f"{SVG}title").itertext()) and "".join(root.find(f"{SVG}desc").itertext())  # type: ignore[union-attr]
    for mark in root.iter():
        assert mark.tag not in (f"{SVG}style", f"{SVG}script")
        assert not any(name == "style" or name.startswith("on") for name in mark.attrib)
        assert not any("javascript:" in value for value in mark.attrib.values())


@pytest.mark.parametrize("size", [WIDE, NARROW, drawing.SLIDE], ids=lambda s: s.name)
@pytest.mark.parametrize("name", ["trend", "dots", "regions"])
def test_nothing_is_drawn_outside_the_picture(name: str, size: drawing.Size) -> None:
    root = parsed(DRAWN[name](size))
    width, height = (float(v) for v in root.get("viewBox", "").split()[2:])
    for mark in root.iter():
        for attribute, most in (
            ("x", width),
            ("x1", width),
            ("cx", width),
            ("y", height),
            ("y1", height),
            ("cy", height),
        ):
            value = mark.get(attribute)
            assert value is None or -0.5 <= float(value) <= most + 0.5, ET.tostring(mark)
        if mark.tag == f"{SVG}text":
            text, font = "".join(mark.itertext()), float(mark.get("font-size", "13"))
            room = min(drawing.text_width(text, font), drawing.drawn_width(text, font))
            start = (
                float(mark.get("x", "0"))
                - {"start": 0, "middle": room / 2, "end": room}[mark.get("text-anchor", "start")]
            )
            assert start >= -2 and start + room <= width + 2, ET.tostring(mark)


def test_a_chart_says_by_its_class_what_the_style_sheet_colours() -> None:
    styled = set(re.findall(r"\.chart \.([a-z-]+)", STYLE.read_text()))
    coloured = {name for name, look in drawing.STYLES.items() if "#" in look}
    assert coloured == styled


def test_a_masked_period_is_hatched_and_breaks_the_line() -> None:
    chart = trend_of(YEARS, "t", WIDE)
    hatched = [e for e in of_class(chart, "withheld") if "2017" in "".join(e.itertext())]
    assert len(hatched) == 1 and "2018" in "".join(hatched[0].itertext())
    assert "masqué" in texts(chart)
    # Whole years are joined where they are neighbours: 2019 and 2020 alone.
    assert len(of_class(chart, "line")) == 2  # the curve, and its sample in the legend
    assert len(of_class(chart, "dot")) == 3 + 1 and len(of_class(chart, "dot-partial")) == 1 + 1


def test_no_line_leads_to_an_incomplete_period() -> None:
    """An incomplete period at the end, at the beginning and between: its mark stands alone, without line or band."""
    moments = [
        Moment(f"{y}", f"{y}", 10.0 + y % 5, 9.0, 16.0, partial=y in (2010, 2014, 2019)) for y in range(2010, 2020)
    ]
    chart = trend_of(Trend("Taux", "‰", 1, moments), "t", WIDE)
    marks = [e for e in of_class(chart, "dot-partial") if e.find(f"{SVG}title") is not None]
    assert len(marks) == 3
    curves = [e.get("d", "") for e in of_class(chart, "line") if e.tag == f"{SVG}path"]
    bands = [e.get("d", "") for e in of_class(chart, "band") if e.tag == f"{SVG}path"]
    assert [len(d.split("L")) for d in curves] == [3, 4] and [len(d.split("L")) for d in bands] == [6, 8]
    for mark in marks:
        assert all(f"{mark.get('cx')} " not in d for d in (*curves, *bands))
    assert "stroke-dasharray" not in drawing.STYLES["line"] and "période incomplète, à part de la courbe" in texts(
        chart
    )


def test_a_masked_or_absent_period_is_never_drawn_as_zero() -> None:
    chart = trend_of(YEARS, "t", WIDE)
    zero = max(float(e.get("y1", "0")) for e in of_class(chart, "axis"))
    in_plot = [e for e in parsed(chart).iter(f"{SVG}circle") if e.find(f"{SVG}title") is not None]
    assert len(in_plot) == 4 and all(float(e.get("cy", "0")) < zero - 1 for e in in_plot)
    assert len(of_class(chart, "withheld")) == 1 + 1  # the absent year is not hatched: nothing is withheld


def test_marks_are_where_the_axes_place_them() -> None:
    """A trend from 0 to 40 ‰ on 230 pixels above 260; rows of 27 pixels below 34, the highest first."""
    drawn = [e for e in parsed(trend_of(YEARS, "t", WIDE)).iter(f"{SVG}circle") if e.find(f"{SVG}title") is not None]
    at = {"".join(e.itertext())[:4]: float(e.get("cy", "0")) for e in drawn}
    assert at == {"2015": 191.0, "2016": 145.0, "2019": 202.5, "2020": 87.5}
    drawn = [e for e in parsed(dots_of(PLACES, "d", WIDE)).iter(f"{SVG}circle") if e.find(f"{SVG}title") is not None]
    at = {"".join(e.itertext()).partition(" :")[0]: float(e.get("cy", "0")) for e in drawn}
    assert at == {"Haut": 47.5, "Milieu": 74.5, "Vague": 101.5, "Bas": 128.5}


def test_the_words_of_a_trend_leave_incomplete_periods_out_of_its_extremes() -> None:
    said = trend.described(YEARS).replace("\u00a0", " ")
    assert "Le plus bas : 2019, 10,0 ‰. Le plus haut : 2020, 30,0 ‰. Dernière période complète : 2020, 30,0 ‰." in said
    assert "1 période incomplète." in said and "2 périodes masquées." in said and "1 période sans donnée." in said


def test_a_trend_of_nothing_but_masked_periods_is_drawn() -> None:
    chart = Trend("Vide", "‰", 1, [Moment("2019", "2019", None)])
    assert of_class(trend_of(chart, "t", NARROW), "withheld")
    assert parsed(trend_of(Trend("Rien", "", 0, []), "t", WIDE)).tag == f"{SVG}svg"


def test_the_chosen_period_is_marked_and_the_only_one_named() -> None:
    deaths = Trend("Décès", "", 0, [Moment(str(y), str(y), 941.0 + (y - 1990) ** 2) for y in range(1970, 2020)])
    last = trend_of(deaths, "t", WIDE)
    assert [t for e in of_class(last, "value") for t in e.itertext()] == [french.number(941 + 29**2)]
    for size in (WIDE, NARROW):
        chart = trend_of(trend.about(deaths, "1990"), "t", size)
        assert [t for e in of_class(chart, "value") for t in e.itertext()] == ["941"]
        ring = of_class(chart, "dot-chosen")[0]
        mark = next(e for e in of_class(chart, "dot") if "1990, 941, période choisie" in "".join(e.itertext()))
        assert (mark.get("cx"), mark.get("cy"), mark.get("opacity")) == (ring.get("cx"), ring.get("cy"), None)
        assert {"1990", "période choisie : 1990"} <= set(texts(chart))
    assert "Période choisie : 1990, 941." in trend.described(trend.about(deaths, "1990"))
    masked = trend.about(YEARS, "2017")
    assert not of_class(trend_of(masked, "t", WIDE), "value")
    assert "Période choisie : 2017, masquée." in trend.described(masked)
    # All years together are none of the years.
    assert of_class(trend_of(trend.about(YEARS, "janvier 2015 à mars 2021"), "t", WIDE), "value")


def test_a_missing_year_keeps_its_place_and_breaks_the_line() -> None:
    scores = Trend("Score", "", 1, [Moment(y, y, v) for y, v in (("2017", 72.0), ("2019", 73.0), ("2020", 74.0))])
    chart = trend_of(scores, "t", WIDE)
    at = [float(e.get("cx", "0")) for e in of_class(chart, "dot") if e.find(f"{SVG}title") is not None]
    assert at[1] - at[0] == pytest.approx(2 * (at[2] - at[1]), abs=0.3)
    (curve,) = [e for e in of_class(chart, "line") if e.tag == f"{SVG}path"]
    assert f"M{at[1]:g} " in curve.get("d", "") and f"{at[0]:g} " not in curve.get("d", "")
    assert {"2018", "sans donnée", "2018 : année sans donnée"} <= set(texts(chart))
    assert "2018 : année sans donnée ; la courbe y est interrompue." in trend.described(scores)
    spark = sparkline("Score", "", 1, [m for m in scores.moments if not m.missing], "s")
    assert len(of_class(spark, "line")) == 1 and len(of_class(spark, "dot")) == 1 + 1


MONTHS = Trend(
    "Décès",
    "",
    0,
    [
        Moment(f"m{n}", "", 1_000.0 + n, 950.0, 1_050.0, expected=990.0, span=span, alone=False)
        for n, span in enumerate([None, "été", "été", None, "hiver", None])
    ]
    + [Moment("m6", "", 900.0, alone=True), Moment("m7", "", 910.0, alone=True, partial=True)],
    interval_label="prévision",
    expected_label="attendus",
)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda s: s.name)
def test_expected_values_and_episodes_stand_behind_the_curve(size: drawing.Size) -> None:
    chart = trend_of(MONTHS, "t", size)
    (expected,) = [e for e in of_class(chart, "reference") if e.tag == f"{SVG}path"]
    assert len((expected.get("d") or "").split("L")) == 6
    bars = [e for e in of_class(chart, "span") if e.find(f"{SVG}title") is not None]
    assert ["".join(e.itertext()) for e in bars] == [
        "Épisode connu, été : m1 à m2",
        "Épisode connu, hiver : m4",
    ]
    assert float(bars[0].get("width", "0")) == pytest.approx(2 * float(bars[1].get("width", "0")), abs=0.2)
    assert {"été", "hiver", "attendus", "prévision", "épisode connu"} <= set(texts(chart))
    assert "Épisodes connus : été et hiver." in trend.described(MONTHS)


def test_no_line_leads_to_a_value_that_does_not_compare() -> None:
    chart = trend_of(MONTHS, "t", WIDE)
    (curve,) = [e for e in of_class(chart, "line") if e.tag == f"{SVG}path"]
    assert len((curve.get("d") or "").split("L")) == 6
    hollow = [e for e in of_class(chart, "dot-partial") if e.find(f"{SVG}title") is not None]
    assert len(hollow) == 2 and "année non comparable" in texts(chart)
    assert "2 périodes non comparables." in trend.described(MONTHS).replace(french.NO_BREAK, " ")


def test_names_of_episodes_that_would_meet_stand_in_rows() -> None:
    near = [Moment(f"m{n}", "", 1.0, span=f"un hiver bien long {n}" if n % 2 else None) for n in range(40)]
    chart = trend_of(Trend("Décès", "", 0, near), "t", NARROW)
    names = [e for e in parsed(chart).iter(f"{SVG}text") if "hiver" in (e.text or "")]
    places = [(float(e.get("x", "0")), float(e.get("y", "0"))) for e in names]
    assert len(places) == 20 and len({y for _, y in places}) > 1
    for i, (x, y) in enumerate(places):
        assert all(y != other or abs(x - at) > 90 for at, other in places[:i])


@pytest.mark.parametrize("size", [WIDE, NARROW, drawing.SLIDE], ids=lambda s: s.name)
def test_where_all_is_masked_no_axis_is_made_up(size: drawing.Size) -> None:
    over_time = Trend("Vide", "‰", 1, [Moment(str(y), str(y), None) for y in range(2015, 2021)])
    shown = texts(trend_of(over_time, "t", size))
    assert trend.ALL_MASKED in shown and trend.ALL_MASKED in trend.described(over_time)
    assert not [t for t in shown if re.fullmatch(r"[01](,\d)?( ‰)?", t)]
    beside = Dots("Vide", "‰", 1, [Row("a", None), Row("b", None)])
    shown = texts(dots_of(beside, "d", size))
    assert dots.ALL_MASKED in shown and dots.ALL_MASKED in dots.described(beside)
    assert not [t for t in shown if re.fullmatch(r"[01](,\d)?( ‰)?", t)]


def test_the_name_of_a_region_is_whole_beside_its_figures_on_a_phone() -> None:
    rows = [Row("Auvergne-Rhône-Alpes", 73.5, 72.8, 74.2), *(Row(f"R{n}", 73.0 + n / 9, 71.0, 76.0) for n in range(17))]
    shown = texts(dots_of(Dots("Score", "", 1, [*rows, Row("Bas", 60.0, 59.0, 61.0)]), "d", NARROW))
    assert "Auvergne-Rhône-Alpes" in shown and "73,5 (72,8 à 74,2) · 1er à 18e" in shown
    assert any(t.endswith("…") for t in texts(dots_of(Dots("x", "", 1, [Row("n" * 80, 1.0)]), "d", NARROW)))


def test_names_on_the_map_of_a_phone_are_large_enough() -> None:
    drawn = parsed(regions.draw(FRANCE, "r", NARROW)).iter(f"{SVG}text")
    # A screen of 375 pixels leaves the chart some 305.
    assert min(float(e.get("font-size", "0")) for e in drawn) * 305 / NARROW.width > 9.5


def test_the_axis_of_a_trend_begins_at_zero_unless_told() -> None:
    assert "0" in texts(trend_of(YEARS, "t", WIDE))
    scores = Trend("Score", "", 1, [Moment("2019", "2019", 73.0), Moment("2020", "2020", 74.0)], from_zero=False)
    assert "0" not in texts(trend_of(scores, "t", WIDE))


def test_ranks_follow_from_intervals_alone() -> None:
    assert rank_ranges([(8, 9), (5, 6), (1, 2)]) == [(1, 1), (2, 2), (3, 3)]
    assert rank_ranges([(8, 9), (5, 8.5), (1, 5.5)]) == [(1, 2), (1, 3), (2, 3)]
    assert rank_ranges([(1, 2), None, (1, 2)]) == [(1, 2), None, (1, 2)]


def test_rank_ranges_hold_every_order_that_the_intervals_allow() -> None:
    intervals = [(3.0, 6.0), (5.0, 9.0), (1.0, 2.0), (5.5, 5.8), (2.0, 3.5)]
    for (a, ra), (b, rb) in combinations(zip(intervals, rank_ranges(intervals), strict=True), 2):
        assert ra is not None and rb is not None
        first, last = (ra, rb) if a[0] > b[1] else (rb, ra)
        if a[0] > b[1] or b[0] > a[1]:
            # One is surely above the other: its best and its worst rank come before those of the other.
            assert first[0] < last[0] and first[1] < last[1]
        else:
            # Where two intervals meet, either may come first.
            assert ra[0] <= rb[1] and rb[0] <= ra[1]


def test_the_rows_of_a_dot_plot_come_highest_first_and_masked_last() -> None:
    labels = [t for t in texts(dots_of(PLACES, "d", WIDE)) if t in {"Bas", "Haut", "Vague", "Milieu", NASTY}]
    assert labels == ["Haut", "Milieu", "Vague", "Bas", NASTY]


def test_a_rank_is_given_only_where_the_interval_allows_less_than_all() -> None:
    shown = texts(dots_of(PLACES, "d", WIDE))
    assert "80,0 / 100 (78,0 à 82,0) · 1er à 2e" in shown
    assert "70,0 / 100 (20,0 à 120,0)" in shown  # no rank: it may have any
    assert "masqué" in shown
    alike = Dots("x", "", 0, [Row("a", 1.0, 0.0, 3.0), Row("b", 2.0, 0.0, 3.0)])
    assert dots.NO_RANK in texts(dots_of(alike, "d", WIDE))


def test_an_interval_far_wider_than_the_others_is_cut_with_an_arrow() -> None:
    arrows = [e for e in of_class(dots_of(PLACES, "d", WIDE), "whisker") if e.tag == f"{SVG}path"]
    assert len(arrows) == 2 + 2  # those of the row, and their sample in the legend
    assert "intervalle plus large que le graphique" in texts(dots_of(PLACES, "d", WIDE))


def test_a_legend_names_only_what_is_drawn() -> None:
    hidden = texts(trend_of(Trend("Vide", "‰", 1, [Moment("2019", "2019", None)]), "t", WIDE))
    assert "masqué (secret statistique)" in hidden and not {"valeur", trend.INTERVAL} & set(hidden)
    hidden = texts(dots_of(Dots("x", "", 0, [Row("a", None), Row("b", None)]), "d", WIDE))
    assert not {"valeur", trend.INTERVAL, dots.NO_RANK} & set(hidden)
    assert "intervalle plus large que le graphique" not in hidden


# Widths of letters of Arial, in sizes of the font; others are 0.556 wide.
ARIAL = {"M": 0.833, "W": 0.944, "m": 0.833, "w": 0.722, "%": 0.889, "r": 0.333, "(": 0.333, ")": 0.333}
ARIAL |= dict.fromkeys("ilj", 0.222) | dict.fromkeys("tf ", 0.278) | dict.fromkeys("csvxyzk", 0.5)


@pytest.mark.parametrize("size", [WIDE, NARROW, drawing.SLIDE], ids=lambda s: s.name)
def test_no_sample_of_a_legend_hides_the_words_before_it(size: drawing.Size) -> None:
    """Letters of a fallback font are wider than those of the portal."""
    texts_of_keys = [
        "moyenne des sommes minimum MMMM",
        "WWW moyenne",
        "intervalle de confiance à 95 % (Wilson)",
        "masqué",
    ]
    keys = [drawing.Key(lambda x, y: drawing.element("circle", "dot", cx=x + 11, cy=y, r=8), t) for t in texts_of_keys]
    drawn, _ = drawing.legend(keys, size, 4, 0)
    root = parsed(Markup(f'<svg xmlns="http://www.w3.org/2000/svg">{drawn}</svg>'))
    marks = [float(e.get("cx", "0")) - 8 for e in root.iter(f"{SVG}circle")]
    words = [(float(e.get("x", "0")), float(e.get("y", "0")), "".join(e.itertext())) for e in root.iter(f"{SVG}text")]
    for (x, y, text), following, (_, next_y, _) in zip(words, marks[1:], words[1:], strict=False):
        widest = sum(ARIAL.get(letter, 0.556) for letter in text) * 12.5
        assert next_y > y or x + widest <= following


def test_every_region_has_a_tile_and_no_two_overlap() -> None:
    assert set(TILES) == set(packaged("regions")["region_code"].to_pylist())
    every = [regions.places(size) for size in (WIDE, NARROW, drawing.SLIDE)]
    for one, other in (pair for tiles in every for pair in combinations(tiles.values(), 2)):
        across, down = one.column - other.column, (one.row - other.row) * 1.5 / 3**0.5
        assert across**2 + down**2 > 0.99


@pytest.mark.parametrize(("low", "high", "where"), [(8, 8.9, Side.BELOW), (9.1, 9.9, Side.ABOVE), (8, 10, Side.SAME)])
def test_a_region_stands_apart_only_with_its_whole_interval(low: float, high: float, where: Side) -> None:
    region = Region("94", "Corse", 9.0, low, high)
    assert regions.side(region, Reference("Les régions", 9.0)) is where


def test_a_region_speaks_by_sign_and_number_not_by_colour_alone() -> None:
    shown = texts(regions.draw(FRANCE, "r", WIDE))
    assert {"6,0 ▼", "9,0 ≈", "12,0 ▲", "masqué"} <= set(shown)
    said = regions.described(FRANCE).replace("\u00a0", " ")
    assert "Au-dessus de la référence, Les régions (9,0 ‰), intervalle entier compris : Mayotte." in said
    assert "En dessous de la référence, Les régions (9,0 ‰), intervalle entier compris : Île-de-France." in said
    assert "1 région masquée. 14 régions sans chiffre." in said


@pytest.mark.parametrize(
    ("better", "classes", "said"),
    [
        (None, ["tile-below", "tile-same", "tile-above"], set()),
        ("lower", ["tile-good", "tile-same", "tile-bad"], {"en dessous : favorable"}),
        ("higher", ["tile-bad", "tile-same", "tile-good"], {"en dessous : défavorable"}),
    ],
)
def test_favourable_and_unfavourable_have_one_colour_each(
    better: Literal["higher", "lower"] | None, classes: list[str], said: set[str]
) -> None:
    """More deaths are not the colour of better satisfaction. In order: Île-de-France, Corse, Mayotte."""
    chart = replace(FRANCE, better=better)
    drawn = regions.draw(chart, "r", WIDE)
    tiles = [e.get("class") for e in parsed(drawn).iter(f"{SVG}path") if (e.get("class") or "") in classes]
    assert tiles == classes and chart.tells
    assert said <= set(texts(drawn)) and ("favorable" in str(drawn)) is bool(said)
    assert not RegionMap("Décès", "‰", 1, FRANCE.regions[1:2], FRANCE.reference).tells


def test_a_region_without_an_interval_is_compared_with_nothing() -> None:
    lone = Region("06", "Mayotte", 12.0)
    chart = RegionMap("Scores", "", 1, [*FRANCE.regions[:2], lone], Reference("France", 9.0), "un seul site")
    assert regions.side(lone, chart.reference) is Side.UNKNOWN
    drawn = regions.draw(chart, "r", WIDE)
    shown = [text.replace("\u00a0", " ") for text in texts(drawn)]
    assert {"12,0 ?", "9,0 ≈", "sans intervalle : un seul site"} <= set(shown)
    assert "Mayotte : 12,0 (sans intervalle : un seul site)" in str(drawn).replace("\u00a0", " ")
    said = regions.described(chart).replace("\u00a0", " ")
    assert "Les autres qui ont un intervalle ne s’en distinguent pas. Mayotte n’est pas comparée (sans" in said
    assert "sans intervalle" not in str(regions.draw(FRANCE, "r", WIDE))


def test_a_region_without_a_figure_is_no_hole() -> None:
    shown = texts(regions.draw(FRANCE, "r", WIDE))
    assert shown.count("–") == 14 + 1  # and the sample in the legend
    assert "Occitanie" in shown and regions.NO_FIGURE in shown


def test_a_region_leads_to_its_page_and_stays_readable_for_screen_readers() -> None:
    root = parsed(regions.draw(FRANCE, "r", WIDE))
    links = list(root.iter(f"{SVG}a"))
    assert [link.get("href") for link in links] == ["/a?b=1&c=2"] and root.get("role") == "group"
    assert "Île-de-France : 6,0 ‰ (IC à 95 % : 5,9 à 6,1 ‰)" in "".join(links[0].itertext()).replace("\u00a0", " ")


def test_a_sparkline_shows_whole_periods_only() -> None:
    chart = sparkline("Recours", "‰", 1, YEARS.moments, "s")
    assert len(of_class(chart, "dot")) == 1 + 1  # 2016 stands alone; the last is 2020
    assert f"De 2016 : {french.amount(20, '‰')} à 2020 : {french.amount(30, '‰')}." in str(chart)
