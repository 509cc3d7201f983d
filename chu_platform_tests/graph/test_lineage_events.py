"""OpenLineage events of real steps, received by an HTTP server and validated against the published schema."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import jsonschema
import pytest

from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.errors import ChuError
from chu_platform.graph.assets import RUN_RESOURCES, asset_of
from chu_platform.graph.lineage_events import LineageEvents
from chu_platform.graph.run_resources import RunResources
from chu_platform.lineage.openlineage import declared_event
from chu_platform.lineage.transport import send, transport_of
from chu_platform.references.region import region
from chu_platform.settings import Settings
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante as activities
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table
from chu_platform_tests.lineage.openlineage_schema import JOB_EVENT, RUN_EVENT

pytestmark = pytest.mark.integration

Event = dict[str, Any]
# The second row has no identifier: it is rejected.
ACTIVITIES = "identifiant;identifiant_organisation;mode_exercice\n1;F1;Salarie\n;F2;Liberal\n3;F3;Liberal\n"


@dataclass
class Catalogue:
    """A server that receives events, or answers `status` if it is not 201."""

    url: str = ""
    status: int = 201
    events: list[Event] = field(default_factory=list)
    asked: int = 0

    def of(self, table: Table) -> list[Event]:
        return [e for e in self.events if e["job"]["name"] == f"{table.layer}/{table.name}"]


@pytest.fixture
def receiver() -> Iterator[Catalogue]:
    found = Catalogue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.asked += 1
            assert self.path == "/api/v1/lineage"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found.status == 201:
                found.events.append(json.loads(body))
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield found
        server.shutdown()
        thread.join()


@dataclass
class Platform:
    """A home with one delivered file, whose events go to `place`."""

    home: Path
    place: str

    @property
    def settings(self) -> Settings:
        return Settings(_env_file=None, home=self.home, sources=self.home / "pack", openlineage=self.place)

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_folder)

    def run(self, *tables: Table) -> tuple[dg.ExecuteInProcessResult, list[str]]:
        """The result of a Dagster run of these steps, and its warnings."""
        with dg.DagsterInstance.ephemeral() as instance, RunResources(self.settings, lambda _: None) as resources:
            done = dg.materialize(
                [asset_of(t) for t in tables],
                resources={RUN_RESOURCES: resources},
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            return done, [w for w in resources.warnings if "OpenLineage" in w]


@pytest.fixture
def platform(tmp_path: Path, receiver: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("CHU_HOME", str(tmp_path))
    made = Platform(tmp_path, receiver.url)
    made.settings.sources_folder.mkdir()
    (made.settings.sources_folder / "activite_professionnel_sante.csv").write_text(ACTIVITIES, encoding="utf-8")
    made.lake.prepare()
    return made


def test_events_of_a_run_have_its_rows_and_versions(platform: Platform, receiver: Catalogue) -> None:
    done, warnings = platform.run(activities, region)
    assert done.success and not warnings
    for event in receiver.events:
        jsonschema.validate(event, RUN_EVENT, format_checker=jsonschema.FormatChecker())
        assert event["run"]["facets"]["parent"]["run"]["runId"] == done.run_id
    start, end = receiver.of(activities)
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"] != receiver.of(region)[0]["run"]["runId"]
    table, rejects = end["outputs"]
    assert [o["name"] for o in end["outputs"]] == [str(platform.lake.path(t)) for t in activities.outputs]
    # Two rows are kept, one is rejected.
    assert [o["outputFacets"]["outputStatistics"]["rowCount"] for o in (table, rejects)] == [2, 1]
    assert table["facets"]["version"]["datasetVersion"] == str(platform.lake.version(activities))
    assert [f["name"] for f in table["facets"]["schema"]["fields"]] == [c.name for c in activities.columns]

    receiver.events.clear()
    platform.run(activities)
    start, end = receiver.of(activities)
    # Nothing was written: the version is that of before.
    assert "outputStatistics" not in end["outputs"][0].get("outputFacets", {})
    assert end["outputs"][0]["facets"]["version"] == table["facets"]["version"]
    assert start["run"]["runId"] != receiver.events[0]["run"]["facets"]["parent"]["run"]["runId"]


def test_inputs_have_the_versions_that_are_read(platform: Platform, receiver: Catalogue) -> None:
    platform.run(activities)
    version = platform.lake.version(activities)
    receiver.events.clear()
    done, _ = platform.run(bridge_professional_establishment)
    # Its other inputs were never made.
    assert not done.success
    start, end = receiver.of(bridge_professional_establishment)
    jsonschema.validate(end, RUN_EVENT)
    versions = {i["name"]: i.get("facets", {}).get("version", {}).get("datasetVersion") for i in start["inputs"]}
    assert {name: v for name, v in versions.items() if v} == {str(platform.lake.path(activities)): str(version)}
    assert versions.keys() == {str(platform.lake.path(t)) for t in bridge_professional_establishment.needs}
    assert end["eventType"] == "FAIL"
    assert end["run"]["facets"]["errorMessage"]["message"]


def test_a_failure_has_its_message_without_values(platform: Platform, receiver: Catalogue) -> None:
    (platform.settings.sources_folder / "activite_professionnel_sante.csv").write_text("other\nSECRET\n", "utf-8")
    done, _ = platform.run(activities)
    assert not done.success
    _, end = receiver.of(activities)
    jsonschema.validate(end, RUN_EVENT)
    assert end["eventType"] == "FAIL"
    assert "activite_professionnel_sante.csv" in end["run"]["facets"]["errorMessage"]["message"]
    assert "SECRET" not in json.dumps(receiver.events)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, dg.DagsterExecutionInterruptedError])
def test_an_interrupted_step_is_aborted(platform: Platform, receiver: Catalogue, raised: type[BaseException]) -> None:
    events = LineageEvents(platform.settings, platform.lake, pytest.fail)
    with pytest.raises(raised), events.step(region, "a9b2c1d0-0000-4000-8000-000000000000", "job", 0):
        raise raised
    assert [e["eventType"] for e in receiver.events] == ["START", "ABORT"]


@pytest.mark.parametrize("status", [401, 503])
def test_a_server_that_refuses_does_not_fail_a_run(platform: Platform, receiver: Catalogue, status: int) -> None:
    receiver.status = status
    done, warnings = platform.run(activities, region)
    assert done.success
    (warning,) = warnings
    assert f"the server answered {status}; check CHU_OPENLINEAGE" in warning
    # The run of two steps does not ask again after the first refusal.
    assert receiver.asked == 1


def test_a_server_that_is_down_does_not_fail_a_run(platform: Platform, receiver: Catalogue) -> None:
    platform.place = "http://user:SECRET@127.0.0.1:9"
    done, warnings = platform.run(region)
    assert done.success
    (warning,) = warnings
    assert "the server does not answer" in warning and "SECRET" not in warning


def test_declared_events_are_valid(receiver: Catalogue) -> None:
    transport = transport_of(receiver.url)
    for lake in ("/lake", "s3://bucket/prefix"):
        for table in (*activities.outputs, bridge_professional_establishment):
            send(transport, declared_event(table, lake))
    transport.close()
    for event in receiver.events:
        jsonschema.validate(event, JOB_EVENT, format_checker=jsonschema.FormatChecker())
    outputs = [(o["namespace"], o["name"]) for e in receiver.events for o in e["outputs"]]
    folders = [t.folder for t in (*activities.outputs, bridge_professional_establishment)]
    assert outputs == [
        *(("file", f"/lake/{folder}") for folder in folders),
        *(("s3://bucket", f"prefix/{folder}") for folder in folders),
    ]


def test_the_client_s_own_file_names_a_transport(tmp_path: Path) -> None:
    settings, events = tmp_path / "openlineage.yml", tmp_path / "events.jsonl"
    settings.write_text(f"transport:\n  type: file\n  log_file_path: {events}\n  append: true\n", "utf-8")
    for _ in range(2):
        send(transport_of(str(settings)), declared_event(region, "/lake"))
    first, second = events.read_text("utf-8").splitlines()
    assert json.loads(first)["job"] == json.loads(second)["job"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("transport: [", "is not a YAML file"),
        ("other: 1", "needs a section `transport` with a `type`"),
        ("transport: {type: http, secret: SECRET}", r"cannot be used \(RuntimeError\)"),
        ("transport: {type: SECRET}", "cannot be used"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "openlineage.yml"
    if content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(ChuError, match=message) as raised:
        transport_of(str(file))
    assert "SECRET" not in str(raised.value)
