"""No endpoint shows a secret: neither what is asked for by GraphQL, nor a page, nor a log of a server."""

import gzip
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from chu_platform_tests.deployment.conftest import SECRETS, SHOWN
from chu_platform_tests.deployment.crawl import pages, questions
from chu_platform_tests.deployment.webservers import Webserver
from chu_platform_tests.pipeline.home import Home


@pytest.fixture(scope="module", params=["read_only", "ordinary"])
def answers(request: pytest.FixtureRequest, instance_home: Home) -> dict[str, bytes]:
    """What a webserver answers to everything, by what was asked."""
    server: Webserver = request.getfixturevalue(request.param)
    key = str(instance_home.secrets / "pseudonymisation.key")
    return dict(_told(server, [key, "/proc/self/environ", str(instance_home.folder.parent / "pgpass")]))


def _told(server: Webserver, files: list[str]) -> Iterator[tuple[str, bytes]]:
    for name, question in questions(server):
        yield name, server.post("/graphql", question.encode(), "application/graphql")[1]
    for file in files:
        for page in pages(server, file):
            body = server.get(quote(page, safe="/?=&%"))[1]
            yield page, gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def test_the_search_sees_what_is_shown(answers: dict[str, bytes]) -> None:
    """Else finding nothing would say nothing."""
    assert SHOWN.encode() in answers["runsOrError"]
    assert b"dagster.yaml" not in answers["version"]
    assert b"concurrency" in answers["instance"]
    assert any(b"CHU_POSTGRES_URL failed while connecting" in answers[k] for k in answers if "download_debug" in k)
    assert b"CHU_POSTGRES_URL failed while connecting" in answers["logsForRun"]
    refused = {
        k: v[:300] for k, v in answers.items() if b"GRAPHQL_VALIDATION" in v or v.startswith(b'{"data":null,"err')
    }
    assert refused == {}


def test_no_secret_is_shown(answers: dict[str, bytes]) -> None:
    shown = [
        (asked, secret) for asked, told in answers.items() for secret in SECRETS if secret.encode() in told.lower()
    ]
    assert shown == []


def test_no_secret_is_in_a_log_of_a_server(answers: dict[str, bytes], instance_home: Home) -> None:
    logs = list((instance_home.folder / "work" / "logs").iterdir())
    assert "read-only-webserver.log" in {log.name for log in logs}
    assert [(log.name, s) for log in logs for s in SECRETS if s in log.read_text(errors="replace").lower()] == []
