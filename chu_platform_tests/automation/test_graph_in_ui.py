"""What an engineer does in the UI, by the GraphQL of `chu serve` and with its daemon: backfills, and checks alone."""

import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chu_platform.automation.rolling_backfill import ROLLING_BACKFILL, TAG
from chu_platform.catalogue import catalogue
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.kpis.kpi_consultation_rate_by_diagnosis import EXACT as BY_DIAGNOSIS
from chu_platform.kpis.kpi_deaths_by_region import EXACT as DEATHS
from chu_platform.tables.partitions import MONTHLY, YEARS
from chu_platform.tables.table import Table
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.ports import free_port

pytestmark = pytest.mark.system

WAIT_SECONDS = 1800
# What the UI sends.
BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } } }"""
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } } }"""
# What it shows.
BACKFILLS = """{ partitionBackfillsOrError { ... on PartitionBackfills {
    results { id status title tags { key value } numPartitions } } } }"""
RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status jobName
    eventConnection(limit: 1000) { events { __typename ... on MessageEvent { message } } } } } }"""
PARTITIONS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetPartitionStatuses { ... on TimePartitionStatuses { ranges { status startKey endKey } } } } } }"""
CHECK = """query($key: AssetKeyInput!, $name: String!) {
    assetCheckExecutions(assetKey: $key, checkName: $name, limit: 1) {
    runId status evaluation { success metadataEntries { label ... on TableMetadataEntry { table { records } } } } } }"""


def path_of(table: Table) -> dict[str, list[str]]:
    return {"path": [table.layer.value, table.name]}


class Ui:
    """The GraphQL of a running `chu serve`."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        content = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.address, content, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        assert "errors" not in found, found
        data: dict[str, Any] = found["data"]
        return data

    def backfills(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(BACKFILLS)["partitionBackfillsOrError"]["results"]
        return found

    def launch(self, job: str, **selected: object) -> dict[str, Any]:
        """Launch a run and wait for its end."""
        place = {"repositoryName": "__repository__", "repositoryLocationName": self.location}
        params = {"selector": {**place, "jobName": job, **selected}, "runConfigData": {}}
        launched = self.ask(LAUNCH, {"params": params})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.ask(RUN, {"id": launched["run"]["runId"]})["runOrError"]
            return {**run, **launched["run"]} if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None

        done: dict[str, Any] = wait_for(ended)
        return done

    @property
    def location(self) -> str:
        query = "{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } } } } }"
        name: str = self.ask(query)["repositoriesOrError"]["nodes"][0]["location"]["name"]
        return name

    def made(self, table: Table) -> set[str]:
        """The partitions of an asset that are green."""
        ranges = self.ask(PARTITIONS, {"key": path_of(table)})["assetNodeOrError"]["assetPartitionStatuses"]["ranges"]
        assert {r["status"] for r in ranges} <= {"MATERIALIZED"}, ranges
        assert table.asset_scheme
        found: set[str] = set()
        for shown in ranges:
            found |= {*table.asset_scheme.between(shown["startKey"], shown["endKey"]).keys}
        return found


def wait_for(find: Any) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline
        time.sleep(1)
    return found


@contextmanager
def serving(home: Home) -> Iterator[Ui]:
    port = free_port()
    process = home.start("serve", "--port", str(port), "--portal-port", str(free_port()))
    try:
        assert process.stdout
        assert any(line.startswith("Ctrl-C") for line in process.stdout), "it did not start"
        yield Ui(port)
    finally:
        process.terminate()
        process.communicate(timeout=120)


def ended_backfill(ui: Ui, identifier: str) -> dict[str, Any]:
    """The backfill, once it has ended."""
    ends = ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "COMPLETED", "FAILED", "CANCELED")
    found: dict[str, Any] = wait_for(
        lambda: next((b for b in ui.backfills() if b["id"] == identifier and b["status"] in ends), None)
    )
    return found


def test_an_engineer_backfills_and_checks_in_the_ui(made: Home, tmp_path: Path) -> None:
    home = made.copy(tmp_path / "home", settings={"CHU_ROLLING_MONTHS": "2"})
    with serving(home) as ui:
        before = {table: ui.made(table) for table in (fact_consultation, BY_DIAGNOSIS, DEATHS)}
        for table, keys in before.items():
            assert table.asset_scheme and keys and max(keys) < max(table.asset_scheme.keys), "green without rows"
        backfill_a_year(ui)
        execute_a_check(home, ui)
        backfill_the_last_months(ui)
        assert ui.made(fact_consultation) == before[fact_consultation] | {*MONTHLY.keys[-2:]}
        assert ui.made(DEATHS) == before[DEATHS]


def backfill_a_year(ui: Ui) -> None:
    """All indicators whose years begin together are made again for 2019, in one run."""
    indicators = [t for t in catalogue() if t.period_scheme is YEARS]
    assert len(indicators) == 4
    params = {"assetSelection": [path_of(t) for t in indicators], "partitionNames": ["2019"], "title": "2019"}
    started = ui.ask(BACKFILL, {"params": params})["launchPartitionBackfill"]
    assert started["__typename"] == "LaunchBackfillSuccess", started
    done = ended_backfill(ui, started["backfillId"])
    assert (done["status"], done["title"]) == ("COMPLETED_SUCCESS", "2019")


def execute_a_check(home: Home, ui: Ui) -> None:
    name = BY_DIAGNOSIS.all_checks[0].group
    version = home.lake.version(BY_DIAGNOSIS)
    check = {"assetKey": path_of(BY_DIAGNOSIS), "name": name}
    run = ui.launch("__ASSET_JOB", assetSelection=[], assetCheckSelection=[check])
    assert run["status"] == "SUCCESS", run
    (execution,) = ui.ask(CHECK, {"key": path_of(BY_DIAGNOSIS), "name": name})["assetCheckExecutions"]
    assert (execution["runId"], execution["status"]) == (run["runId"], "SUCCEEDED")
    (table,) = (e["table"] for e in execution["evaluation"]["metadataEntries"] if e.get("table"))
    records = [json.loads(record) for record in table["records"]]
    assert {r["check"] for r in records} == {c.name for c in BY_DIAGNOSIS.all_checks if c.group == name}
    assert all(r["unit"] and r["allowed"] and r["passed"] for r in records)
    assert home.lake.version(BY_DIAGNOSIS) == version


def backfill_the_last_months(ui: Ui) -> None:
    run = ui.launch(ROLLING_BACKFILL.name)
    assert run["status"] == "SUCCESS", run
    (backfill,) = (b for b in ui.backfills() if {"key": TAG, "value": run["runId"]} in b["tags"])
    assert backfill["title"] == f"rolling_backfill of 2 months until {MONTHLY.keys[-1]}"
    assert any(backfill["id"] in e.get("message", "") for e in run["eventConnection"]["events"])
    assert ended_backfill(ui, backfill["id"])["status"] == "COMPLETED_SUCCESS"
