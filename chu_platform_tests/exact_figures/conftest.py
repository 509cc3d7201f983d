"""The portal and the process of exact figures over the shared lake, with accounts and a journal of their own."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from chu_platform.access.entries import Answer, Entry
from chu_platform.access.gate import Gate
from chu_platform.access.journal import Journal
from chu_platform.exact_figures.app import make_app as make_exact_app
from chu_platform.exact_figures.pages import OwnPages
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held
from chu_platform.identity.sessions import Sessions
from chu_platform.kpis.kpi_consultation_rate_by_establishment import EXACT, kpi_consultation_rate_by_establishment
from chu_platform.portal.app import make_app
from chu_platform.portal.pages import Pages
from chu_platform.portal.reader import Reader
from chu_platform.settings import Settings
from chu_platform.signin.sign_in import SignIn
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows
from chu_platform_tests.portal.served import Answer as Received
from chu_platform_tests.portal.served import answer_of, full_catalogue

QUESTION = "/mon-etablissement/questions/consultations-etablissement"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Sites:
    """Two establishments with exact figures that are not published, and all exact and published rows."""

    a: str
    b: str
    exact: Sequence[Row]
    published: Sequence[Row]

    def of(self, code: str, grain: str) -> Sequence[Row]:
        """The exact rows of an establishment at a grain, in order of time."""
        found = [r for r in self.exact if (r["level"], r["code"], r["period_grain"]) == ("establishment", code, grain)]
        return sorted(found, key=lambda r: r["period_start"])


@dataclass(frozen=True)
class Own:
    """The running servers, their accounts and their journal."""

    port: int
    settings: Settings
    accounts: Accounts
    sessions: Sessions
    journal: Journal
    sites: Sites

    def get(self, path: str, token: str | None = None, **headers: str) -> Received:
        """What the portal answers to a browser with this session."""
        cookie = {"Cookie": f"chu_session={token}"} if token else {}
        return answer_of(self.port, path, headers={**cookie, **headers})

    def sign_in(
        self, name: str, profile: Profile, purpose: Purpose, *keys: str, professional: str | None = None
    ) -> str:
        """The token of a session of an account with a profile at the establishments with these keys.

        `professional` is the pseudonym that it is bound to.
        """
        sites = frozenset(key.removeprefix("F") for key in keys)
        self.accounts.add(name, Held(profile, purpose, date.max, sites, professional))
        return self.sessions.begin_with_link(self.sessions.new_link(name), "correct horse battery")

    @property
    def answers(self) -> Sequence[Answer]:
        """What the journal says, in its order."""
        entries = [Entry.of_line(line) for line in self.journal.lines()]
        return [entry.answer for entry in entries if entry]


@contextmanager
def running(app: Starlette, **where: Any) -> Iterator[uvicorn.Server]:
    """An application that is served by a thread."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False, **where))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def sites(made: Home) -> Sites:
    exact = rows(made.lake, EXACT).to_pylist()
    published = rows(made.lake, kpi_consultation_rate_by_establishment.masked).to_pylist()
    whole = [r for r in exact if r["level"] == "establishment" and r["period_grain"] == "all" and r["code"][0] == "F"]
    by_size = sorted(whole, key=lambda r: (-r["consultations"], r["code"]))
    return Sites(by_size[0]["code"], by_size[1]["code"], exact, published)


@pytest.fixture(scope="session")
def own(made: Home, sites: Sites, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    settings = Settings(
        home=made.folder, sources=made.pack, secrets=tmp_path_factory.mktemp("secrets"), access="accounts"
    )
    journal = Journal(settings.secrets_folder)
    with ExitStack() as stack:
        # The path of a socket must be short.
        socket = Path(stack.enter_context(TemporaryDirectory(prefix="chu-"))) / "own"
        own_pages = OwnPages(Reader(made.lake.root, full_catalogue()), Gate(made.lake, journal))
        stack.enter_context(running(make_exact_app(lambda: own_pages, SignIn(settings)), uds=str(socket)))
        pages = Pages(Reader(made.lake.root, full_catalogue()), own_figures=True)
        portal = make_app(pages, SignIn(settings, pages.framed), own_figures=socket)
        server = stack.enter_context(running(portal, host="127.0.0.1", port=0))
        port = server.servers[0].sockets[0].getsockname()[1]
        accounts = Accounts(settings.accounts_folder)
        yield Own(port, settings, accounts, Sessions.of(settings), journal, sites)


@pytest.fixture(scope="session")
def head(own: Own) -> str:
    """The session of the head of A."""
    return own.sign_in("claire", Profile.HEAD, Purpose.STEERING, own.sites.a)
