"""A load run: how fast a running portal answers several readers, and what a page weighs.

Here: asking and measuring. Not here: the command (commands).
"""

import http.client
import re
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlsplit

from chu_platform.errors import ChuError
from chu_platform.portal.choices import question_address
from chu_platform.portal.questions import QUESTIONS

DATA: Final = re.compile(r"data;dur=([\d.]+)")
LINK: Final = re.compile(r'(?:href|src)="(/[^"#]*)"')
WORDS: Final = (
    "clinique",
    "centre hospitalier",
    "paris",
    "saint",
    "lyon",
    "tumeur",
    "asthme",
    "J20",
    "diabete",
    "douleur",
)
# What a browser loads with a page; links to other pages and downloads are not loaded.
ASSETS: Final = "/static/"


@dataclass
class Page:
    """What was measured of one kind of page: seconds and bytes (as sent) of each answer, and failures.

    `data` are the seconds that the portal says it took to find what pages show, of those it made anew.
    """

    seconds: list[float] = field(default_factory=list)
    data: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    failures: int = 0


def percentile(seconds: Sequence[float], share: float) -> float:
    """Milliseconds that a share (0 to 1) of the times do not exceed; 0 of none."""
    ordered = sorted(seconds)
    return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Load:
    """What a load run found; `first_page` in seconds and `first_bytes` are of the home page with all that it loads."""

    pages: Mapping[str, Page]
    first_page: float
    first_bytes: int
    requests_per_second: float


def load(address: str, clients: int, seconds: float, say: Callable[[str], None]) -> Load:
    """Let `clients` readers ask for pages one after another. Raises ChuError when the portal does not answer."""
    place = urlsplit(address).netloc
    try:
        first_page, first_bytes = _first_page(place)
        plan = _plan(place)
    except OSError as error:
        raise ChuError(f"the portal {address} does not answer ({error}): start it with `chu serve`") from None
    say(f"{sum(len(found) for found in plan.values())} addresses, {clients} clients, {seconds:g} s")
    pages: dict[str, Page] = defaultdict(Page)
    made: set[str] = set()
    lock = threading.Lock()
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(place, timeout=30)
        for kind, path in _turns(plan, number):
            if time.monotonic() > end:
                break
            begun = time.monotonic()
            answer, body = _get(connection, path)
            took = time.monotonic() - begun
            timing = DATA.search(answer.headers.get("Server-Timing", ""))
            with lock:
                page = pages[kind]
                page.seconds.append(took)
                page.sizes.append(len(body))
                # A search that finds one leads to its page.
                page.failures += answer.status >= HTTPStatus.BAD_REQUEST
                if timing and path not in made:
                    made.add(path)
                    page.data.append(float(timing[1]) / 1000)
        connection.close()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = sum(len(p.seconds) for p in pages.values())
    return Load(dict(sorted(pages.items())), first_page, first_bytes, answers / seconds)


def lines(found: Load) -> Iterator[str]:
    """A load run as text."""
    yield f"{'':34} {'':8} {'':7} {'whole answer, ms':>17} {'its data, ms':>17} {'kB':>8}"
    yield f"{'page':34} {'answers':>8} {'failed':>7} {'p50':>8} {'p95':>8} {'p50':>8} {'p95':>8} {'sent':>8}"
    everything = Page()
    for kind, page in found.pages.items():
        yield _line(kind, page)
        everything.seconds += page.seconds
        everything.data += page.data
        everything.sizes += page.sizes
        everything.failures += page.failures
    yield _line("all", everything)
    yield f"first page with all it loads: {found.first_page:.2f} s, {found.first_bytes / 1000:.0f} kB"
    yield f"{found.requests_per_second:.0f} pages a second"


def _line(kind: str, page: Page) -> str:
    size = statistics.mean(page.sizes) / 1000
    times = (percentile(of, share) for of in (page.seconds, page.data) for share in (0.5, 0.95))
    return f"{kind:34} {len(page.seconds):8} {page.failures:7} {' '.join(f'{t:8.1f}' for t in times)} {size:8.1f}"


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    return answer, answer.read()


def _text(place: str, path: str) -> str:
    connection = http.client.HTTPConnection(place, timeout=30)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def _first_page(place: str) -> tuple[float, int]:
    """Seconds and bytes of the home page and what it loads, one after another, over a new connection."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection(place, timeout=30)
    _, body = _get(connection, "/")
    size = len(body)
    for path in dict.fromkeys(p for p in LINK.findall(_text(place, "/")) if p.startswith(ASSETS)):
        size += len(_get(connection, path)[1])
    connection.close()
    return time.monotonic() - begun, size


def _plan(place: str) -> Mapping[str, Sequence[str]]:
    """Addresses by kind of page: each question with every X and Y that its own page offers, and searches."""
    plan: dict[str, Sequence[str]] = {"accueil": ["/"]}
    for question in QUESTIONS:
        page = _text(place, question_address(question, {}))
        found = [unescape(p) for p in LINK.findall(page)]
        linked = [p for p in found if urlsplit(p).path == f"/questions/{question.slug}"]
        offered = [
            question_address(question, {name: unescape(value)})
            for name, values in re.findall(r'<select id="field-(\w+)".*?>(.*?)</select>', page, re.DOTALL)
            for value in re.findall(r'<option value="([^"]*)"', values)
        ]
        plan[question.slug] = list(dict.fromkeys([*linked, *offered]))
    for kind in ("etablissements", "diagnostics"):
        plan[f"recherche {kind}"] = [f"/recherche/{kind}?q={quote(word)}" for word in WORDS]
    plan["methode"] = ["/methode"]
    return plan


def _turns(plan: Mapping[str, Sequence[str]], number: int) -> Iterator[tuple[str, str]]:
    """The kinds of pages in turn, each with another address every time; clients are out of step."""
    turn = number * 7
    while True:
        for kind, paths in plan.items():
            yield kind, paths[turn % len(paths)]
        turn += 1
