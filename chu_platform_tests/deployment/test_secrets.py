"""No secret is in an answer of GraphQL, in a page, or in a log of a server."""

import gzip
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from chu_platform.pseudonymisation.key_process import key_files
from chu_platform_tests.deployment.conftest import SECRETS
from chu_platform_tests.deployment.crawl import pages, questions
from chu_platform_tests.deployment.webservers import Webserver
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def answers(read_only: Webserver, instance_home: Home) -> dict[str, bytes]:
    """All answers of a webserver, by request. The ordinary webserver has the same resolvers and pages."""
    (key,) = map(str, key_files(instance_home.secrets))
    return dict(_answers(read_only, [key, "/proc/self/environ", str(instance_home.folder.parent / "pgpass")]))


def _answers(server: Webserver, files: list[str]) -> Iterator[tuple[str, bytes]]:
    for name, question in questions(server):
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
    empty = {asked for asked, answer in answers.items() if not asked.startswith("/") and b'"data":{' not in answer}
    # These are about a backfill and an evaluation, which do not exist.
    assert empty <= {"assetBackfillPreview", "truePartitionsForAutomationConditionEvaluationNode"}


def test_no_secret_is_shown(answers: dict[str, bytes]) -> None:
    shown = [
        (asked, secret) for asked, answer in answers.items() for secret in SECRETS if secret.encode() in answer.lower()
    ]
    assert shown == []


def test_no_secret_is_in_a_log_of_a_server(answers: dict[str, bytes], instance_home: Home) -> None:
    logs = list((instance_home.folder / "work" / "logs").iterdir())
    assert "read-only-webserver.log" in {log.name for log in logs}
    assert [(log.name, s) for log in logs for s in SECRETS if s in log.read_text(errors="replace").lower()] == []
