"""Pages as HTML, from a snapshot: the same templates for the server and for a copy without one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from chu_platform import french
from chu_platform.portal import funnels, monthly_signals, quality, search, sentences
from chu_platform.portal.addresses import (
    MEASURE,
    OWN_ACTIVITY,
    OWN_FIGURES,
    PERIOD,
    Addresses,
    explorer_address,
    profile_address,
    question_address,
    search_address,
)
from chu_platform.portal.cells import Cell, PlaceSums, as_cell, periods_at, summed
from chu_platform.portal.charts.dots import dots
from chu_platform.portal.charts.grammar import Axis, Chart, both
from chu_platform.portal.charts.regions import TILES, region_map
from chu_platform.portal.charts.sparkline import sparkline
from chu_platform.portal.charts.trend import Moment
from chu_platform.portal.choices import ADDED, OTHERS, Choice, Field, Refused, choose, options
from chu_platform.portal.control_limits import MIN_MONTHS, Rule
from chu_platform.portal.defence import (
    ACTS,
    ANNEX,
    ANSWER_SECONDS,
    DEMONSTRATION_STEP,
    SPEECH,
    SPEECH_SECONDS,
    timed_plan,
)
from chu_platform.portal.doors import Door, questions_behind
from chu_platform.portal.episodes import episode_table, episodes_of
from chu_platform.portal.explorer.cells import Crossed
from chu_platform.portal.explorer.page import page_of
from chu_platform.portal.funnels import FunnelView, Subject, funnel_address
from chu_platform.portal.monthly_signals import Control
from chu_platform.portal.needs import needs_of
from chu_platform.portal.places import LEVELS, MAX_FOUND, Place, listed_places
from chu_platform.portal.platform_story import platform_story_of
from chu_platform.portal.profile import MAX_OTHERS, Profile
from chu_platform.portal.questions import Question
from chu_platform.portal.readable_periods import GRAINS, Period, is_short
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.register_coverage import COLUMNS, INSEE, register_coverage
from chu_platform.portal.reliability import MeasuredCheck, Reliability, check_counts, problems_of, reliability
from chu_platform.portal.search import Hit, Hits
from chu_platform.portal.several import several_note, several_table
from chu_platform.portal.story import story_of
from chu_platform.portal.views import TableRow, View, columns_of, linked_map, row_of, view_of
from chu_platform.tables.spark_sql import UNKNOWN
from chu_platform.tables.table import Layer, Zone

TEMPLATES: Final = Path(__file__).parent / "templates"
SEARCHED: Final = {
    "etablissements": "Chercher un établissement",
    "diagnostics": "Chercher un diagnostic",
}


@dataclass(frozen=True)
class Card:
    """A question on the home page, with its finding as one line."""

    question: Question
    address: str
    sentence: Markup
    detail: str
    spark: Markup
    reliability: Reliability


@dataclass(frozen=True)
class OwnSite:
    """An own site of an account, and (address, text) of each page with its exact figures."""

    label: str
    pages: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Below:
    """A table of what lies below a place or diagnosis: title, columns, rows, and how many others there are."""

    title: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[TableRow]
    others: int


class Renderer:
    """Renders pages whose links are those of `addresses`; `notice` is a paragraph at the foot of each page."""

    def __init__(self, addresses: Addresses, notice: str = "") -> None:
        self._addresses = addresses
        self._notice = notice

    def home(self, snapshot: Snapshot) -> str:
        """The questions, each with its figure, trend and reliability."""
        cards = [c for q in snapshot.questions if (c := _card(snapshot, q))]
        return self._page(
            "home.html",
            snapshot,
            here="home",
            doors=list(Door),
            cards=cards,
            missing=len([q for q in snapshot.questions if q.table.name not in snapshot.unreadable]) - len(cards),
            state=sentences.overall((c.question, c.reliability) for c in cards),
        )

    def door(self, snapshot: Snapshot, door: Door) -> str:
        """The questions of a kind of readers."""
        questions = questions_behind(snapshot, door, self._addresses.own_figures)
        return self._page("porte.html", snapshot, here="home", door=door, doors=list(Door), questions=questions)

    def question(self, snapshot: Snapshot, view: View) -> str:
        """A question, for an X and a Y."""
        return self._page("question.html", snapshot, **self._facts(snapshot, view), **self._drawn(snapshot, view))

    def own_question(self, snapshot: Snapshot, view: View) -> str:
        """A question with the exact figures of an own site, beside those that are published of other places."""
        return self._page(
            "mon_etablissement.html",
            snapshot,
            here="own",
            is_masked=any(row["is_masked"] for row in view.choice.rows),
            **self._facts(snapshot, view),
            **self._drawn(snapshot, view),
        )

    def own_activity(
        self,
        snapshot: Snapshot,
        group: str,
        chart: Chart,
        columns: Sequence[tuple[str, bool]],
        rows: Sequence[Sequence[str | None]],
        question: Question,
    ) -> str:
        """The own consultations of a practitioner of a `group` of peers; `question` is that of the released figures."""
        return self._page(
            "mon_activite.html",
            snapshot,
            here="own",
            group=group,
            chart=both(chart, "activite"),
            title=chart.title,
            columns=columns,
            rows=rows,
            question=question,
            files=[(f"{OWN_ACTIVITY}/consultations.{kind}", kind.upper()) for kind in ("csv", "parquet")],
        )

    def own_sites(
        self, snapshot: Snapshot, sites: Sequence[OwnSite], may_ask: bool, activity: str | None = None
    ) -> str:
        """The own sites of an account; `may_ask`: it may see every other one as well.

        `activity` is the address of the own consultations of a practitioner.
        """
        return self._page(
            "mes_etablissements.html",
            snapshot,
            here="own",
            sites=sites,
            may_ask=may_ask,
            activity=activity,
            own_figures=OWN_FIGURES,
        )

    def search(
        self, snapshot: Snapshot, kind: str, question: Question, words: str, results: search.Results | None
    ) -> str:
        """The form of a search, and its results or what can be chosen without words."""
        return self._page(
            "search.html",
            snapshot,
            title=SEARCHED[kind],
            kind=kind,
            question=question,
            possible=[q for q in snapshot.questions if q.search == kind],
            words=words,
            results=results,
            address=lambda x: question_address(question, {"x": x}),
            begin=options(snapshot, question, question.parameters[0]),
        )

    def everything(self, snapshot: Snapshot, words: str, kinds: Sequence[Hits]) -> str:
        """What words find among questions, places, establishments and diagnoses."""
        return self._page("everything.html", snapshot, words=words, kinds=kinds)

    def suggestions(self, words: str, hits: Sequence[Hit]) -> str:
        """The same as a part of a page, for a search field."""
        template = _environment().get_template("suggestions.html")
        return french.typeset(template.render(addresses=self._addresses, words=words, hits=hits))

    def method(self, snapshot: Snapshot) -> str:
        """How everything is calculated, and the state of the data."""
        problems = snapshot.once("problems", lambda: problems_of(snapshot))
        return self._page(
            "method.html",
            snapshot,
            here="method",
            questions=[(q, reliability(snapshot, q)) for q in snapshot.questions],
            problems=problems,
            checks_table=_checks_table(problems),
            counts=check_counts(snapshot),
        )

    def needs(self, snapshot: Snapshot) -> str:
        """The register of needs: who decides what, and the pages that answer."""
        return self._page("besoins.html", snapshot, needs=needs_of(snapshot), question_address=question_address)

    def quality(self, snapshot: Snapshot, words: str = "") -> str:
        """Care-quality results of the site that the words name, a list of sites, or all sites together."""
        found = quality.sites(snapshot, words) if words else []
        site = found[0] if len(found) == 1 else None
        return self._page(
            "qualite.html",
            snapshot,
            words=words,
            site=site,
            sites=found,
            most=quality.MAX_SITES,
            columns=quality.RESULT_COLUMNS if site else quality.NATION_COLUMNS,
            rows=quality.results_of(snapshot, "site_finess", site.finess) if site else quality.nation(snapshot),
        )

    def places(self, snapshot: Snapshot, words: str, found: Sequence[Place], given: Profile | None = None) -> str:
        """The form that finds the place of a profile, or another one to compare a given profile with."""
        others = [p.key for p in given.others] if given else []
        return self._page(
            "profils.html",
            snapshot,
            here="profile",
            words=words,
            found=found[:MAX_FOUND],
            are_more=len(found) > MAX_FOUND,
            given=given,
            others=others,
            address=lambda p: profile_address(given.place.key, [*others, p.key]) if given else profile_address(p.key),
            listed={} if words else listed_places(snapshot),
        )

    def profile(self, snapshot: Snapshot, profile: Profile) -> str:
        """What is published of a place, beside others."""
        keys = [p.key for p in profile.others]
        return self._page(
            "profil.html",
            snapshot,
            here="profile",
            profile=profile,
            most=MAX_OTHERS,
            keys=keys,
            without=lambda p: profile_address(profile.place.key, [k for k in keys if k != p.key]),
            address=lambda p: profile_address(p.key),
            draw=both,
        )

    def funnel(self, snapshot: Snapshot, subject: Subject, found: FunnelView | None, place: Place | None) -> str:
        """The funnel of a subject, a place marked, with the places beyond its limits."""
        return self._page(
            "entonnoir.html",
            snapshot,
            subject=subject,
            found=found,
            subjects=[(funnel_address(s), s.label, s is subject) for s in Subject],
            chart=both(found.chart, "entonnoir") if found else "",
            beyond=found.beyond[: funnels.MAX_LISTED] if found else [],
            place=place,
            address=profile_address,
        )

    def control(self, snapshot: Snapshot, control: Control) -> str:
        """The control chart of a monthly figure."""
        chart = monthly_signals.drawn(control)
        return self._page(
            "controle.html",
            snapshot,
            here="month",
            control=control,
            verdict=monthly_signals.verdict(control),
            chart=both(chart, "controle") if chart else None,
            title=chart.title if chart else "",
            from_zero=bool(chart and isinstance(chart.y, Axis) and chart.y.low == 0),
            unstable=monthly_signals.unstable(control),
            measures=[
                (monthly_signals.control_address(control.question, control.x, m), m.label, m is control.measure)
                for m in monthly_signals.measures_of(control.question, control.x)
            ],
            signals=[monthly_signals.told(signal, control) for signal in control.signals],
            months=(
                columns_of(control.measure, "Mois"),
                [row_of(control.measure, c.period.label, c) for c in control.cells if c],
            ),
            question_page=question_address(
                control.question,
                {p.name: p.separator.join(control.x[c] for c in p.columns) for p in control.question.parameters},
            ),
            rules=[str(rule) for rule in Rule],
            fewest=MIN_MONTHS,
        )

    def last_month(self, snapshot: Snapshot) -> str:
        """Whether the last month is unusual."""
        return self._page("dernier_mois.html", snapshot, here="month", months=monthly_signals.last_months(snapshot))

    def explorer(self, snapshot: Snapshot, found: Crossed) -> str:
        """A table of the explorer."""
        return self._page("explorateur.html", snapshot, here="explorer", **page_of(snapshot, found))

    def own_explorer(self, snapshot: Snapshot, shown: Mapping[str, Any]) -> str:
        """A table of the explorer of exact figures."""
        return self._page("explorateur_exact.html", snapshot, here="own", **shown)

    def counting(self, snapshot: Snapshot, address: str, percent: int | None, seconds: int) -> str:
        """That a table is being counted, and where it will be."""
        return self._page("comptage.html", snapshot, here="own", address=address, percent=percent, seconds=seconds)

    def register(self, snapshot: Snapshot) -> str:
        """How complete the register of deaths is."""
        known = register_coverage(snapshot)
        return self._page(
            "registre.html",
            snapshot,
            known=known,
            chart=both(known.chart, "couverture") if known else "",
            columns=COLUMNS,
            by_register=[q for q in snapshot.questions if q.table.public_source == INSEE],
        )

    def story(self, snapshot: Snapshot) -> str:
        """The story, from the tables that are served."""
        return self._page(
            "recit.html",
            snapshot,
            here="story",
            story=story_of(snapshot, self._addresses),
            platform=platform_story_of(snapshot),
            speech=SPEECH,
            minutes=SPEECH_SECONDS // 60,
            acts=ACTS,
        )

    def defence(self, snapshot: Snapshot) -> str:
        """The defence: the plan with its times, the notes of the speaker, the demonstration, answers to questions."""
        return self._page(
            "soutenance.html",
            snapshot,
            here="story",
            plan=timed_plan(),
            acts=ACTS,
            demonstration=DEMONSTRATION_STEP,
            annex=ANNEX,
            minutes=SPEECH_SECONDS // 60,
            answer_minutes=ANSWER_SECONDS // 60,
        )

    def error(self, number: int, message: str) -> str:
        """What is wrong, and where to go on."""
        return self._page("error.html", None, message=message, number=number)

    def framed(self, title: str, content: Markup) -> str:
        """A page around a content that is made elsewhere."""
        return self._page("framed.html", None, here="me", title=title, content=content)

    def _page(self, template: str, snapshot: Snapshot | None, here: str = "", **context: Any) -> str:
        """A page of a template; `here` is its entry in the navigation, if it has one."""
        page = (
            _environment()
            .get_template(template)
            .render(
                here=here,
                addresses=self._addresses,
                notice=self._notice,
                edition=snapshot.edition if snapshot else None,
                unreadable=_unreadable(snapshot) if snapshot else [],
                **context,
            )
        )
        return french.typeset(page)

    def _facts(self, snapshot: Snapshot, view: View) -> Mapping[str, Any]:
        """What a page of a question shows beside its view: reliability, and the places or diagnoses inside."""
        level, question = view.cell.x.get("level"), view.question
        known = reliability(snapshot, question, level, view.choice.period.grain)
        is_site = level == "establishment"
        return {
            "reliability": known,
            "checks_table": _checks_table(known.problems),
            "below": self._below(snapshot, view),
            "quality_columns": quality.RESULT_COLUMNS,
            "quality": quality.results_of(snapshot, "establishment_key", view.cell.x["code"]) if is_site else [],
        }

    def _drawn(self, snapshot: Snapshot, view: View) -> Mapping[str, Any]:
        """The sentences, charts, tables and links of a view."""
        choice, own = view.choice, view.cell
        question = choice.question
        asked = view.instead_of or view.measure
        carried = asked.key if choice.explicit and asked.key != choice.measures[0].key else None
        fields = _fields(snapshot, choice, own.label)
        downloads = _downloads(view)
        episodes = episodes_of(snapshot, choice)
        return {
            "view": view,
            "question": question,
            "choice": choice,
            "cell": own,
            "headline": sentences.headline(question, view.measure, own),
            "limits": sentences.limits_or_why(view.measure, own),
            "parts": sentences.parts(view.measure, own),
            "why_missing": sentences.missing(own),
            "partial": sentences.partial(question, own),
            "waiting": sentences.waiting(own, next(iter(periods_at(snapshot, question, "all")), None)),
            "usual": sentences.usual(view.measure, own),
            "episodes": episodes,
            "episode_table": episode_table(episodes, self._addresses),
            "control_page": _control_page(choice),
            "profile_page": _profile_page(own),
            "by_register": question.table.public_source == INSEE,
            "related": [q for slug in question.related if (q := snapshot.question(slug))],
            "standing": sentences.standing(view.measure, view.peers, own),
            "left_out": sentences.left_out(view.peers),
            "apart": sentences.survey_apart(question, own),
            "level_texts": question.levels.get(own.x.get("level", "")),
            "fields": fields,
            "carried": carried,
            "choice_lists": [] if self._addresses.served else self._choice_lists(choice, fields, carried),
            "figure": sentences.figure(view.measure, own.value) if own.value is not None else None,
            "measures": [(choice.address(**{MEASURE: m.key}), m.label, m == view.measure) for m in choice.measures],
            "trend": both(view.over_time, "evolution"),
            "trend_table": several_table(view.shown_over_time, view.courses)
            if view.courses
            else (
                columns_of(view.shown_over_time, "Période"),
                [row_of(view.shown_over_time, _period_label(c), c) for c in view.trend],
            ),
            "compared": [(c.label, choice.without(c.other)) for c in view.courses if c.other],
            "most_compared": len(OTHERS),
            "adding": [
                replace(f, name=f"{ADDED}{f.name}", label=f"À ajouter : {f.label}") for f in fields if f.name != PERIOD
            ],
            "kept": [(name, value) for name, value in parse_qsl(urlsplit(choice.address()).query) if name != MEASURE],
            "dots": both(dots(view.dots_chart), "comparaison") if len(view.dots_chart.rows) > 1 else None,
            "peers_table": (
                columns_of(view.measure, "Comparé"),
                [row_of(view.measure, self._linked(choice, c, c.name), c) for c in view.peers.cells],
                next((i for i, c in enumerate(view.peers.cells) if c == own), None),
            ),
            "map": region_map(linked_map(view.map_chart, self._addresses), "carte") if view.map_chart else None,
            "course": both(view.course_chart, "courbe") if view.course_chart else None,
            "course_table": (
                columns_of(view.measure, view.question.course.each if view.question.course else ""),
                [row_of(view.measure, self._linked(choice, c, c.label), c) for c in view.course_cells],
            ),
            "context_table": (
                columns_of(view.measure, "Repère"),
                [row_of(view.measure, self._linked(choice, c, c.label), c) for c in view.context_cells],
            ),
            "trend_note": _trend_note(view),
            "downloads": [
                (title, files, any(self._addresses.of(address) is not None for address, _, _ in files))
                for title, files in downloads
            ],
            "permalink": choice.address(),
            "sources": [t for t in snapshot.catalogue.upstream(question.table) if t.layer is Layer.SOURCES],
            "version": snapshot.versions.get(question.table.name),
            "why_masked": sentences.ALL_PUBLIC if question.table.public_source else sentences.WHY_MASKED,
        }

    def _below(self, snapshot: Snapshot, view: View) -> Below | None:
        """What lies below the X of a view, with the figures of the same measure."""
        question, choice = view.question, view.choice
        found = search.inside(snapshot, question, view.cell)
        if found is None:
            return None
        measures = question.measures_at(found.level)
        # Where a level opens with another measure than its parent, both are at the beginning of its own page.
        measure = measures[0] if choice.measure.key == choice.measures[0].key else view.measure
        measure = next(m for m in measures if m.key == measure.key)
        cells = [as_cell(question, measure, row) for row in found.rows]
        names = question.levels[found.level].label
        (x,) = question.parameters
        rows = []
        for cell in cells:
            given = {x.name: x.separator.join(cell.x[c] for c in x.columns)}
            # A copy without a server has the opening view of each place, and few others.
            same_period, opening = choice.address(**given), question_address(question, given)
            address = opening if self._addresses.of(same_period) is None else same_period
            rows.append(row_of(measure, self._addresses.link(address, cell.name), cell))
        title = f"{names}s : {french.small(measure.label)}, {cells[0].period.label}"
        return Below(title, columns_of(measure, names), rows, found.count - len(rows))

    def _linked(self, choice: Choice, cell: Cell, text: str) -> Markup:
        """The name of a cell as a link to its own page."""
        changes = {p.name: p.separator.join(cell.x[c] for c in p.columns) for p in choice.question.parameters}
        return self._addresses.link(choice.address(**(changes or {PERIOD: cell.period.written})), text)

    def _choice_lists(
        self, choice: Choice, fields: Sequence[Field], carried: str | None
    ) -> Sequence[tuple[str, Sequence[tuple[str, str, bool]]]]:
        """The lists of choices as links: label, and (address, text, is chosen) of each option that has a page.

        An option leads to the view where every other list stays as it is. Months and quarters are left out, unless
        there is nothing else: then it is the list of periods that is left out.
        """
        chosen = {field.name: field.value for field in fields}
        measure = {MEASURE: carried} if carried else {}
        lists = []
        for field in fields:
            links = [
                (
                    question_address(choice.question, {**chosen, field.name: value, **measure}),
                    text,
                    value == field.value,
                )
                for _, group in field.groups
                for value, text in group
                if not is_short({**chosen, field.name: value}[PERIOD]) or (choice.only_months and field.name != PERIOD)
            ]
            there = [one for one in links if self._addresses.of_choice(one[0]) is not None or one[2]]
            if len(there) > 1:
                lists.append((field.label, there))
        return lists


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        french=french,
        sentences=sentences,
        explorer_address=explorer_address,
        profile_address=profile_address,
        question_address=question_address,
        search_address=search_address,
        zip=zip,
    )
    environment.filters["moment"] = _moment
    return environment


def _unreadable(snapshot: Snapshot) -> Sequence[str]:
    """Labels of the tables that cannot be read."""
    if not snapshot.unreadable:
        return []
    return [t.label for t in snapshot.catalogue.tables if t.name in snapshot.unreadable and t.zone is Zone.PUBLISHED]


def _control_page(choice: Choice) -> str | None:
    """The control chart of the months of a choice, if there is one."""
    by_month = any(row["period_grain"] == "month" for row in choice.rows)
    if not by_month or not monthly_signals.has_controls(choice.question, choice.x):
        return None
    measures = monthly_signals.measures_of(choice.question, choice.x)
    measure = choice.measure if choice.measure in measures else measures[0]
    return monthly_signals.control_address(choice.question, choice.x, measure)


def _profile_page(cell: Cell) -> str | None:
    """The profile of the place of a cell, if it is of one."""
    if cell.x.get("level") in LEVELS and cell.x["code"] != UNKNOWN:
        return profile_address(f"{cell.x['level']}:{cell.x['code']}")
    code = cell.x.get("region_code")
    return profile_address(f"region:{code}") if code in TILES else None


def _card(snapshot: Snapshot, question: Question) -> Card | None:
    def make() -> tuple[str, Markup, str, Markup] | None:
        try:
            choice = choose(snapshot, question.slug, [])
        except Refused:
            return None
        view = view_of(snapshot, choice)
        sums = dict(summed(snapshot, question, "deaths")) if question.slug == "deces-region" else {}
        if choice.period in sums:
            return _sum_card(view, sums)
        own, chart = view.cell, view.trend_chart
        made_of = " / ".join(f"{number} {words}" for words, number in sentences.parts(view.measure, own))
        limits = sentences.limits(view.measure, own)
        called = view.measure.limits.replace("intervalle de confiance", "IC")
        detail = " · ".join(part for part in (f"{called} : {limits}" if limits else "", made_of) if part)
        return (
            choice.address(),
            sentences.in_one_line(question, view.measure, own),
            french.capital(detail),
            sparkline(chart.title, chart.unit, chart.digits, chart.moments, f"tendance-{question.number}"),
        )

    made = snapshot.once(("card", question.slug), make)
    return Card(question, *made, reliability(snapshot, question)) if made else None


def _sum_card(view: View, sums: Mapping[Period, PlaceSums]) -> tuple[str, Markup, str, Markup]:
    """The card of a question that has no row for all regions: their sum, and how far apart they are."""
    period = view.choice.period
    rated = [c for c in view.peers.cells if c.value is not None]
    drawn = {cell.period for cell in view.trend}
    moments = [Moment(p.label, p.short, found.whole) for p, found in sums.items() if p in drawn]
    detail = ""
    if rated:
        # Without names: the lowest and the highest figure may be apart by chance.
        ends = (rated[-1].value or 0.0, rated[0].value or 0.0)
        detail = f"Taux bruts des régions : {french.interval(*ends, view.measure.unit, view.measure.decimals)}"
    return (
        view.choice.address(),
        sentences.sum_of_deaths(period, sums[period]),
        detail,
        sparkline("Nombre de décès", "", 0, moments, f"tendance-{view.question.number}"),
    )


def _fields(snapshot: Snapshot, choice: Choice, label: str) -> Sequence[Field]:
    """The lists to choose X and the period from.

    What is chosen is in its list, also a place or diagnosis that was found by a search.
    """
    fields = []
    for parameter in choice.question.parameters:
        value = parameter.separator.join(choice.x[c] for c in parameter.columns)
        groups = options(snapshot, choice.question, parameter, choice.x)
        if all(value != known for _, listed in groups for known, _ in listed):
            groups = [("Choix actuel", [(value, label)]), *groups]
        fields.append(Field(parameter.name, parameter.label, value, groups))
    return [*fields, _periods(choice)]


def _periods(choice: Choice) -> Field:
    if choice.only_months:
        years: dict[str, list[tuple[str, str]]] = {}
        for o in choice.periods:
            text = f"{o.period.label}{' (incomplète)' if o.partial else ''}"
            years.setdefault(str(o.period.start.year), []).append((o.period.written, text))
        return Field(PERIOD, "Mois", choice.period.written, list(years.items()))
    groups = []
    for grain, title in GRAINS.items():
        listed = [
            (
                o.period.written,
                f"{o.period.label}{' (incomplète)' if o.partial else ''}{' – masqué' if o.masked else ''}",
            )
            for o in choice.periods
            if o.period.grain == grain
        ]
        if listed:
            groups.append((title, listed))
    order = ("Année", "Toute la période", "Trimestre", "Mois")
    return Field(PERIOD, "Période", choice.period.written, sorted(groups, key=lambda g: order.index(g[0])))


def _trend_note(view: View) -> str:
    """What must be known to read the trend: of what is in it, and no more."""
    chart, notes = view.trend_chart, []
    if any(m.absent and not m.missing for m in chart.moments):
        notes.append("Une période sans chiffre n’a pas de point.")
    if not chart.from_zero:
        notes.append("L’axe ne part pas de zéro : une pente forte peut être un petit écart.")
    if view.courses:
        notes.append(several_note(view.courses))
    return " ".join([*notes, view.trend_note] if view.trend_note else notes)


def _period_label(cell: Cell) -> str:
    return f"{cell.period.label} (incomplète)" if cell.partial else cell.period.label


def _downloads(view: View) -> Sequence[tuple[str, Sequence[tuple[str, str, bool]]]]:
    """Links to files, by part of the page; those of charts can be made PNG in the browser."""
    parts = [
        ("evolution", "Évolution", True, bool(view.trend)),
        ("courbe", "Courbe", False, view.course_chart is not None),
        ("comparaison", "Comparaison", True, True),
        ("carte", "Carte", False, view.map_chart is not None),
    ]
    found = []
    for part, title, has_rows, there in parts:
        if not there:
            continue
        links = [(view.choice.address(f"{part}.svg"), "SVG", True)]
        if has_rows:
            links = [
                (view.choice.address(f"{part}.csv"), "CSV", False),
                (view.choice.address(f"{part}.parquet"), "Parquet", False),
                *links,
            ]
        found.append((title, links))
    return found


def _checks_table(checks: Sequence[MeasuredCheck]) -> tuple[list[tuple[str, bool]], list[list[str]]]:
    """Checks that did not pass, as columns and rows."""
    columns = [(c, False) for c in ("Table", "Contrôle", "Résultat")] + [("Mesuré", True), ("Prévu", True)]
    rows = []
    for check in checks:
        result = ("échec bloquant" if check.blocking else "remarque") if check.run else "pas encore évalué"
        about = f"{check.about} ({french.listed(check.columns)})" if check.columns else check.about
        rows.append([check.table, about, result, sentences.measured(check), sentences.bounds(check)])
    return columns, rows


def _moment(when: datetime | None) -> str:
    """A moment in words, UTC."""
    return "jamais" if when is None else f"{french.moment(when)} (UTC)"
