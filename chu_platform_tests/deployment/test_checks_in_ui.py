"""Which asset checks the UI can execute on their own."""

import pytest

from chu_platform.catalogue import catalogue
from chu_platform.graph.checks_alone import can_run_alone
from chu_platform_tests.deployment.webservers import Webserver

pytestmark = pytest.mark.integration

CHECKS = """{ assetNodes { assetKey { path } assetChecksOrError {
    ... on AssetChecks { checks { name description canExecuteIndividually } } } } }"""


def test_the_ui_can_execute_the_checks_that_can_run_alone(read_only: Webserver) -> None:
    nodes = read_only.graphql(CHECKS)["data"]["assetNodes"]
    found = {
        "/".join(node["assetKey"]["path"]): {
            c["canExecuteIndividually"] for c in node["assetChecksOrError"].get("checks", ())
        }
        for node in nodes
    }
    for table in catalogue():
        alone = "CAN_EXECUTE" if can_run_alone(table) else "REQUIRES_MATERIALIZATION"
        assert {f"{t.layer}/{t.name}": found[f"{t.layer}/{t.name}"] for t in table.outputs} == {
            f"{t.layer}/{t.name}": {alone} for t in table.outputs
        }
