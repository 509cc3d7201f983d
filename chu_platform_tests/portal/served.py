"""A portal that runs for tests: the real server over a real lake, in a thread, and what is asked of it."""

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

import uvicorn

from chu_platform.describe_catalogue import describe, described_catalogue
from chu_platform.description.described_tables import DescribedCatalogue
from chu_platform.indicators.indicator import indicators
from chu_platform.portal.app import make_app
from chu_platform.portal.pages import Pages
from chu_platform.portal.questions import questions_of
from chu_platform.portal.reader import Reader
from chu_platform.settings import load_settings
from chu_platform.signin.sign_in import SignIn
from chu_platform_tests.html import Element, parsed

# The tables of the questions alone: to follow the lineage of all of them takes seconds.
QUESTIONS = questions_of(describe(dict.fromkeys(t for i in indicators() for t in (i.masked, i.fact)), indicators()))
BY_SLUG = {q.slug: q for q in QUESTIONS}
UI = "http://127.0.0.1:1"


@cache
def full_catalogue() -> DescribedCatalogue:
    """The described catalogue, with all tables."""
    return described_catalogue()


@dataclass(frozen=True)
class Answer:
    """What the portal answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, its unbreakable spaces as plain ones."""
        return self.body.decode().replace("\u202f", " ").replace("\u00a0", " ")


@dataclass(frozen=True)
class Served:
    """A running portal."""

    port: int
    reader: Reader
    pages: Pages

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path, as it is: nothing is normalised."""
        return answer_of(self.port, path, method, headers)

    def page(self, path: str) -> Element:
        """A page that must be there."""
        answer = self.get(quote(path, safe="/?=&:|%+"))
        assert answer.status == 200, f"{path}: {answer.status}"
        return parsed(answer.body.decode())


def answer_of(
    port: int, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, source: str = "127.0.0.1"
) -> Answer:
    """What a portal answers to a request from the address `source`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600, source_address=(source, 0))
    try:
        connection.request(method, path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@contextmanager
def serving(lake: Path) -> Iterator[Served]:
    """The portal over a lake, until the end of the block; it does not look for new versions by itself."""
    reader = Reader(lake, full_catalogue())
    pages = Pages(reader, UI)
    app = make_app(pages, SignIn(load_settings(), pages.framed))
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Served(server.servers[0].sockets[0].getsockname()[1], reader, pages)
    finally:
        server.should_exit = True
        thread.join()
