"""The answers of the portal: what each route gives for a request."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from chu_platform.portal import addresses, downloads, search
from chu_platform.portal.addresses import ServedAddresses, profile_address, question_address
from chu_platform.portal.choices import Refused, choose, single, with_added
from chu_platform.portal.doors import Door, door_of
from chu_platform.portal.downloads import File
from chu_platform.portal.explorer import files
from chu_platform.portal.explorer.cells import crossed
from chu_platform.portal.explorer.crossing import crossing_asked_for
from chu_platform.portal.funnels import Subject, funnel_of_subject, subject_of
from chu_platform.portal.inputs import inputs_of
from chu_platform.portal.kept_pages import Asked, KeptPage, KeptPages
from chu_platform.portal.place_choices import control_asked_for, place_asked_for, profile_asked_for
from chu_platform.portal.places import found_places
from chu_platform.portal.profile import prepare_profiles
from chu_platform.portal.reader import Reader, Snapshot
from chu_platform.portal.rendering import SEARCHED, Renderer
from chu_platform.portal.views import view_of

Handler = Callable[[Request], Response]
# What was asked for last is made of a new snapshot before it is served: so many pages, about 10 ms of CPU time each.
MAX_PREPARED: Final = 300
HOME, QUESTION, SEARCH, STORY, METHOD, QUALITY = "home", "question", "search", "story", "method", "quality"
EVERYTHING, NEEDS, DEFENCE, EXPLORER, DOOR = "everything", "needs", "defence", "explorer", "door"
PROFILE, FUNNEL, CONTROL, LAST_MONTH, REGISTER = "profile", "funnel", "control", "last month", "register"
# Paths of the pages; what they name is the name of `Asked`.
PAGES: Final[Sequence[tuple[str, str]]] = (
    (addresses.HOME, HOME),
    (f"{addresses.QUESTIONS}{{name}}", QUESTION),
    (addresses.SEARCH, EVERYTHING),
    (f"{addresses.SEARCHES}{{name}}", SEARCH),
    (addresses.STORY, STORY),
    (addresses.METHOD, METHOD),
    (addresses.QUALITY, QUALITY),
    (addresses.NEEDS, NEEDS),
    (addresses.DEFENCE, DEFENCE),
    (addresses.PROFILE, PROFILE),
    (addresses.FUNNEL, FUNNEL),
    (addresses.LAST_MONTH, LAST_MONTH),
    (addresses.REGISTER, REGISTER),
    (addresses.EXPLORER, EXPLORER),
    (f"{addresses.DOORS}{{name}}", DOOR),
    (f"{addresses.CONTROLS}{{name}}", CONTROL),
)


class Pages:
    """The pages and files of a reader's tables; `ui` is the address of the Dagster UI, when there is one.

    `own_figures`: exact figures of own sites are served beside them.
    """

    def __init__(self, reader: Reader, ui: str | None = None, own_figures: bool = False) -> None:
        self._reader = reader
        self._renderer = Renderer(ServedAddresses(ui, own_figures))
        self._kept = KeptPages()
        # One page is made at a time. Several threads would wait for each other after every query, because only one runs
        # Python code at a time, and two requests for the same page would make it twice.
        self._lock = threading.Lock()

    def error(self, status: HTTPStatus, message: str) -> HTMLResponse:
        """A page that says what is wrong and where to go on."""
        return HTMLResponse(self._renderer.error(status.value, message), status)

    def framed(self, title: str, content: Markup) -> str:
        """A page around a content that is made elsewhere."""
        return self._renderer.framed(title, content)

    def kept(self, asked: Asked) -> KeptPage | None:
        """A page that was made already; None if it has to be made. Takes no time."""
        return self._kept.get(asked, _inputs(self._reader.snapshot, asked))

    def page(self, asked: Asked) -> KeptPage | Response:
        """A page, or where to go instead. Raises Refused for what the portal does not show."""
        return self._made(self._reader.snapshot, asked)

    def prepare(self, snapshot: Snapshot) -> None:
        """Make the pages that readers see first, and those that they asked for last, before a snapshot is served."""
        first = [Asked(kind) for kind in (HOME, STORY, METHOD, QUALITY, PROFILE, FUNNEL, LAST_MONTH, REGISTER)]
        first += [Asked(QUESTION, q.slug) for q in snapshot.questions]
        first += [Asked(DOOR, door.slug) for door in Door]
        for asked in dict.fromkeys([*first, *self._kept.last_asked(MAX_PREPARED)]):
            # Whoever asks for a page that cannot be made is told so, and the log then has the reason.
            with suppress(Exception):
                self._made(snapshot, asked)
        with suppress(Exception):
            prepare_profiles(snapshot)

    def download(self, request: Request) -> Response:
        """The rows or the chart of a part of a question's page."""
        snapshot = self._reader.snapshot
        view = view_of(snapshot, choose(snapshot, request.path_params["slug"], request.query_params.multi_items()))
        return _saved(downloads.file_of(snapshot, view, request.path_params["file"]))

    def explored(self, request: Request) -> Response:
        """A table of the explorer as a file."""
        snapshot = self._reader.snapshot
        found = crossed(snapshot, crossing_asked_for(snapshot, request.query_params.multi_items()))
        return _saved(files.file_of(snapshot, found, request.path_params["file"]))

    def health(self, _request: Request) -> Response:
        """That the portal answers, which versions it serves, and in a second line which tables it cannot read."""
        snapshot = self._reader.snapshot
        damaged = f"unreadable: {', '.join(sorted(snapshot.unreadable))}\n" if snapshot.unreadable else ""
        return PlainTextResponse(f"ok {snapshot.identity}\n{damaged}")

    def _made(self, snapshot: Snapshot, asked: Asked) -> KeptPage | Response:
        with self._lock:
            inputs = _inputs(snapshot, asked)
            if found := self._kept.get(asked, inputs):
                return found
            made = self._rendered(snapshot, asked)
            if isinstance(made, Response):
                return made
            page = KeptPage.of(made.encode())
            self._kept.put(asked, inputs, page)
            return page

    def _rendered(self, snapshot: Snapshot, asked: Asked) -> str | Response:
        given = parse_qsl(asked.query, keep_blank_values=True)
        if asked.kind == QUESTION:
            if address := with_added(snapshot, asked.name, given):
                return RedirectResponse(address, HTTPStatus.SEE_OTHER)
            return self._renderer.question(snapshot, view_of(snapshot, choose(snapshot, asked.name, given)))
        if asked.kind == SEARCH:
            return self._search(snapshot, asked.name, given)
        if asked.kind == EVERYTHING:
            return self._everything(snapshot, _words(single(given, ("q",))))
        if asked.kind == QUALITY:
            return self._renderer.quality(snapshot, _words(single(given, ("q",))))
        if asked.kind == PROFILE:
            return self._profile(snapshot, given)
        if asked.kind == FUNNEL:
            return self._funnel(snapshot, given)
        if asked.kind == EXPLORER:
            return self._renderer.explorer(snapshot, crossed(snapshot, crossing_asked_for(snapshot, given)))
        if asked.kind == CONTROL:
            return self._renderer.control(snapshot, control_asked_for(snapshot, asked.name, given))
        single(given, ())
        if asked.kind == DOOR:
            door = door_of(asked.name)
            if door is None:
                raise Refused("Cette page n’existe pas.", HTTPStatus.NOT_FOUND)
            return self._renderer.door(snapshot, door)
        render = {
            HOME: self._renderer.home,
            STORY: self._renderer.story,
            METHOD: self._renderer.method,
            NEEDS: self._renderer.needs,
            DEFENCE: self._renderer.defence,
            LAST_MONTH: self._renderer.last_month,
            REGISTER: self._renderer.register,
        }
        return render[asked.kind](snapshot)

    def suggestions(self, request: Request) -> Response:
        """A list of links for what is typed into a search field: nothing that the search itself does not find."""
        words = _words(single(request.query_params.multi_items(), ("q",)))
        snapshot = self._reader.snapshot
        kinds = search.everything(snapshot, words, search.MAX_OF_KIND) if words else []
        hits = [hit for kind in kinds for hit in kind.found][: search.MAX_SUGGESTIONS]
        return HTMLResponse(self._renderer.suggestions(words, hits))

    def _everything(self, snapshot: Snapshot, words: str) -> str | Response:
        """What words find; where that is one thing alone, its page."""
        kinds = search.everything(snapshot, words) if words else []
        if sum(kind.count for kind in kinds) == 1 and not kinds[0].instead:
            return RedirectResponse(kinds[0].found[0].address, HTTPStatus.SEE_OTHER)
        return self._renderer.everything(snapshot, words, kinds)

    def _profile(self, snapshot: Snapshot, given: Sequence[tuple[str, str]]) -> str | Response:
        """The profile of a place, or the places that words find; the only one found is chosen at once."""
        asked = single(given, ("lieu", "avec", "q"))
        words = _words(asked)
        profile = profile_asked_for(snapshot, asked.get("lieu", ""), asked.get("avec", ""))
        if profile and not words:
            return self._renderer.profile(snapshot, profile)
        found = found_places(snapshot, words) if words else []
        if len(found) == 1:
            lead = profile.place.key if profile else found[0].key
            others = [*(p.key for p in profile.others), found[0].key] if profile else []
            return RedirectResponse(profile_address(lead, others), HTTPStatus.SEE_OTHER)
        return self._renderer.places(snapshot, words, found, profile)

    def _funnel(self, snapshot: Snapshot, given: Sequence[tuple[str, str]]) -> str:
        asked = single(given, ("sujet", "lieu"))
        subject = subject_of(asked.get("sujet", Subject.RECOMMENDED_SITES.slug))
        if subject is None:
            raise Refused("Cet entonnoir n’existe pas.", HTTPStatus.NOT_FOUND)
        place = place_asked_for(snapshot, asked["lieu"]) if asked.get("lieu") else None
        found = funnel_of_subject(snapshot, subject, {place.key: "own"} if place else {})
        return self._renderer.funnel(snapshot, subject, found, place)

    def _search(self, snapshot: Snapshot, kind: str, given: Sequence[tuple[str, str]]) -> str | Response:
        """Establishments or diagnoses by words; one that is named by its code leads straight to its page."""
        if kind not in SEARCHED:
            raise Refused("Cette recherche n’existe pas.", HTTPStatus.NOT_FOUND)
        asked = single(given, ("q", "question"))
        words = _words(asked)
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
        return self._renderer.search(snapshot, kind, question, words, results)


def _saved(file: File) -> Response:
    """A file that the browser saves under its name."""
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.content, media_type=file.media, headers=headers)


def _words(asked: dict[str, str]) -> str:
    words = asked.get("q", "").strip()
    if len(words) > search.MAX_LENGTH:
        raise Refused(f"La recherche prend au plus {search.MAX_LENGTH} caractères.")
    return words


def _inputs(snapshot: Snapshot, asked: Asked) -> str:
    """What a page depends on beside what is asked for: of a question its inputs, else the snapshot and the hour."""
    question = snapshot.question(asked.name) if asked.kind == QUESTION else None
    return inputs_of(snapshot, question) if question else f"{snapshot.number} {datetime.now(UTC):%Y-%m-%d %H}"


FILES: Final[Sequence[tuple[str, Callable[[Pages], Handler]]]] = (
    (f"{addresses.QUESTIONS}{{slug}}/{{file}}", lambda pages: pages.download),
    (f"{addresses.EXPLORER}/{{file}}", lambda pages: pages.explored),
    (addresses.SUGGESTIONS, lambda pages: pages.suggestions),
    (addresses.HEALTH, lambda pages: pages.health),
)
