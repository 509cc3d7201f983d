"""A run that is interrupted ends within ten seconds as canceled: its query is stopped, nothing is tried again."""

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from chu_platform.automation.dead_runs import dead_runs
from chu_platform.graph.dagster_instance import MAIN_JOB_TAG, exclusive
from chu_platform.settings import load_settings
from chu_platform_tests.automation.long_waits import BEGUN, KINDS, TABLE, WAITS_FOR
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.processes import processes_of, wait_until_gone
from chu_platform_tests.ports import free_port

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")

LIMIT_SECONDS = 10
START_SECONDS = 900
POOL = "__".join(TABLE)
SELECT = ("--select", "key:" + "/".join(TABLE))
CHU = "import chu_platform_tests.automation.long_step; from chu_platform.cli import main; main()"
# `chu serve`, whose code location has the long step.
SERVE = """
import sys, pathlib
from chu_platform import serve
serve.WORKSPACE = pathlib.Path(sys.argv.pop())
from chu_platform.cli import main
main()
"""
WORKSPACE = """
load_from:
  - python_module:
      module_name: chu_platform_tests.automation.long_step
      location_name: long
"""
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } } }"""
TERMINATE = "mutation($run: String!) { terminateRun(runId: $run) { __typename } }"
STATUS = "query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"


def home_in(folder: Path, kind: str) -> Home:
    home = Home(folder / "home", folder / "pack")
    home.folder.mkdir()
    (home.folder / WAITS_FOR).write_text(kind)
    return home


def wait_for_file(file: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while not file.exists():
        assert process.poll() is None, "it ended before it was interrupted"
        assert time.monotonic() < deadline, "the step does not begin"
        time.sleep(0.05)
    time.sleep(0.5)  # the query runs


def assert_canceled(home: Home, run_id: str | None = None) -> None:
    """Check that a run, or the only one, ended as canceled, without a retry, and that its pool is free."""
    with home.instance() as instance:
        (run,) = instance.get_runs(dg.RunsFilter(run_ids=[run_id] if run_id else None))
        assert run.status is dg.DagsterRunStatus.CANCELED
        types = {entry.dagster_event_type for entry in instance.all_logs(run.run_id)}
        assert dg.DagsterEventType.STEP_START in types
        assert not {dg.DagsterEventType.STEP_UP_FOR_RETRY, dg.DagsterEventType.STEP_SUCCESS} & types
        assert instance.event_log_storage.get_concurrency_info(POOL).active_slot_count == 0


def interrupt_command(folder: Path, kind: str, sign: signal.Signals) -> None:
    """Interrupt the main job in the middle of its step."""
    home = home_in(folder, kind)
    process = home.start("materialize", *SELECT, program=CHU)
    wait_for_file(home.folder / BEGUN, process)
    started = processes_of(process.pid, home.folder)
    process.send_signal(sign)
    begun = time.monotonic()
    printed, _ = process.communicate(timeout=60)
    assert time.monotonic() - begun < LIMIT_SECONDS
    assert process.returncode == 130
    assert printed.splitlines()[-1] == "chu: interrupted"
    assert "unexpected" not in printed
    assert not wait_until_gone(started, home.folder, LIMIT_SECONDS)
    assert_canceled(home)
    assert not list((home.folder / "lake").rglob("*.parquet"))


@pytest.mark.integration
def test_an_interrupted_command_ends(tmp_path: Path) -> None:
    """While a query of the engine runs; whatever it waits for: the system tier."""
    interrupt_command(tmp_path, "engine", signal.SIGTERM)


def kill_command(home: Home) -> None:
    """Kill the main job in the middle of its step, which then holds its pool for ever."""
    process = home.start("materialize", *SELECT, program=CHU)
    wait_for_file(home.folder / BEGUN, process)
    process.kill()
    process.communicate(timeout=60)


def state(home: Home) -> tuple[dg.DagsterRunStatus, int]:
    """The status of the oldest run, and the number of steps that hold the pool of the table."""
    with home.instance() as instance:
        run = instance.get_runs(ascending=True, limit=1)[0]
        return run.status, instance.event_log_storage.get_concurrency_info(POOL).active_slot_count


@pytest.mark.integration
def test_what_a_killed_command_holds_is_freed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_in(tmp_path, "one_interrupt_lost")
    monkeypatch.setenv("CHU_HOME", str(home.folder))
    kill_command(home)
    assert state(home) == (dg.DagsterRunStatus.STARTED, 1)
    settings = load_settings()
    with home.instance() as instance:
        other = instance.add_run(
            dg.DagsterRun("job", status=dg.DagsterRunStatus.STARTED, tags={MAIN_JOB_TAG: "another CHU_HOME"})
        )
        with exclusive(settings), dg.build_sensor_context(instance) as context:
            assert dead_runs(context) == dg.SkipReason("chu materialize is running")
        assert state(home) == (dg.DagsterRunStatus.STARTED, 1)
        with dg.build_sensor_context(instance) as context:
            assert dead_runs(context) == dg.SkipReason("marked 1 unfinished run(s) of a killed process as failed")
        assert state(home) == (dg.DagsterRunStatus.FAILURE, 0)
        assert [run.status for run in instance.get_runs(dg.RunsFilter(run_ids=[other.run_id]))] == [other.status]


@pytest.mark.system
def test_the_daemon_frees_what_a_killed_command_holds(tmp_path: Path) -> None:
    home = home_in(tmp_path, "one_interrupt_lost")
    with serving(home, tmp_path / "workspace.yaml"):
        kill_command(home)
        killed = time.monotonic()
        assert state(home) == (dg.DagsterRunStatus.STARTED, 1)
        while state(home) != (dg.DagsterRunStatus.FAILURE, 0):
            assert time.monotonic() - killed < 60
            time.sleep(1)


@pytest.mark.system
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_command_ends_whatever_it_waits_for(kind: str, sign: signal.Signals, tmp_path: Path) -> None:
    interrupt_command(tmp_path, kind, sign)


@pytest.mark.system
def test_a_command_that_waits_for_a_pool_ends(tmp_path: Path) -> None:
    home = home_in(tmp_path, "engine")
    home.chu("materialize", "--select", "key:references/cim10_chapter")
    with home.instance() as instance:
        instance.event_log_storage.initialize_concurrency_limit_to_default(POOL)
        instance.event_log_storage.claim_concurrency_slot(POOL, "another-run", POOL)
    process = home.start("materialize", *SELECT, program=CHU)
    assert process.stdout
    assert any("run 1 of 1" in line for line in process.stdout)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - begun < LIMIT_SECONDS
    with home.instance() as instance:
        assert [run.status for run in instance.get_runs(limit=1)] == [dg.DagsterRunStatus.CANCELED]
        assert instance.event_log_storage.get_concurrency_info(POOL).pending_step_count == 0


@contextmanager
def serving(home: Home, workspace: Path) -> Iterator[int]:
    """Run `chu serve` with the definitions of a workspace; gives the port of the webserver."""
    workspace.write_text(WORKSPACE)
    port = free_port()
    ports = ("--port", str(port), "--portal-port", str(free_port()))
    process = home.start("serve", *ports, str(workspace), program=SERVE)
    try:
        assert process.stdout
        assert any(line.startswith("Ctrl-C") for line in process.stdout), "it did not start"
        yield port
        started = processes_of(process.pid, home.folder)
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert not wait_until_gone(started, home.folder, 20)


def graphql(port: int, query: str, variables: Mapping[str, object]) -> dict[str, Any]:
    content = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


@pytest.mark.system
def test_terminate_in_the_user_interface_ends_a_run(tmp_path: Path) -> None:
    home = home_in(tmp_path, "engine")
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "long",
        "jobName": "__ASSET_JOB",
        "assetSelection": [{"path": TABLE}],
    }
    with serving(home, tmp_path / "workspace.yaml") as port:
        for kind in KINDS:
            (home.folder / WAITS_FOR).write_text(kind)
            launched = graphql(port, LAUNCH, {"params": {"selector": selector, "runConfigData": {}}})
            run = launched["data"]["launchRun"]["run"]["runId"]
            deadline = time.monotonic() + START_SECONDS
            while not (home.folder / BEGUN).exists():
                assert time.monotonic() < deadline, graphql(port, STATUS, {"run": run})
                time.sleep(0.1)
            time.sleep(0.5)
            engines = {p for p in processes_of(-1, home.folder) if is_engine(p[0])}
            assert bool(engines) == (kind == "engine")
            begun = time.monotonic()
            done = graphql(port, TERMINATE, {"run": run})
            assert done["data"]["terminateRun"]["__typename"] == "TerminateRunSuccess"
            while graphql(port, STATUS, {"run": run})["data"]["runOrError"]["status"] != "CANCELED":
                assert time.monotonic() - begun < LIMIT_SECONDS, kind
                time.sleep(0.1)
            assert not engines & processes_of(-1, home.folder)
            (home.folder / BEGUN).unlink()
            time.sleep(5)
            assert not (home.folder / BEGUN).exists(), "the step is tried again"
            assert_canceled(home, run)


def is_engine(pid: int) -> bool:
    try:
        return b"spark_connect_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
