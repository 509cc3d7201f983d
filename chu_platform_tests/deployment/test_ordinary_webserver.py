"""The ordinary webserver accepts the changes that the read-only one refuses, and shows the same documents."""

import pytest

from chu_platform_tests.deployment.test_read_only import mutations
from chu_platform_tests.deployment.test_served_documents import assert_alone, open_documents
from chu_platform_tests.deployment.webservers import Webserver

pytestmark = pytest.mark.system


def test_documents_are_shown(ordinary: Webserver) -> None:
    open_documents(ordinary)
    assert_alone(ordinary)


def test_the_same_mutations_change_the_ordinary_instance(read_only: Webserver, ordinary: Webserver) -> None:
    """Otherwise the refusal of the read-only webserver would prove nothing."""
    before = ordinary.stored()
    assert before == read_only.stored()
    answers = {name: ordinary.graphql(document, given) for name, document, given in mutations(ordinary)}
    assert {n: a["errors"] for n, a in answers.items() if any("path" not in e for e in a.get("errors", []))} == {}
    done = {n for n, a in answers.items() for v in (a["data"] or {}).values() if v is True or _is_success(v)}
    expected = {"deletePipelineRun", "launchRun", "launchMultipleRuns", "wipeAssets", "reportRunlessAssetEvents"}
    assert done >= {*expected, "launchPartitionBackfill", "setConcurrencyLimit", "setAutoMaterializePaused"}
    changed = {table for table, rows in ordinary.stored().items() if rows != before[table]}
    assert changed >= {
        "runs",
        "run_tags",
        "event_logs",
        "asset_keys",
        "concurrency_limits",
        "kvs",
    }


def _is_success(answer: object) -> bool:
    return isinstance(answer, dict) and not str(answer["__typename"]).endswith(("Error", "Invalid", "NotFound"))
