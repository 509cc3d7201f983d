"""The pages: what each route answers with.

Here: from a request to HTML or a file. Not here: the server and its guards (app), figures (views).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from chu_platform import french
from chu_platform.portal import downloads, search, sentences
from chu_platform.portal.cells import Cell, summed
from chu_platform.portal.charts.dots import dots
from chu_platform.portal.charts.regions import region_map
from chu_platform.portal.charts.sparkline import sparkline
from chu_platform.portal.charts.trend import Moment, about, trend
from chu_platform.portal.choices import (
    MEASURE,
    PERIOD,
    Choice,
    Refused,
    choose,
    options,
    question_address,
    single,
)
from chu_platform.portal.periods import GRAINS, Period
from chu_platform.portal.questions import BY_SLUG, QUESTIONS, Question
from chu_platform.portal.reader import Reader, Snapshot, upstream
from chu_platform.portal.reliability import MeasuredCheck, Reliability, problems_of, reliability
from chu_platform.portal.story import log_line
from chu_platform.portal.views import View, columns_of, look, row_of, unit_and_title
from chu_platform.tables.table import Layer, Table
from chu_platform.urls import DOCUMENTS_ROOT, page_of

FOLDER: Final = Path(__file__).parent
CSV: Final = "text/csv; charset=utf-8"
PARQUET: Final = "application/vnd.apache.parquet"
SVG: Final = "image/svg+xml"
SEARCHED: Final = {
    "etablissements": "Chercher un établissement",
    "diagnostics": "Chercher un diagnostic",
}

Handler = Callable[[Request], Response]


@dataclass(frozen=True)
class Card:
    """A question on the home page; `unit` is that of the figure, where it is more than a sign."""

    question: Question
    address: str
    figure: str | None
    unit: str
    sentence: Markup
    detail: str
    spark: Markup
    reliability: Reliability


class Pages:
    """The handlers of the routes; `ui` is the address of the Dagster UI, when there is one."""

    def __init__(self, reader: Reader, ui: str | None = None) -> None:
        self._reader = reader
        self._ui = ui
        self.templates = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals.update(french=french, sentences=sentences)
        self.templates.filters["moment"] = _moment

    def page(self, template: str, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> HTMLResponse:
        """A page of a template; `here` is its entry in the navigation, if it has one."""
        context.setdefault("here", "")
        return HTMLResponse(french.typeset(self.templates.get_template(template).render(**context)), status)

    def _kept(self, snapshot: Snapshot, request: Request, make: Callable[[], HTMLResponse]) -> Response:
        """A page that depends on nothing but its address, the versions served, and (what is late) the hour."""
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        kept = snapshot.page((self._ui, request.url.path, request.url.query, hour), make)
        # Headers are added to what is sent, not to what is kept.
        return Response(kept.body, kept.status_code, kept.headers)

    def home(self, request: Request) -> Response:
        """The eight questions, each with its figure, trend and reliability."""
        single(request.query_params.multi_items(), ())
        snapshot = self._reader.snapshot

        def make() -> HTMLResponse:
            cards = [c for q in QUESTIONS if (c := _card(snapshot, q))]
            return self.page(
                "home.html",
                here="home",
                cards=cards,
                missing=len(QUESTIONS) - len(cards),
                state=sentences.overall((c.question, c.reliability) for c in cards),
            )

        return self._kept(snapshot, request, make)

    def question(self, request: Request) -> Response:
        """A question, for an X and a Y."""
        snapshot = self._reader.snapshot

        def make() -> HTMLResponse:
            begun = time.perf_counter()
            view = look(snapshot, choose(snapshot, request.path_params["slug"], request.query_params.multi_items()))
            facts = self._facts(snapshot, view)
            took = time.perf_counter() - begun
            page = self.page("question.html", **facts, **self._drawn(snapshot, view))
            page.headers["Server-Timing"] = f"data;dur={1000 * took:.1f}"
            return page

        return self._kept(snapshot, request, make)

    def download(self, request: Request) -> Response:
        """The rows or the chart of a part of a question's page."""
        snapshot = self._reader.snapshot
        view = look(snapshot, choose(snapshot, request.path_params["slug"], request.query_params.multi_items()))
        part, _, kind = str(request.path_params["file"]).partition(".")
        content: bytes | None = None
        media = ""
        if kind == "svg" and part in ("evolution", "comparaison", "carte"):
            content, media = downloads.as_svg(snapshot, view, part), SVG
        elif kind in ("csv", "parquet") and part in ("evolution", "comparaison"):
            take = downloads.rows_over_time if part == "evolution" else downloads.rows_compared
            rows = take(snapshot, view)
            content = downloads.as_csv(view.question, rows) if kind == "csv" else downloads.as_parquet(rows)
            media = CSV if kind == "csv" else PARQUET
        if content is None:
            raise Refused("Ce fichier n’existe pas.", HTTPStatus.NOT_FOUND)
        name = downloads.file_name(view, part, kind)
        return Response(content, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    def search(self, request: Request) -> Response:
        """Establishments or diagnoses by words; one that is named by its code leads straight to its page."""
        kind = request.path_params["kind"]
        if kind not in SEARCHED:
            raise Refused("Cette recherche n’existe pas.", HTTPStatus.NOT_FOUND)
        asked = single(request.query_params.multi_items(), ("q", "question"))
        words = asked.get("q", "").strip()
        if len(words) > search.LONGEST:
            raise Refused(f"La recherche prend au plus {search.LONGEST} caractères.")
        possible = [q for q in QUESTIONS if q.search == kind]
        slug = asked.get("question", possible[0].slug)
        question = BY_SLUG.get(slug)
        if question is None or question not in possible:
            raise Refused("Cette recherche ne mène pas à cette question.")
        snapshot = self._reader.snapshot
        if kind == "etablissements":
            results = search.establishments(snapshot, words) if words else None
        else:
            results = search.diagnoses(snapshot, question, words) if words else None
        if results and results.count == 1:
            return RedirectResponse(question_address(question, {"x": results.found[0].x}), HTTPStatus.SEE_OTHER)
        return self.page(
            "search.html",
            title=SEARCHED[kind],
            kind=kind,
            question=question,
            possible=possible,
            words=words,
            results=results,
            address=lambda x: question_address(question, {"x": x}),
            begin=options(snapshot, question, question.parameters[0]),
        )

    def method(self, request: Request) -> Response:
        """How everything is calculated, and the state of the data."""
        single(request.query_params.multi_items(), ())
        snapshot = self._reader.snapshot
        problems = snapshot.once("problems", lambda: problems_of(snapshot))
        return self.page(
            "method.html",
            here="method",
            questions=[(q, reliability(snapshot, q)) for q in QUESTIONS],
            problems=problems,
            checks_table=_checks_table(problems),
            checks=snapshot.rows("SELECT count(*) AS n FROM check_result")[0]["n"],
            lineage=self._lineage,
        )

    def story(self, request: Request) -> Response:
        """The story, as the tables tell it now."""
        single(request.query_params.multi_items(), ())
        snapshot = self._reader.snapshot
        told = snapshot.once("story", lambda: log_line(snapshot))
        return self.page("recit.html", here="story", story=told)

    def health(self, _request: Request) -> Response:
        """That the portal answers, and which versions it serves."""
        return PlainTextResponse(f"ok {self._reader.snapshot.identity}\n")

    def _lineage(self, table: Table) -> str | None:
        """Address of what the UI tells of where a table comes from."""
        return f"{self._ui}{DOCUMENTS_ROOT}{page_of(table)}" if self._ui else None

    def _facts(self, snapshot: Snapshot, view: View) -> Mapping[str, Any]:
        """What a page of a question asks of the tables beside its view."""
        level, question = view.cell.x.get("level"), view.question
        below = search.inside(snapshot, question, level, view.cell.x["code"]) if level else search.Results([], 0)
        known = reliability(snapshot, question, level, view.choice.period.grain)
        return {
            "reliability": known,
            "checks_table": _checks_table(known.problems),
            "below": below,
            "fields": _fields(snapshot, view.choice, view.cell.label),
        }

    def _drawn(self, snapshot: Snapshot, view: View) -> Mapping[str, Any]:
        """Its sentences, charts, tables and links."""
        choice, own = view.choice, view.cell
        question = choice.question
        asked = view.instead_of or view.measure
        return {
            "view": view,
            "question": question,
            "choice": choice,
            "cell": own,
            "headline": sentences.headline(question, view.measure, own),
            "limits": sentences.limits_or_why(view.measure, own),
            "parts": sentences.parts(view.measure, own),
            "why_missing": sentences.missing(view.measure, own),
            "partial": sentences.partial(question, own),
            "standing": sentences.standing(view.compared, view.peers, own),
            "left_out": sentences.left_out(view.peers),
            "apart": sentences.survey_apart(own),
            "carried": asked.key if choice.explicit and asked is not question.measures[0] else None,
            "figure": sentences.figure(view.measure, own.value) if own.value is not None else None,
            "periods": _periods(choice),
            "measures": [(choice.address(**{MEASURE: m.key}), m.label, m is view.measure) for m in question.measures],
            "trend": trend(about(view.trend_chart, view.cell.period.label), "evolution"),
            "trend_table": (
                columns_of(view.shown_over_time, "Période"),
                [row_of(view.shown_over_time, _period_label(c), c) for c in view.trend],
            ),
            "dots": dots(view.dots_chart, "comparaison") if len(view.dots_chart.rows) > 1 else None,
            "peers_table": (
                columns_of(view.compared, "Comparé"),
                [row_of(view.compared, _linked(choice, c, c.name), c) for c in view.peers.cells],
                next((i for i, c in enumerate(view.peers.cells) if c == own), None),
            ),
            "map": region_map(view.map_chart, "carte") if view.map_chart else None,
            "beside_table": (
                columns_of(view.measure, "Repère"),
                [row_of(view.measure, _linked(choice, c, c.label), c) for c in view.beside],
            ),
            "below_address": lambda x: question_address(question, {"x": x}),
            "downloads": _downloads(view),
            "permalink": choice.address(),
            "sources": [t for t in upstream(question.table) if t.layer is Layer.SOURCES],
            "lineage": self._lineage(question.table),
            "version": snapshot.versions.get(question.table.name),
            "why_masked": sentences.WHY_MASKED,
        }


def _card(snapshot: Snapshot, question: Question) -> Card | None:
    def make() -> tuple[str, str | None, str, Markup, str, Markup] | None:
        try:
            choice = choose(snapshot, question.slug, [])
        except Refused:
            return None
        view = look(snapshot, choice)
        sums = dict(summed(snapshot, question, "deaths")) if question.slug == "deces-region" else {}
        if choice.period in sums:
            return _sum_card(view, sums)
        own, chart = view.cell, view.trend_chart
        sign, _ = unit_and_title(view.measure)
        made_of = " / ".join(f"{number} {words}" for words, number in sentences.parts(view.measure, own))
        limits = sentences.limits(view.measure, own)
        detail = " · ".join(part for part in (f"{view.measure.limits} : {limits}" if limits else "", made_of) if part)
        return (
            choice.address(),
            None if own.value is None else french.amount(own.value, sign, view.measure.decimals),
            "" if sign else view.measure.unit,
            sentences.headline(question, view.measure, own),
            french.capital(detail),
            sparkline(chart.title, chart.unit, chart.digits, chart.moments, f"tendance-{question.number}"),
        )

    made = snapshot.once(("card", question.slug), make)
    return Card(question, *made, reliability(snapshot, question)) if made else None


def _sum_card(view: View, sums: Mapping[Period, float]) -> tuple[str, str, str, Markup, str, Markup]:
    """The card of a question that has no row for all regions: their sum, and how far apart they are."""
    period = view.choice.period
    rated = [c for c in view.peers.cells if c.value is not None]
    moments = [Moment(p.label, p.short, value) for p, value in sums.items()]
    whole = french.number(sums[period])
    detail = ""
    if rated:
        # Without names: the lowest and the highest figure may be apart by chance.
        ends = (rated[-1].value or 0.0, rated[0].value or 0.0)
        detail = f"Taux bruts des régions : {french.interval(*ends, view.compared.unit, view.compared.decimals)}"
    return (
        view.choice.address(),
        whole,
        view.measure.numerator.label if view.measure.numerator else "",
        sentences.sum_of_deaths(period, whole),
        detail,
        sparkline("Nombre de décès", "", 0, moments, f"tendance-{view.question.number}"),
    )


def _fields(snapshot: Snapshot, choice: Choice, label: str) -> Sequence[Mapping[str, Any]]:
    """The lists to choose X from; what is chosen is in its list, also a place or diagnosis that was searched."""
    fields = []
    for parameter in choice.question.parameters:
        value = parameter.separator.join(choice.x[c] for c in parameter.columns)
        groups = options(snapshot, choice.question, parameter)
        if all(value != known for _, listed in groups for known, _ in listed):
            groups = [("Choix actuel", [(value, label)]), *groups]
        fields.append({"name": parameter.name, "label": parameter.label, "value": value, "groups": groups})
    return fields


def _periods(choice: Choice) -> Mapping[str, Any]:
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
    return {
        "name": PERIOD,
        "label": "Période",
        "value": choice.period.written,
        "groups": sorted(groups, key=lambda g: order.index(g[0])),
    }


def _period_label(cell: Cell) -> str:
    return f"{cell.period.label} (incomplète)" if cell.partial else cell.period.label


def _linked(choice: Choice, cell: Cell, text: str) -> Markup:
    """The name of a cell as a link to its own page."""
    changes = {p.name: p.separator.join(cell.x[c] for c in p.columns) for p in choice.question.parameters}
    if not changes:
        changes = {PERIOD: cell.period.written}
    return Markup('<a href="{}">{}</a>').format(choice.address(**changes), text)


def _downloads(view: View) -> Sequence[tuple[str, Sequence[tuple[str, str, bool]]]]:
    """Links to files, by part of the page; those of charts can be made PNG in the browser."""
    parts = [("evolution", "Évolution", True), ("comparaison", "Comparaison", True), ("carte", "Carte", False)]
    found = []
    for part, title, has_rows in parts:
        if (part == "carte" and view.map_chart is None) or (part == "evolution" and not view.trend):
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


HANDLERS: Final[Sequence[tuple[str, Callable[[Pages], Handler]]]] = (
    ("/", lambda pages: pages.home),
    ("/questions/{slug}", lambda pages: pages.question),
    ("/questions/{slug}/{file}", lambda pages: pages.download),
    ("/recherche/{kind}", lambda pages: pages.search),
    ("/recit", lambda pages: pages.story),
    ("/methode", lambda pages: pages.method),
    ("/sante", lambda pages: pages.health),
)
