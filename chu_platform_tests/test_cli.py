"""The commands as a user runs them: exit status, one line for a mistake, nothing left running."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from chu_platform.cli import main
from chu_platform.graph.dagster_instance import MAIN_JOB_TAG, close_dead_runs, exclusive, open_instance
from chu_platform.settings import Settings
from chu_platform_tests.pipeline import forked
from chu_platform_tests.ports import free_port

PATIENCE = 900


def chu(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return forked.run(arguments, environment(home, settings))


def environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CHU_")}
    return {**kept, "CHU_HOME": str(home), **settings}


@contextmanager
def serving(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`chu serve`, once its UI is up."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chu_platform.cli", "serve", "--port", str(port), "--portal-port", str(free_port())],
        env=environment(home, {}),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        for line in process.stdout:
            if line.startswith("Ctrl-C"):
                break
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def pids_of(home: Path) -> dict[int, str]:
    """The processes that have this CHU_HOME in their environment: number and command."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"CHU_HOME={home}\0".encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


def processes_of(home: Path) -> list[str]:
    """Commands of the processes that have this CHU_HOME in their environment."""
    return list(pids_of(home).values())


def gone(home: Path) -> bool:
    deadline = time.monotonic() + PATIENCE
    while processes_of(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not processes_of(home)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("materialize", "--foo"), 2),
        (("nothing",), 2),
        (("serve", "--port", "many"), 2),
        (("serve", "--port", "70000"), 2),
        (("serve", "--port", "65535"), 1),
        (("serve", "--portal-port", "0"), 2),
        (("serve", "--port", "4000", "--portal-port", "4000"), 1),
        (("demo-pack",), 2),
        (("demo-pack", "pack", "--scale", "0"), 1),
        (("demo-pack", "pack", "--scale", "11"), 1),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[str, ...],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["chu", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == status
    assert capsys.readouterr().err.startswith("chu: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.integration
@pytest.mark.parametrize(
    ("settings", "named"),
    [({"CHU_ENGINE": "fast"}, "CHU_ENGINE"), ({"CHU_HOME": "/dev/null/home"}, "/dev/null/home")],
)
def test_a_wrong_setting_is_named(settings: dict[str, str], named: str, tmp_path: Path) -> None:
    done = chu(tmp_path, "materialize", **settings)
    assert done.returncode == 1
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.integration
def test_settings_hide_secrets(tmp_path: Path) -> None:
    done = chu(
        tmp_path,
        "settings",
        CHU_POSTGRES_URL="postgresql://reader:hush@host/care",
        CHU_SPARK_REMOTE="sc://host:443/;token=hush",
    )
    assert done.returncode == 0
    assert "hush" not in done.stdout
    assert "sc://host:443/" in done.stdout
    assert {f"CHU_{name.upper()}" for name in Settings.model_fields} <= set(done.stdout.split())


@pytest.mark.unit
def test_a_failure_nobody_foresaw_tells_no_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "MARTIN Jeanne"

    def fail() -> None:
        raise ValueError(name)

    for module in ("cli", "command"):
        monkeypatch.setattr(f"chu_platform.{module}.load_settings", lambda: Settings(home=tmp_path))
    monkeypatch.setattr("chu_platform.cli.require_free_port", lambda *_: fail())
    monkeypatch.setattr(sys, "argv", ["chu", "run"])
    with pytest.raises(SystemExit) as stop:
        main()
    log = tmp_path / "work" / "logs" / "errors.log"
    assert stop.value.code == 1
    assert capsys.readouterr().err == f"chu: unexpected ValueError; see {log}\n"
    assert "test_cli.py" in log.read_text()
    assert name not in log.read_text()


@pytest.mark.unit
def test_a_pack_below_a_name_that_is_not_utf_8_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/p\xe9x"))
    monkeypatch.setattr(sys, "argv", ["chu", "demo-pack", str(folder)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert capsys.readouterr().err == "chu: the name of the folder is not valid UTF-8: choose another one\n"
    assert not folder.exists()


@pytest.mark.integration
def test_one_main_job_at_a_time(tmp_path: Path) -> None:
    with exclusive(Settings(home=tmp_path)):
        done = chu(tmp_path, "materialize")
    assert done.returncode == 1
    assert f"process {os.getpid()} is materialising" in done.stderr
    assert done.stderr.count("\n") == 1
    with exclusive(Settings(home=tmp_path)):
        pass


@pytest.mark.integration
def test_what_a_killed_job_left_is_marked_as_failed(tmp_path: Path) -> None:
    with open_instance(Settings(home=tmp_path)) as instance:
        started = dg.DagsterRunStatus.STARTED
        ours = instance.add_run(dg.DagsterRun("job", status=started, tags={MAIN_JOB_TAG: "true"}))
        other = instance.add_run(dg.DagsterRun("job", status=started))
        assert close_dead_runs(instance) == 1
        assert close_dead_runs(instance) == 0
        statuses = [run.status if (run := instance.get_run_by_id(r.run_id)) else None for r in (ours, other)]
    assert statuses == [dg.DagsterRunStatus.FAILURE, started]


@pytest.mark.integration
def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("serve", "run"):
            done = chu(tmp_path, command, "--port", str(port))
            assert done.returncode == 1
            assert done.stderr.startswith(f"chu: port {port} of 127.0.0.1 is taken")
    assert not (tmp_path / "work").exists()
    assert not (tmp_path / "sources").exists()


finds_processes = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")


@pytest.mark.system
@finds_processes
def test_serve_starts_dead_parts_again_and_leaves_nothing_running(tmp_path: Path) -> None:
    kill_parts(tmp_path, signal.SIGKILL)


@pytest.mark.system
@finds_processes
def test_an_interrupted_serve_leaves_nothing_running(tmp_path: Path) -> None:
    kill_parts(tmp_path, signal.SIGINT)


def kill_parts(home: Path, sign: signal.Signals) -> None:
    """Kill parts of `chu serve`, which are started again; then end it, and assert that nothing is left running."""
    port = free_port()
    with serving(home, port) as process:
        assert process.stdout
        webservers = started(home, "-m chu_platform.webserver")
        for name, words in (
            ("dagster-daemon", "-m chu_platform.dagster_daemon"),
            # A guard process; what it guards holds the port of the portal.
            ("portal", "guard.py chu_platform.portal"),
        ):
            before = started(home, words)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            told = process.stdout.readline()
            assert told.startswith(f"{name} ended, and is started again in 1 s; its log is {home}")
            assert not before & started(home, words)
        wait_for_answer(port, "/server_info", PATIENCE)
        wait_for_answer(port_of_portal(process), "/sante", PATIENCE)
        assert webservers <= pids_of(home).keys(), "the UI was concerned"
        process.send_signal(sign)
        status = process.wait(PATIENCE)
    assert status == (0 if sign is signal.SIGINT else -signal.SIGKILL)
    assert gone(home), processes_of(home)


def started(home: Path, words: str) -> set[int]:
    """Wait until processes of this home have these words in their command; returns their numbers."""
    deadline = time.monotonic() + PATIENCE
    while not (found := {pid for pid, command in pids_of(home).items() if f"{words} " in command}):
        assert time.monotonic() < deadline, f"{words} is not started"
        time.sleep(0.1)
    return found


def port_of_portal(process: subprocess.Popen[str]) -> int:
    """The port of the portal of `serving`."""
    assert isinstance(process.args, list)
    return int(process.args[-1])


def wait_for_answer(port: int, path: str, seconds: float) -> None:
    """Wait until a server of this machine answers with 200."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=seconds) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline, f"{path} does not answer"
            time.sleep(0.1)
