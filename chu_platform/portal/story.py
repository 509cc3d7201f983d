"""The story: what a committee is told in eleven steps, every figure from the snapshot that is served.

A sentence here says what intervals allow and no more: a change, a highest group, a rank are claimed where intervals do
not meet, and are said not to be established everywhere else. Where a figure is masked or missing its step says so.

Here: figures and the sentences that depend on them. Not here: the sentences that do not (recit.html), nor any look.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from markupsafe import Markup

from chu_platform.graph.catalogue import LAYERS, catalogue
from chu_platform.portal import french
from chu_platform.portal.cells import Cell
from chu_platform.portal.charts.dots import Dots, dots
from chu_platform.portal.charts.ranks import rank_ranges
from chu_platform.portal.charts.regions import RegionMap, Side, region_map, side
from chu_platform.portal.charts.trend import trend
from chu_platform.portal.choices import Refused, choose
from chu_platform.portal.questions import BY_SLUG, QUESTIONS, Question
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.reliability import reliability
from chu_platform.portal.sentences import figure, headline, limits, parts
from chu_platform.portal.views import View, look

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
    consultations: Shown | None
    consultations_change: str
    unattached: str
    stays: Shown | None
    stays_change: str
    ages: Shown | None
    ages_sentence: str
    deaths: Shown | None
    deaths_whole: Markup | None
    deaths_sentence: str
    satisfaction: Shown | None
    satisfaction_sentence: str
    ambulatory: str
    coverage: Sequence[Coverage]
    advice: Sequence[Advice]


def tell(snapshot: Snapshot) -> Story:
    """The story of the tables that are served."""
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
        questions=QUESTIONS,
        way=_way(),
        checks=_checks(snapshot),
        example=_example(stays),
        example_sentence=headline(stays.question, stays.measure, stays.cell) if stays else None,
        consultations=_shown(consultations, "consultations", _trend),
        consultations_change=change(consultations.trend, consultations) if consultations else "",
        unattached=share.why if share and unattached else "",
        stays=_shown(stays, "sejours", _trend),
        stays_change=change(stays.trend, stays) if stays else "",
        ages=_shown(ages, "ages", _dots),
        ages_sentence=highest(ages.peers.cells, ages) if ages else "",
        deaths=_shown(deaths, "deces", _map),
        deaths_whole=_whole(deaths.map_chart) if deaths else None,
        deaths_sentence=apart(deaths.map_chart) if deaths and deaths.map_chart else "",
        satisfaction=_shown(survey, "satisfaction", _dots),
        satisfaction_sentence=established(survey.dots_chart) if survey else "",
        ambulatory=_beside(ambulatory),
        coverage=[_coverage(snapshot, q) for q in QUESTIONS],
        advice=[a for a in _advice(snapshot, share, survey) if a is not None],
    )


def change(cells: Iterable[Cell], view: View) -> str:
    """What the last two whole periods say: a change only where their intervals do not meet."""
    seen = [c for c in cells if c.value is not None and not c.partial]
    if len(seen) < 2:
        return "Une seule période complète est visible : rien ne se dit d’une évolution."
    before, last = seen[-2:]
    assert before.value is not None and last.value is not None
    was = f"{before.period.label} ({figure(view.shown_over_time, before.value)})"
    if None in (before.low, before.high, last.low, last.high):
        return f"En {was} pour comparaison ; sans intervalle, rien ne dit si l’écart est établi."
    assert before.low is not None and before.high is not None and last.low is not None and last.high is not None
    if last.low > before.high:
        return f"C’est plus qu’en {was} : les deux intervalles ne se recouvrent pas."
    if last.high < before.low:
        return f"C’est moins qu’en {was} : les deux intervalles ne se recouvrent pas."
    return f"Aucune évolution n’est établie depuis {was} : les deux intervalles se recouvrent."


def highest(cells: Sequence[Cell], view: View) -> str:
    """Which group is the highest, if one is beyond doubt."""
    groups = [
        c for c in cells if c.value is not None and c.low is not None and c.x.get("age_band") not in ("all", "unknown")
    ]
    masked = sum(c.masked for c in cells)
    said = f" {french.counted(masked, 'tranche est masquée', 'tranches sont masquées')}." if masked else ""
    if not groups:
        return f"Aucune tranche d’âge n’est visible.{said}"
    ranges = rank_ranges([(c.low, c.high) if c.low is not None and c.high is not None else None for c in groups])
    first = next((c for c, r in zip(groups, ranges, strict=True) if r == (1, 1)), None)
    if first is None or first.value is None:
        return f"Aucune tranche d’âge visible n’a un taux établi comme plus élevé que toutes les autres.{said}"
    name = french.age_band(first.x["age_band"])
    return f"Parmi les tranches visibles, la plus élevée est celle de {name} ({figure(view.measure, first.value)}), de façon établie.{said}"


def apart(chart: RegionMap) -> str:
    """Which regions differ from the whole, as far as intervals tell."""
    reference = chart.reference
    if reference is None:
        return "Sans taux d’ensemble, les régions ne sont pas comparées."
    shown = [r for r in chart.regions if r.value is not None]
    sides = {which: [r.label for r in shown if side(r, reference) is which] for which in Side}
    said = []
    for which, text in ((Side.ABOVE, "au-dessus"), (Side.BELOW, "en dessous")):
        if sides[which]:
            said.append(f"{french.listed(sides[which])} {'est' if len(sides[which]) == 1 else 'sont'} {text}")
    whole = f"l’ensemble ({french.amount(reference.value, chart.unit, chart.digits)})"
    if not said:
        return f"Aucune région ne se distingue de {whole} : tous les intervalles le contiennent."
    rest = len(sides[Side.SAME])
    others = (
        f" ; {french.counted(rest, 'autre ne s’en distingue pas', 'autres ne s’en distinguent pas')}" if rest else ""
    )
    return (
        f"De {whole}, {french.listed(said)}, intervalle entier compris{others}. "
        f"Sur {len(shown)} comparaisons à 95 %, une peut s’écarter par le seul hasard."
    )


def established(chart: Dots) -> str:
    """How many ranks are established among the rows of a dot plot."""
    intervals = [(r.low, r.high) if r.low is not None and r.high is not None else None for r in chart.rows]
    ranges = [r for r in rank_ranges(intervals) if r is not None]
    sure = sum(best == worst for best, worst in ranges)
    if not ranges:
        return "Sans intervalle, aucun rang n’est donné."
    if not sure:
        return f"Un palmarès ne se justifie pas : aucun des {len(ranges)} rangs n’est établi."
    return f"Sur {len(ranges)} régions, {french.counted(sure, 'rang est établi', 'rangs sont établis')} ; les autres sont des fourchettes."


def _view(snapshot: Snapshot, slug: str, **asked: str) -> View | None:
    """The view of an address; None when nothing of it is published."""
    try:
        return look(snapshot, choose(snapshot, slug, asked.items()))
    except Refused:
        return None


def _shown(view: View | None, name: str, draw: Callable[[View, str], tuple[Markup, str] | None]) -> Shown | None:
    if view is None:
        return None
    drawn = draw(view, f"recit-{name}")
    if drawn is None:
        return None
    chart, caption = drawn
    made_of = " / ".join(f"{count} {what}" for what, count in parts(view.measure, view.cell))
    interval = limits(view.measure, view.cell)
    said = [f"{view.measure.limits[:1].upper()}{view.measure.limits[1:]} : {interval}" if interval else "", made_of]
    return Shown(
        headline(view.question, view.measure, view.cell),
        " · ".join(part for part in said if part),
        chart,
        caption,
        view.choice.address(),
        view.question.caution,
    )


def _trend(view: View, name: str) -> tuple[Markup, str]:
    return trend(view.trend_chart, name), view.trend_chart.title


def _dots(view: View, name: str) -> tuple[Markup, str]:
    return dots(view.dots_chart, name), view.dots_chart.title


def _map(view: View, name: str) -> tuple[Markup, str] | None:
    if view.map_chart is None:
        return None
    whole = replace(view.map_chart, regions=[replace(r, chosen=False) for r in view.map_chart.regions])
    return region_map(whole, name), whole.title


def _whole(chart: RegionMap | None) -> Markup | None:
    """The rate of all regions together."""
    if chart is None or chart.reference is None:
        return None
    rate = french.amount(chart.reference.value, chart.unit, chart.digits)
    return Markup("En {}, <strong>{}</strong> de décès rapportés aux habitants des 18 régions.").format(
        DEATHS_YEAR, rate
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
        "WHERE year = $year AND sex = 'all' AND age_band = 'all'",
        {"year": int(DEATHS_YEAR)},
    )[0]
    if deaths["deaths"] is not None:
        least = "au moins " if deaths["hidden"] else ""
        found.append(Volume("décès", least + french.number(deaths["deaths"]), DEATHS_YEAR))
    return found


def _way() -> list[tuple[str, str, int]]:
    assert all(layer in LAYERS for layer, _, _ in WAY)
    tables = Counter(t.layer.value for t in catalogue())
    return [(name, what, tables[layer]) for layer, name, what in WAY]


def _checks(snapshot: Snapshot) -> str:
    counted = Counter(
        {r["status"]: r["n"] for r in snapshot.rows("SELECT status, count(*) AS n FROM check_result GROUP BY status")}
    )
    if not counted:
        return "Aucun contrôle n’est encore enregistré."
    blocking = snapshot.rows("SELECT count(*) AS n FROM check_result WHERE blocking AND status = 'failed'")[0]["n"]
    total = sum(counted.values())
    said = f"{french.number(counted['passed'])} contrôles sur {french.number(total)} sont passés"
    if failed := counted["failed"] - blocking:
        said += f" ; {french.counted(failed, 'remarque reste', 'remarques restent')} à examiner"
    if blocking:
        said += f" ; {french.counted(blocking, 'contrôle bloquant a échoué', 'contrôles bloquants ont échoué')}"
    return f"{said}."


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
    """The consultations that no establishment can be told of, in the last whole year both counts are visible."""
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
    return Coverage(question, masked, french.day(known.until) if known.until else "–")


def _advice(snapshot: Snapshot, unattached: Advice | None, survey: View | None) -> Iterable[Advice | None]:
    yield unattached
    yield Advice(
        "Enregistrer les sorties de la base : décès, départs",
        "rien dans les données ne dit quels patients sont partis ; la base ne diminue jamais, et les taux récents peuvent en être abaissés",
    )
    yield Advice(
        "Obtenir les populations par région, sexe et âge, pour chaque année",
        f"le taux de mortalité n’existe que pour {DEATHS_YEAR}, et brut : il reflète d’abord l’âge des habitants",
    )
    if survey and survey.dots_chart.rows:
        yield Advice(
            "Décider sur des intervalles, pas sur des rangs",
            f"{established(survey.dots_chart)[0].lower()}{established(survey.dots_chart)[1:].rstrip('.')}",
        )
    hidden = snapshot.rows(
        "SELECT cells, cells_masked FROM publication_coverage WHERE indicator = $table AND level = 'establishment' AND grain = 'all'",
        {"table": BY_SLUG["consultations-etablissement"].table.name},
    )
    if hidden and hidden[0]["cells_masked"]:
        yield Advice(
            "Publier les petits établissements regroupés",
            f"{french.number(hidden[0]['cells_masked'])} établissements sur {french.number(hidden[0]['cells'])} sont masqués, même sur toute la période",
        )
    yield Advice(
        "Examiner à date fixe ces huit indicateurs et leurs contrôles",
        f"{_checks(snapshot)[0].lower()}{_checks(snapshot)[1:].rstrip('.')}",
    )
