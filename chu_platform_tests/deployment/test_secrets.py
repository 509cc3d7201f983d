"""No secret is in an answer of GraphQL, in a page, or in a log of a server."""

import gzip
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import quote

import pytest

from chu_platform.pseudonymisation.key_process import key_files
from chu_platform_tests.deployment.conftest import SECRETS
from chu_platform_tests.deployment.crawl import pages, questions
from chu_platform_tests.deployment.webservers import Webserver
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


# Fields with causes of errors, configuration and metadata. All: `test_every_secret`.
TELLING = frozenset({"assetNodes", "instance", "logsForRun", "runOrError", "workspaceOrError"})


@pytest.fixture(scope="module")
def answers(read_only: Webserver, instance_home: Home) -> dict[str, bytes]:
    """The answers of a webserver, by request. The ordinary webserver has the same resolvers and pages."""
    return dict(answers_of(read_only, instance_home, TELLING))


def answers_of(server: Webserver, home: Home, fields: Collection[str] | None = None) -> Iterator[tuple[str, bytes]]:
    """The answers to questions about these fields, or about all, and all kinds of pages."""
    (key,) = map(str, key_files(home.secrets))
    files = [key, "/proc/self/environ", str(home.folder.parent / "pgpass")]
    for name, question in questions(server):
        if fields is None or name in fields:
            yield name, question.ask(server)
    # Most pages are the same for each file.
    for page in dict.fromkeys(page for file in files for page in pages(server, file)):
        body = server.get(quote(page, safe="/?=&%"))[1]
        yield page, gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def test_the_search_covers_the_shown_texts(answers: dict[str, bytes]) -> None:
    """Otherwise a search without result would prove nothing."""
    cause = b"CHU_POSTGRES_URL failed while connecting"
    assert cause in answers["logsForRun"]
    assert any(cause in answer for page, answer in answers.items() if page.startswith("/download_debug/"))
    assert b"max_concurrent_runs" in answers["instance"]
    assert b"references" in answers["assetNodes"]
    assert {asked for asked in answers if not asked.startswith("/")} == TELLING


def test_no_secret_is_shown(answers: dict[str, bytes]) -> None:
    assert shown(answers) == []


def shown(answers: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """The requests whose answers have a secret, and the secret."""
    return [(asked, s) for asked, answer in answers.items() for s in SECRETS if s.encode() in answer.lower()]


def test_no_secret_is_in_a_log_of_a_server(answers: dict[str, bytes], instance_home: Home) -> None:
    logs = list((instance_home.folder / "work" / "logs").iterdir())
    assert "read-only-webserver.log" in {log.name for log in logs}
    assert [(log.name, s) for log in logs for s in SECRETS if s in log.read_text(errors="replace").lower()] == []
