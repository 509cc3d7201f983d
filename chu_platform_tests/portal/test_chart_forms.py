"""Forms of charts that are composed by the grammar: several series, control charts, funnels, curves, strips."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from markupsafe import Markup

from chu_platform.portal.charts import grammar, trend
from chu_platform.portal.charts.control import control_chart
from chu_platform.portal.charts.curve import Point, curve_chart
from chu_platform.portal.charts.drawing import NARROW, STYLES, WIDE, Better, Reference, Size, text_width
from chu_platform.portal.charts.funnel import Placed, Shown, funnel_chart, marked
from chu_platform.portal.charts.grammar import Chart
from chu_platform.portal.charts.series import Series, series_chart
from chu_platform.portal.charts.strip import strip
from chu_platform.portal.control_limits import limits_of, signals_of
from chu_platform.portal.funnel_limits import Kind, funnel_of
from chu_platform_tests.portal.test_charts import NASTY, STYLE, SVG, of_class, parsed, texts

pytestmark = pytest.mark.unit

YEARS = [str(y) for y in range(2015, 2021)]
SERIES = series_chart(
    f"Score, {NASTY}",
    "sur 100",
    1,
    YEARS,
    [
        Series(NASTY, "own", [70.0, 71.0, None, 72.0, 74.0, 73.0]),
        Series("Autre", "second", [None, 75.0, 75.0, 75.5, None, 76.0]),
        Series("France", "france", [73.0] * 6),
    ],
    Reference("Seuil", 72.0),
)
VALUES: list[float | None] = [10.0 + (n * 7 % 5) / 4 for n in range(36)]
VALUES[5], VALUES[20], VALUES[35] = 30.0, None, 0.5
LIMITS = limits_of(VALUES)
assert LIMITS
SIGNALS = signals_of(VALUES, LIMITS)
CONTROL = control_chart(
    NASTY,
    "‰",
    1,
    [f"mois {n}" for n in range(36)],
    [str(2015 + n // 12) if n % 12 == 0 else "" for n in range(36)],
    VALUES,
    [20],
    LIMITS,
    SIGNALS,
)
SITES = [Placed(f"F{n}", f"Site {n}", 0.55 + 0.002 * (n % 21 - 10), 40.0 + 9 * n) for n in range(200)]
SITES += [Placed("haut", NASTY, 0.95, 900.0), Placed("bas", "Bas", 0.1, 800.0)]
FUNNEL_LIMITS = funnel_of(Kind.SHARE, [(s.value, s.size) for s in SITES])
assert FUNNEL_LIMITS
PER_CENT = Shown(100.0, "%", 1, "réponses", "higher")
FUNNEL = marked(
    funnel_chart("Recommandation", SITES, FUNNEL_LIMITS, PER_CENT), {"own": SITES[7], "second": SITES[-1]}, PER_CENT
)
STEPS = curve_chart(
    "Part des séjours",
    "nombre de jours depuis la sortie",
    "%",
    1,
    [
        Point(7, "7 jours", "7", 2.0, 1.0, 4.0),
        Point(30, NASTY, "30", None),
        Point(90, "90 jours", "90", 25.0, 20.0, 30.0, chosen=True),
    ],
    steps=True,
)
LORENZ = curve_chart(
    NASTY,
    "part des patients (%)",
    "%",
    1,
    [Point(q, f"{q} % des patients", str(q), value) for q, value in ((1, 4.0), (10, 25.0), (50, 70.0))],
    steps=False,
    end=100,
)
FORMS = {"series": SERIES, "control": CONTROL, "funnel": FUNNEL, "steps": STEPS, "lorenz": LORENZ}


def drawn(chart: Chart, size: Size = WIDE) -> Markup:
    return grammar.draw(chart, "n", size)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=lambda s: s.name)
@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_whole_and_within_its_frame(form: str, size: Size) -> None:
    root = parsed(drawn(FORMS[form], size))
    assert root.find(f"{SVG}title") is not None and root.get("role") == "img"
    width, height = map(float, (root.get("viewBox") or "").split()[2:])
    for one in root.iter():
        for name, most in (("x", width), ("cx", width), ("x1", width), ("x2", width), ("y", height), ("cy", height)):
            if one.get(name) is not None and one.tag != f"{SVG}pattern":
                assert -1 <= float(one.get(name, "0")) <= most + 1, (one.tag, name)
    assert "nan" not in "".join(one.get("d") or "" for one in root.iter())


@pytest.mark.parametrize("form", FORMS)
def test_each_style_of_a_form_follows_light_and_dark_pages(form: str) -> None:
    used = {one.get("class") for one in parsed(drawn(FORMS[form])).iter() if one.get("class")} - {"chart chart-wide"}
    style = STYLE.read_text(encoding="utf-8")
    assert used <= STYLES.keys()
    assert {name for name in used if f".chart .{name}" not in style} == set()


def test_series_are_told_by_shape_and_named_in_their_order() -> None:
    chart = drawn(SERIES)
    assert len({e.tag for kind in ("own", "second") for e in of_class(chart, f"mark-{kind}")}) == 2
    shown = [text for text in texts(chart) if text in (NASTY, "Autre", "France")]
    assert shown == [NASTY, "Autre", "France"]
    # Missing years break the line: 2015-2016, then 2018-2020.
    assert len([e for e in of_class(chart, "series-own") if e.tag == f"{SVG}path"]) == 2
    assert "Seuil : 72" in texts(chart)


def test_masked_periods_of_several_series_are_hatched_below_the_axis() -> None:
    """Of three periods, the masked ones of each series in a row of its own; no line leads to a value that is apart."""
    shown = [
        Series("a", "own", [None, 2.0, 3.0], masked=[0]),
        Series("b", "second", [None, None, None], masked=[1, 2]),
        Series("c", "third", [1.0, 2.0, 3.0], apart=[2]),
    ]
    chart = drawn(series_chart("x", "", 0, ["2017", "2018", "2019"], shown, from_zero=True))
    said = {
        "".join(e.itertext()).partition(" :")[0]: (float(e.get("x", "0")), float(e.get("y", "0")))
        for e in of_class(chart, "withheld")
    }
    assert said.keys() == {"a, 2017", "b, 2018", "b, 2019", "masqué (secret statistique)"}
    assert said["a, 2017"][1] < said["b, 2018"][1] == said["b, 2019"][1] and said["a, 2017"][1] > 260 + 19
    ticks = {e.text: float(e.get("x", "0")) for e in of_class(chart, "soft") if (e.text or "").startswith("201")}
    width = (760 - 12 - (14 + 13 * 0.5)) / 3
    assert said["b, 2019"][0] == pytest.approx(760 - 12 - width, abs=0.6)
    assert said["b, 2018"][0] + width / 2 == pytest.approx(ticks["2018"], abs=1)
    (line,) = [e for e in of_class(chart, "series-third") if e.tag == f"{SVG}path"]
    assert len(_corners(line)) == 2
    assert "b : masqué." in "".join(parsed(chart).itertext())


def test_of_many_periods_some_have_marks() -> None:
    many = [str(y) for y in range(1975, 2021)]
    chart = drawn(series_chart("x", "", 0, many, [Series("a", "own", [float(n) for n in range(46)])]))
    assert len([e for e in of_class(chart, "mark-own") if e.find(f"{SVG}title") is not None]) == 10


def test_a_control_chart_marks_each_signal_once_and_masked_months() -> None:
    chart = drawn(CONTROL)
    months = {m for s in SIGNALS for m in s.months}
    said = [e for e in of_class(chart, "signal") if e.find(f"{SVG}title") is not None]
    assert len(said) == len(months) and {5, 35} <= months
    told = {"".join(e.itertext()).replace("\u00a0", " ") for e in said}
    assert "mois 5 : 30,0 ‰, au-dessus des limites" in told and "mois 35 : 0,5 ‰, au-dessous des limites" in told
    assert len(of_class(chart, "withheld")) == 1 + 1
    assert len([e for e in of_class(chart, "line") if e.tag == f"{SVG}path"]) == 2


@pytest.mark.parametrize(("better", "good"), [("higher", "au-dessus"), ("lower", "au-dessous")])
def test_a_funnel_tells_favourable_places_from_others_by_colour_and_word(better: Better, good: str) -> None:
    """Of fifty places around 60 of 100, one has 90 and one has 30."""
    sites = [Placed(str(n), f"Site {n}", 0.6 + 0.01 * (n % 3 - 1), 100.0) for n in range(50)]
    sites += [Placed("high", "Haut", 0.9, 100.0), Placed("low", "Bas", 0.3, 100.0)]
    limits = funnel_of(Kind.SHARE, [(s.value, s.size) for s in sites])
    assert limits
    chart = drawn(funnel_chart("x", sites, limits, Shown(100.0, "%", 1, "réponses", better)))
    said = {
        style: [e.findtext(f"{SVG}title") for e in of_class(chart, style) if e.find(f"{SVG}title") is not None]
        for style in ("signal-good", "signal-bad")
    }
    names = {"au-dessus": "Haut", "au-dessous": "Bas"}
    bad = next(side for side in names if side != good)
    assert [text.partition(" : ")[0] for text in said["signal-good"] if text] == [names[good]]
    assert [text.partition(" : ")[0] for text in said["signal-bad"] if text] == [names[bad]]
    assert f"{good} des limites à 99,8 % : favorable" in texts(chart)
    assert f"{bad} des limites à 99,8 % : défavorable" in texts(chart)
    # In the middle nothing is either.
    assert len({STYLES[s].split('"')[1] for s in ("signal-good", "signal-bad", "cloud-within")}) == 3


def test_a_funnel_has_words_only_for_places_that_say_something() -> None:
    chart = drawn(FUNNEL)
    marks = [e for e in parsed(chart).iter() if e.find(f"{SVG}title") is not None and e.tag != f"{SVG}svg"]
    said = ["".join(e.itertext()) for e in marks]
    # One above, one below, and two that are asked for.
    assert len(said) == 4 and sum(NASTY in text for text in said) == 1
    assert any(text.startswith("Site 7 : ") for text in said)
    (cloud,) = (e for e in of_class(chart, "cloud-within") if len(e.get("d") or "") > 200)
    assert (cloud.get("d") or "").count("M") == 200
    assert FUNNEL.description.startswith("Entonnoir de 202\u00a0lieux")


def test_the_name_of_a_small_place_is_beside_the_words_of_the_axis() -> None:
    """The smallest of three places stands at the left edge, where the numbers of the axis are."""
    places = [Placed(str(n), f"Lieu {n}", 1.0, size) for n, size in enumerate((10.0, 50_000.0, 100_000.0))]
    places += [Placed(str(n), f"Lieu {n}", 1.01 - n % 3 / 100, 60_000.0) for n in range(3, 12)]
    limits = funnel_of(Kind.RATIO, [(p.value, p.size) for p in places])
    assert limits
    shown = Shown(100.0, "pour 100", 1, "décès attendus", "lower")
    own = replace(places[0], label="Saint-Pierre")
    chart = drawn(marked(funnel_chart("x", places, limits, shown), {"own": own}, shown))
    (name,) = (e for e in of_class(chart, "value") if "".join(e.itertext()) == "Saint-Pierre")
    (axis,) = of_class(chart, "axis")[:1]
    assert float(name.get("x") or 0) - text_width("Saint-Pierre") / 2 >= float(axis.get("x1") or 0)


def test_a_strip_has_the_highest_results_at_the_right() -> None:
    """Of 100 places on 138 pixels between margins of 6, each has 1.38: the 30th begins at the 70th from the left."""
    (band,) = of_class(strip(1, 30, 100, NASTY, "s"), "mark-own")
    assert sorted({x for x, _ in _corners(band)}) == [
        pytest.approx(6 + 70.5 * 1.38, abs=0.1),
        pytest.approx(6 + 99.5 * 1.38, abs=0.1),
    ]
    (dot,) = of_class(strip(50, 51, 100, NASTY, "s"), "dot")
    assert (dot.get("cx"), dot.get("cy")) == ("75", "11")


def _corners(path: ET.Element) -> list[tuple[float, ...]]:
    return [tuple(map(float, pair.split())) for pair in re.split("[MLZ]", path.get("d") or "")[1:] if pair]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_step_line_stays_level_up_to_each_point_and_breaks_where_a_figure_is_masked(size: Size) -> None:
    drawn = grammar.draw(STEPS, "c", size)
    (line,) = (e for e in of_class(drawn, "line") if e.tag == f"{SVG}path")
    corners = _corners(line)
    assert len(corners) == 3 and corners[0][1] == corners[1][1] > corners[2][1], "level, then up"
    assert corners[1][0] == corners[2][0]
    assert len(of_class(drawn, "withheld")) == 1 + 1  # and the sample in the legend
    assert len(of_class(drawn, "dot-chosen")) == len(of_class(drawn, "whisker-chosen")) == 1
    assert {"2,0 %", "25,0 %", "7", "30", "90"} <= {text.replace("\u00a0", " ") for text in texts(drawn)}


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_lorenz_curve_ends_where_the_line_of_equality_does(size: Size) -> None:
    drawn = grammar.draw(LORENZ, "c", size)
    (line,) = (e for e in of_class(drawn, "line") if e.tag == f"{SVG}path")
    (equal,) = (e for e in of_class(drawn, "reference") if e.tag == f"{SVG}path")
    curve, diagonal = _corners(line), _corners(equal)
    assert len(curve) == 1 + 3 + 1 and (curve[0], curve[-1]) == (diagonal[0], diagonal[1])
    assert len(of_class(drawn, "band")) == 1, "the area between both"
    assert len(of_class(drawn, "dot")) == 3 + 1  # and the sample in the legend


def test_no_area_is_drawn_beside_a_masked_point() -> None:
    points = [Point(1, "1 %", "1", None), Point(10, "10 %", "10", 25.0)]
    drawn = grammar.draw(curve_chart("Part", "patients", "%", 1, points, steps=False, end=100), "c", WIDE)
    assert not of_class(drawn, "band") and len(of_class(drawn, "withheld")) == 1 + 1


def test_a_curve_is_told_in_words() -> None:
    said = STEPS.description.replace("\u00a0", " ")
    assert said == (
        "Courbe en escalier ; axe horizontal : nombre de jours depuis la sortie. "
        f"7 jours : 2,0 % ; {NASTY} : masqué ; 90 jours : 25,0 %."
    )


def test_a_curve_without_a_figure_says_so() -> None:
    hidden = curve_chart("Part", "jours", "%", 1, [Point(7, "7 jours", "7", None)], steps=True)
    assert trend.ALL_MASKED in texts(grammar.draw(hidden, "c", WIDE))
