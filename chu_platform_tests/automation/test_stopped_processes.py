"""Processes that live and do not answer (SIGSTOP): parts of `chu serve`, and the PostgreSQL server of Dagster.

They keep their connections, and the kernel takes new ones for them: without a limit, all would wait for ever. A code
server that is killed ends its runs, which cannot report it.
"""

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.settings import PROJECT
from chu_platform_tests.automation.test_interrupts import LAUNCH, graphql
from chu_platform_tests.automation.test_serving import serving, wait_for
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.processes import main_process, processes_of, stopped
from chu_platform_tests.ports import free_port

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc"),
]

# `chu serve` that asks its parts more often; it goes on in its own process, because another one would ask as usual.
IMPATIENT = """
import sys
from chu_platform import cli, serve
serve.HUNG_SECONDS, serve.ANSWER_SECONDS, serve.SECONDS_BETWEEN_QUESTIONS = 10, 5, 1
def go_on(_module, *arguments):
    sys.argv[1:] = arguments
    serve._main()
cli.go_on_as = go_on
cli.main()
"""
GIVEN_UP = "chu: the PostgreSQL server of Dagster's storage does not answer: start it again, or let it continue"
HEARTBEATS = "{ instance { daemonHealth { allDaemonStatuses { required healthy lastHeartbeatTime } } } }"
PATIENCE_SECONDS = 5
LIMIT_SECONDS = 240


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def test_a_part_that_does_not_answer_is_started_again(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "pack")
    port, portal_port = free_port(), free_port()
    ports = ("--port", str(port), "--portal-port", str(portal_port))
    process = home.start("serve", *ports, program=IMPATIENT)
    assert process.stdout
    try:
        assert any(line.startswith("Ctrl-C") for line in process.stdout), "it did not start"
        parts = children_of(process)
        for name, arguments, answers in (
            ("portal", "chu_platform.portal", lambda: answer(portal_port, "/sante")),
            ("dagster-webserver", "chu_platform.webserver", lambda: answer(port, "/server_info")),
            ("code-server", "dagster api grpc", lambda: location_is_loaded(port)),
        ):
            (hung,) = (pid for pid, command in parts.items() if f" -m {arguments} " in command)
            with stopped(hung):
                assert next(process.stdout).startswith(f"{name} does not answer, and is ended")
                assert next(process.stdout).startswith(f"{name} ended, and is started again in 1 s")
            wait_for(answers, f"{name} does not answer again")
            others = {pid for pid in parts if pid != hung}
            parts = children_of(process)
            assert others <= parts.keys(), "other parts are concerned"
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_run_of_a_killed_code_server_is_tried_again(tmp_path: Path) -> None:
    """It is killed while its run starts, which cannot report its end then; `failed_runs_again` tries it later."""
    home = Home(tmp_path / "home", tmp_path / "pack")
    with serving(home) as served, home.instance() as instance:
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "chu_platform",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": ["references", "region"]}],
        }
        graphql(served.port, LAUNCH, {"params": {"selector": selector, "runConfigData": {}}})
        starting = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING])
        wait_for(lambda: instance.get_runs(starting), "the run is not launched")
        (run,) = instance.get_runs(starting)
        (code_server,) = (pid for pid, command in children_of(served.process).items() if "dagster api grpc" in command)
        os.kill(code_server, signal.SIGKILL)

        succeeded = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])
        wait_for(lambda: instance.get_runs(succeeded), "the run is not tried again", LIMIT_SECONDS)
        (ended,) = instance.get_runs(dg.RunsFilter(run_ids=[run.run_id]))
        assert ended.status is dg.DagsterRunStatus.FAILURE


def children_of(process: "subprocess.Popen[str]") -> dict[int, str]:
    """The parts of `chu serve`, by the number of their process, without their guards and what they start."""
    found = {pid: command_of(pid) for pid, _ in processes_of(process.pid, Path("/nowhere"))}
    names = ("chu_platform.portal", "chu_platform.webserver", "chu_platform.dagster_daemon", "dagster api grpc")
    return {pid: c for pid, c in found.items() if any(f" -m {n} " in c for n in names) and "guard.py " not in c}


def answer(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as found:
            return bool(found.status == 200)
    except OSError:
        return False


def location_is_loaded(port: int) -> bool:
    entries = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"
    found = graphql(port, entries, {})["data"]["workspaceOrError"]["locationEntries"]
    return [e["locationOrLoadError"]["__typename"] for e in found] == ["RepositoryLocation"]


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[tuple[Home, EmbeddedPostgres]]:
    """A home whose Dagster has its storage on a PostgreSQL server of its own, as in the deployment."""
    home = Home(tmp_path / "home", tmp_path / "pack", {"CHU_ENGINE_PATIENCE": str(PATIENCE_SECONDS)})
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        server.create_database("dagster")
        configuration = yaml.safe_load((PROJECT / "docker" / "dagster.yaml").read_text())
        url = server.url("dagster").replace("postgresql:", "postgresql+psycopg2:")
        configuration["storage"]["custom"]["config"] = {"postgres_url": url}
        (home.folder / "dagster").mkdir(parents=True)
        (home.folder / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(configuration))
        home.materialize("--select", "key:references/region")
        yield home, server


def test_a_command_gives_up_a_storage_that_does_not_answer(on_postgres: tuple[Home, EmbeddedPostgres]) -> None:
    home, server = on_postgres
    for is_running in (False, True):
        process = home.start("materialize", "--force", "--select", "group:references")
        assert process.stdout
        if is_running:
            assert any("run 1 of" in line for line in process.stdout)
        with stopped(main_process(server)):
            begun = time.monotonic()
            printed, _ = process.communicate(timeout=LIMIT_SECONDS)
            assert time.monotonic() - begun < LIMIT_SECONDS
        assert process.returncode == 1, printed
        assert GIVEN_UP in printed, printed
        assert "unexpected" not in printed and "Traceback" not in printed
    home.materialize("--select", "key:references/cim10_chapter")


def test_servers_recover_from_a_storage_that_did_not_answer(on_postgres: tuple[Home, EmbeddedPostgres]) -> None:
    home, server = on_postgres
    with serving(home) as served:
        wait_for(lambda: last_heartbeat(served.port) > 0, "the daemon does not start")
        with stopped(main_process(server)):
            assert graphql_fails(served.port)
            time.sleep(2 * PATIENCE_SECONDS)
        continued = time.time()
        wait_for(lambda: last_heartbeat(served.port) > continued, "the daemon does not go on")


def last_heartbeat(port: int) -> float:
    """The oldest of the last signs of life of the daemon's threads, in seconds of the clock; 0 if one has none."""
    found = graphql(port, HEARTBEATS, {})
    if "errors" in found:
        return 0.0
    statuses = found["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    return min(float(s["lastHeartbeatTime"] or 0) for s in statuses if s["required"])


def graphql_fails(port: int) -> bool:
    """Whether the UI answers with an error, in time."""
    try:
        return "errors" in graphql(port, HEARTBEATS, {})
    except OSError:
        return True
