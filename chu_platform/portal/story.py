"""The story: eleven steps for a committee, every figure from the snapshot that is served."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.addresses import Addresses
from chu_platform.portal.cells import Cell, summed
from chu_platform.portal.charts.dots import dots
from chu_platform.portal.charts.drawing import SLIDE
from chu_platform.portal.charts.grammar import Chart, both, draw
from chu_platform.portal.charts.regions import draw as draw_map
from chu_platform.portal.charts.regions import region_map
from chu_platform.portal.charts.trend import about, trend
from chu_platform.portal.choices import Refused, choose
from chu_platform.portal.findings import (
    Course,
    across_ages,
    apart,
    apart_title,
    change,
    change_title,
    course,
    established,
    established_title,
    highest,
    highest_title,
)
from chu_platform.portal.questions import Question
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.reliability import check_counts, reliability
from chu_platform.portal.sentences import checks as told_checks
from chu_platform.portal.sentences import figure, headline, limits, limits_or_why, parts, reach_in_short, sum_of_deaths
from chu_platform.portal.views import View, linked_map, view_of
from chu_platform.tables.table import Layer, Zone

DEATHS_YEAR: Final = "2019"
SURVEY_YEAR: Final = "2020"
# The layers of the warehouse as a committee knows them, in the order of the way.
WAY: Final = (
    ("sources", "Sources", "tables et fichiers, tels que livrés"),
    ("references", "Références", "régions, CIM-10, calendrier"),
    ("dimensions", "Dimensions", "patients, lieux, diagnostics, temps"),
    ("facts", "Faits", "consultations, séjours, décès, réponses"),
    ("kpis", "Indicateurs", "exacts, réservés aux zones protégées"),
    ("published", "Publication", "masquée, ouverte aux lecteurs"),
)


@dataclass(frozen=True)
class Shown:
    """A figure of a step: its sentence, its chart, what it is made of, and the page that has all of it."""

    headline: Markup
    detail: str
    chart: Markup
    caption: str
    address: str
    caution: str


@dataclass(frozen=True)
class Result:
    """A step about a result: the finding as its title and with its evidence, and the figure, if it is published."""

    title: str
    finding: str
    shown: Shown | None


@dataclass(frozen=True)
class Volume:
    """How much there is of something, and over which period."""

    what: str
    count: str | None
    when: str


@dataclass(frozen=True)
class Coverage:
    """What of an indicator can be seen."""

    question: Question
    masked: str
    until: str


@dataclass(frozen=True)
class Advice:
    """Something to do, and the figure or limit that it follows from."""

    what: str
    why: str


@dataclass(frozen=True)
class Story:
    """All figures and sentences of the story; a figure that does not exist here is None."""

    volumes: Sequence[Volume]
    questions: Sequence[Question]
    way: Sequence[tuple[str, str, int]]
    checks: str
    example: Sequence[tuple[str, str]]
    example_sentence: Markup | None
    consultations: Result
    unattached: str
    stays: Result
    ages: Result
    deaths: Result
    deaths_whole: Markup | None
    satisfaction: Result
    ambulatory: str
    coverage: Sequence[Coverage]
    advice: Sequence[Advice]


def story_of(snapshot: Snapshot, addresses: Addresses) -> Story:
    """The story from the tables that are served; its map leads where `addresses` says."""
    consultations = _view(snapshot, "consultations-etablissement")
    unattached = _view(snapshot, "consultations-etablissement", x="unattached:unattached", mesure="intensite")
    stays = _view(snapshot, "hospitalisations")
    ages = _view(snapshot, "hospitalisations-sexe-age")
    deaths = _view(snapshot, "deces-region", periode=DEATHS_YEAR, mesure="taux")
    survey = _view(snapshot, "satisfaction-region", periode=SURVEY_YEAR)
    ambulatory = _view(snapshot, "satisfaction-region", periode=SURVEY_YEAR, enquete="ca_mco")
    share = _unattached_share(snapshot)
    return Story(
        volumes=_volumes(snapshot),
        questions=snapshot.questions,
        way=_way(snapshot),
        checks=told_checks(check_counts(snapshot)),
        example=_example(stays),
        example_sentence=headline(stays.question, stays.measure, stays.cell) if stays else None,
        consultations=Result(
            change_title("recours aux consultations", _series(consultations)),
            change(consultations.measure, _series(consultations)) if consultations else "",
            _shown(consultations, "consultations", _trend),
        ),
        unattached=share.why if share and unattached else "",
        stays=Result(
            change_title("recours à l’hospitalisation", _series(stays)),
            change(stays.measure, _series(stays)) if stays else "",
            _shown(stays, "sejours", _trend),
        ),
        ages=Result(
            highest_title("recours à l’hospitalisation", ages.peers.cells if ages else []),
            highest(ages.measure, ages.peers.cells) if ages else "",
            _of_ages(ages),
        ),
        deaths=Result(
            apart_title(f"Décès de {DEATHS_YEAR}", deaths.map_chart if deaths else None),
            apart(deaths.map_chart) if deaths and deaths.map_chart else "",
            _shown(deaths, "deces", partial(_map, addresses=addresses)),
        ),
        deaths_whole=_whole(snapshot, deaths) if deaths else None,
        satisfaction=_satisfaction(survey),
        ambulatory=_beside(ambulatory),
        coverage=[_coverage(snapshot, q) for q in snapshot.questions],
        advice=[a for a in _advice(snapshot, share, survey) if a is not None],
    )


def _view(snapshot: Snapshot, slug: str, **asked: str) -> View | None:
    """The view of an address; None when nothing of it is published."""
    try:
        return view_of(snapshot, choose(snapshot, slug, asked.items()))
    except Refused:
        return None


def _series(view: View | None) -> Sequence[Cell]:
    """The measure of a view over time; alone where it has no trend."""
    if view is None:
        return []
    return view.trend if view.shown_over_time == view.measure else [view.cell]


def _shown(view: View | None, name: str, draw: Callable[[View, str], tuple[Markup, str] | None]) -> Shown | None:
    if view is None:
        return None
    drawn = draw(view, f"recit-{name}")
    if drawn is None:
        return None
    chart, caption = drawn
    made_of = " / ".join(f"{count} {what}" for what, count in parts(view.measure, view.cell))
    interval = limits(view.measure, view.cell)
    texts = [f"{french.capital(view.measure.limits)} : {interval}" if interval else "", made_of]
    return Shown(
        headline(view.question, view.measure, view.cell),
        " · ".join(part for part in texts if part),
        chart,
        caption,
        view.choice.address(),
        view.question.caution,
    )


def _satisfaction(view: View | None) -> Result:
    """The scores: how they go, with the curve, where that is established; else which ranks are, with the regions."""
    title = established_title(f"Satisfaction de {SURVEY_YEAR}", view.dots_chart if view else None)
    if view is None:
        return Result(title, "", None)
    series, made_of, ranks = _series(view), _made_of(view), established(view.dots_chart)
    if course(series) in (Course.RISES, Course.FALLS):
        title = change_title("score moyen de satisfaction", series)
        evidence = f"{made_of} {change(view.measure, series)} {ranks}"
        return Result(title, evidence, _shown(view, "satisfaction", _trend))
    return Result(title, f"{made_of} {ranks}", _shown(view, "satisfaction", _dots))


def _of_ages(view: View | None) -> Shown | None:
    """The figure of the ages: its sentence is about them, what is known of all patients comes after."""
    shown = _shown(view, "ages", _dots)
    if view is None or shown is None:
        return None
    across = across_ages("taux de recours à l’hospitalisation", view.measure, view.peers.cells)
    if across is None or view.cell.value is None:
        return replace(shown, headline=across or shown.headline)
    whole = f"Tous âges : {figure(view.measure, view.cell.value)}"
    return replace(shown, headline=across, detail=" · ".join([whole, french.small(shown.detail)]))


def _made_of(view: View) -> str:
    """What the figure of a view is made of, and its interval or why there is none, as a sentence."""
    counts = " / ".join(f"{count} {what}" for what, count in parts(view.measure, view.cell))
    texts = [part for part in (counts, limits_or_why(view.measure, view.cell)) if part]
    return f"{french.capital(' ; '.join(texts))}." if texts else ""


def _drawn(chart: Chart, name: str) -> Markup:
    return both(chart, name) + draw(chart, name, SLIDE)


def _trend(view: View, name: str) -> tuple[Markup, str]:
    chart = about(view.trend_chart, view.cell.period.label)
    return _drawn(trend(chart), name), chart.title


def _dots(view: View, name: str) -> tuple[Markup, str]:
    chart = view.dots_chart
    return _drawn(dots(chart), name), chart.title


def _map(view: View, name: str, addresses: Addresses) -> tuple[Markup, str] | None:
    if view.map_chart is None:
        return None
    chart = linked_map(view.map_chart, addresses)
    whole = replace(chart, regions=[replace(r, chosen=False) for r in chart.regions])
    return region_map(whole, name) + draw_map(whole, name, SLIDE), whole.title


def _whole(snapshot: Snapshot, view: View) -> Markup:
    """The rate of all regions together, and how their deaths and those of elsewhere add up to all deaths.

    Where the rate would tell of a masked region: how many deaths can be seen.
    """
    reference = view.map_chart.reference if view.map_chart else None
    if reference:
        rate = figure(view.measure, reference.value)
        sums = dict(summed(snapshot, view.question, "deaths")).get(view.choice.period)
        counted = [c for c in view.peers.cells if c.value is not None]
        deaths, people = (
            french.number(sum(n or 0 for n in column))
            for column in zip(*((c.numerator, c.denominator) for c in counted), strict=True)
        )
        return Markup(
            "En {}, le taux brut de mortalité des 18 régions est de <strong>{}</strong> : {} décès pour {} habitants, "
            "des nombres comptés, sans intervalle pour l’ensemble. "
        ).format(DEATHS_YEAR, rate, deaths, people) + (sum_of_deaths(view.choice.period, sums) if sums else Markup())
    seen = sum(c.numerator or 0 for c in view.peers.cells)
    return Markup("En {}, <strong>au moins {} décès</strong> : ceux des régions qui ne sont pas masquées.").format(
        DEATHS_YEAR, french.number(seen)
    )


def _volumes(snapshot: Snapshot) -> list[Volume]:
    found = []
    for what, slug, asked, column in (
        ("consultations", "consultations-etablissement", {"periode": "tout", "mesure": "intensite"}, "numerator"),
        ("séjours à l’hôpital", "hospitalisations", {"periode": "tout", "mesure": "intensite"}, "numerator"),
        ("patients dans la base", "hospitalisations", {"periode": "tout"}, "denominator"),
        ("réponses à e-Satis 48 h", "satisfaction-region", {"periode": SURVEY_YEAR}, "numerator"),
    ):
        view = _view(snapshot, slug, **asked)
        if view:
            value = getattr(view.cell, column)
            found.append(Volume(what, None if value is None else french.number(value), view.cell.period.label))
    deaths = snapshot.rows(
        "SELECT sum(deaths) AS deaths, bool_or(is_masked) AS hidden FROM kpi_deaths_by_region "
        "WHERE year = $year AND sex = 'all' AND age_band = 'all' AND region_code <> 'all'",
        {"year": int(DEATHS_YEAR)},
    )[0]
    if deaths["deaths"] is not None:
        least = "au moins " if deaths["hidden"] else ""
        found.append(Volume("décès", least + french.number(deaths["deaths"]), DEATHS_YEAR))
    return found


def _way(snapshot: Snapshot) -> list[tuple[str, str, int]]:
    assert all(Layer(layer) for layer, _, _ in WAY)
    tables = snapshot.catalogue.tables
    published = [t for t in tables if t.zone is Zone.PUBLISHED]
    others = Counter(t.layer.value for t in tables if t.zone is not Zone.PUBLISHED)
    way = [(name, what, others[layer]) for layer, name, what in WAY]
    name, what, _ = way[-1]
    # Some reports are published too, beside the indicators.
    reports = sum(t.layer is Layer.REPORTS for t in published)
    return [*way[:-1], (name, f"{what} ; dont {french.counted(reports, 'rapport', 'rapports')}", len(published))]


def _example(view: View | None) -> list[tuple[str, str]]:
    """How one figure comes about: numerator, denominator, result, interval."""
    if view is None or view.cell.value is None:
        return []
    steps = [(what, count) for what, count in parts(view.measure, view.cell)]
    steps.append((view.measure.label.lower(), figure(view.measure, view.cell.value)))
    if interval := limits(view.measure, view.cell):
        steps.append((view.measure.limits, interval))
    return steps


def _unattached_share(snapshot: Snapshot) -> Advice | None:
    """The consultations that belong to no establishment, in the last whole year both counts are visible."""
    rows = snapshot.rows(
        "SELECT period_start, max(events) FILTER (level = 'unattached') AS apart, max(events) FILTER (level = 'total') AS whole "
        "FROM kpi_consultation_rate_by_establishment WHERE period_grain = 'year' AND NOT is_partial "
        "AND level IN ('unattached', 'total') GROUP BY period_start HAVING apart > 0 AND whole > 0 "
        "ORDER BY period_start DESC LIMIT 1"
    )
    if not rows:
        return None
    when: date = rows[0]["period_start"]
    share = french.percent(rows[0]["apart"] / rows[0]["whole"])
    return Advice(
        "Saisir l’établissement à chaque consultation",
        f"en {when.year}, {share} des consultations ne se rattachent à aucun établissement, et les autres ne le sont que par les structures de leur professionnel",
    )


def _beside(view: View | None) -> str:
    if view is None or view.cell.value is None:
        return ""
    return (
        f"Chirurgie ambulatoire, enquête distincte auprès d’autres patients : {figure(view.measure, view.cell.value)} "
        f"en {view.cell.period.label} ({parts(view.measure, view.cell)[0][1]} réponses). Les deux scores ne se comparent pas."
    )


def _coverage(snapshot: Snapshot, question: Question) -> Coverage:
    known = reliability(snapshot, question)
    masked = f"{french.number(known.masked)} sur {french.number(known.cells)} ({french.percent(known.masked_share, 0)})"
    return Coverage(question, masked, reach_in_short(known))


def _advice(snapshot: Snapshot, unattached: Advice | None, survey: View | None) -> Iterable[Advice | None]:
    yield unattached
    yield Advice(
        "Enregistrer les sorties de la base : décès, départs",
        "rien dans les données ne dit quels patients sont partis ; la base ne diminue jamais, et les taux récents peuvent en être abaissés",
    )
    if survey and survey.dots_chart.rows:
        yield Advice(
            "Décider sur des intervalles, pas sur des rangs",
            french.small(established(survey.dots_chart)).rstrip("."),
        )
    hidden = snapshot.rows(
        "SELECT cells, cells_masked FROM publication_coverage WHERE indicator = $table AND level = 'establishment' AND grain = 'all'",
        {"table": "kpi_consultation_rate_by_establishment"},
    )
    if hidden and hidden[0]["cells_masked"]:
        yield Advice(
            "Publier les petits établissements regroupés",
            f"{french.number(hidden[0]['cells_masked'])} établissements sur {french.number(hidden[0]['cells'])} sont masqués, même sur toute la période",
        )
    yield Advice(
        "Examiner à date fixe ces indicateurs et leurs contrôles",
        french.small(told_checks(check_counts(snapshot))).rstrip("."),
    )
