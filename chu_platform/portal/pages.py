"""The answers of the portal: what each route gives for a request."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from chu_platform.portal import addresses, downloads, search
from chu_platform.portal.addresses import ServedAddresses, question_address
from chu_platform.portal.choices import Refused, choose, single
from chu_platform.portal.reader import Reader, Snapshot
from chu_platform.portal.rendering import SEARCHED, Renderer
from chu_platform.portal.views import view_of

Handler = Callable[[Request], Response]


class Pages:
    """The handlers of the routes; `ui` is the address of the Dagster UI, when there is one."""

    def __init__(self, reader: Reader, ui: str | None = None) -> None:
        self._reader = reader
        self._renderer = Renderer(ServedAddresses(ui))

    def error(self, status: HTTPStatus, message: str) -> HTMLResponse:
        """A page that says what is wrong and where to go on."""
        return HTMLResponse(self._renderer.error(status.value, message), status)

    def home(self, request: Request) -> Response:
        """The eight questions, each with its figure, trend and reliability."""
        return self._cached(request, self._renderer.home)

    def question(self, request: Request) -> Response:
        """A question, for an X and a Y."""
        snapshot = self._reader.snapshot

        def make() -> HTMLResponse:
            choice = choose(snapshot, request.path_params["slug"], request.query_params.multi_items())
            return HTMLResponse(self._renderer.question(snapshot, view_of(snapshot, choice)))

        return self._from_cache(snapshot, request, make)

    def download(self, request: Request) -> Response:
        """The rows or the chart of a part of a question's page."""
        snapshot = self._reader.snapshot
        view = view_of(snapshot, choose(snapshot, request.path_params["slug"], request.query_params.multi_items()))
        file = downloads.file_of(snapshot, view, request.path_params["file"])
        headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        return Response(file.content, media_type=file.media, headers=headers)

    def search(self, request: Request) -> Response:
        """Establishments or diagnoses by words; one that is named by its code leads straight to its page."""
        kind = request.path_params["kind"]
        if kind not in SEARCHED:
            raise Refused("Cette recherche n’existe pas.", HTTPStatus.NOT_FOUND)
        asked = single(request.query_params.multi_items(), ("q", "question"))
        words = asked.get("q", "").strip()
        if len(words) > search.MAX_LENGTH:
            raise Refused(f"La recherche prend au plus {search.MAX_LENGTH} caractères.")
        snapshot = self._reader.snapshot
        possible = [q for q in snapshot.questions if q.search == kind]
        asked_slug = asked.get("question", possible[0].slug)
        question = next((q for q in possible if q.slug == asked_slug), None)
        if question is None:
            raise Refused("Cette recherche ne mène pas à cette question.")
        results = None
        if words:
            by_place = kind == "etablissements"
            results = (
                search.establishments(snapshot, words) if by_place else search.diagnoses(snapshot, question, words)
            )
        if results and results.count == 1:
            return RedirectResponse(question_address(question, {"x": results.found[0].x}), HTTPStatus.SEE_OTHER)
        return HTMLResponse(self._renderer.search(snapshot, kind, question, words, results))

    def method(self, request: Request) -> Response:
        """How everything is calculated, and the state of the data."""
        single(request.query_params.multi_items(), ())
        return HTMLResponse(self._renderer.method(self._reader.snapshot))

    def quality(self, request: Request) -> Response:
        """Care-quality results: of one site, of the sites that hold some words, or of all sites together."""
        words = single(request.query_params.multi_items(), ("q",)).get("q", "").strip()
        if len(words) > search.MAX_LENGTH:
            raise Refused(f"La recherche prend au plus {search.MAX_LENGTH} caractères.")
        snapshot = self._reader.snapshot
        return self._from_cache(snapshot, request, lambda: HTMLResponse(self._renderer.quality(snapshot, words)))

    def story(self, request: Request) -> Response:
        """The story, from the tables that are served."""
        return self._cached(request, self._renderer.story)

    def health(self, _request: Request) -> Response:
        """That the portal answers, which versions it serves, and in a second line which tables it cannot read."""
        snapshot = self._reader.snapshot
        damaged = f"unreadable: {', '.join(sorted(snapshot.unreadable))}\n" if snapshot.unreadable else ""
        return PlainTextResponse(f"ok {snapshot.identity}\n{damaged}")

    def _cached(self, request: Request, render: Callable[[Snapshot], str]) -> Response:
        """A page without parameters."""
        single(request.query_params.multi_items(), ())
        snapshot = self._reader.snapshot
        return self._from_cache(snapshot, request, lambda: HTMLResponse(render(snapshot)))

    @staticmethod
    def _from_cache(snapshot: Snapshot, request: Request, make: Callable[[], HTMLResponse]) -> Response:
        """A page that depends on nothing but its address, the versions served, and (what is late) the hour."""
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        cached = snapshot.page((request.url.path, request.url.query, hour), make)
        # Headers are added to what is sent, not to what is kept.
        return Response(cached.body, cached.status_code, cached.headers)


HANDLERS: Final[Sequence[tuple[str, Callable[[Pages], Handler]]]] = (
    (addresses.HOME, lambda pages: pages.home),
    (f"{addresses.QUESTIONS}{{slug}}", lambda pages: pages.question),
    (f"{addresses.QUESTIONS}{{slug}}/{{file}}", lambda pages: pages.download),
    (f"{addresses.SEARCHES}{{kind}}", lambda pages: pages.search),
    (addresses.STORY, lambda pages: pages.story),
    (addresses.METHOD, lambda pages: pages.method),
    (addresses.QUALITY, lambda pages: pages.quality),
    (addresses.HEALTH, lambda pages: pages.health),
)
