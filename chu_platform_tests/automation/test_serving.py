"""Files arrive while `chu serve` runs, is killed and is started again: each file is handled once."""

import itertools
import os
import shutil
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from chu_platform.automation import follow_upstream
from chu_platform.automation.arriving_files import INTERVAL_SECONDS, arriving_files
from chu_platform.graph.dagster_instance import FINISHED
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.reports.delivery import delivery
from chu_platform.sources.deces import deces
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.automation.test_interrupts import LAUNCH, graphql
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import digest, digests, every_table, rows
from chu_platform_tests.pipeline.processes import processes_of, wait_until_gone
from chu_platform_tests.ports import free_port

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc"),
]

WAIT_TIMEOUT_SECONDS = 600
# Dagster's names of the tags of a run that was requested by a sensor.
SENSOR_NAME_TAG, RUN_KEY_TAG = "dagster/sensor_name", "dagster/run_key"
# Two intervals of the slowest of the sensors that start runs of changed tables.
QUIET_SECONDS = 2 * max(INTERVAL_SECONDS, follow_upstream.INTERVAL_SECONDS)
END_TIMEOUT_SECONDS = 20
REST_SECONDS = 120
MAX_SHARE_AT_REST, MAX_BYTES_AT_REST = 0.03, 10**9
STAYS, DEATHS = "Hospitalisation/Hospitalisations.csv", "DECES EN FRANCE/deces.csv"
SURVEY = "Satisfaction/2019/resultats-esatis48h-mco-open-data-2019.csv"


class Transfer(threading.Thread):
    """A file that replaces another one and grows until `end` is called."""

    def __init__(self, file: Path, content: bytes) -> None:
        super().__init__()
        self._file, self._content, self._last = file, content, threading.Event()
        self._file.write_bytes(content[: len(content) // 2])
        self.start()

    def run(self) -> None:
        remaining = self._content[len(self._content) // 2 :]
        with self._file.open("ab", buffering=0) as file:
            while not self._last.wait(1):
                file.write(remaining[:10])
                remaining = remaining[10:]
            file.write(remaining)

    def end(self) -> None:
        """Write the rest."""
        self._last.set()
        self.join()


@dataclass(frozen=True)
class Served:
    """A command that serves, the ports of webserver and portal, and what it has printed until it was ready."""

    process: "subprocess.Popen[str]"
    port: int
    portal_port: int
    printed: Sequence[str]


@contextmanager
def serving(home: Home, command: str = "serve") -> Iterator["Served"]:
    """Run `chu serve` or `chu run`, and wait until it is ready. At the end it is killed, and all its processes end."""
    port, portal_port = free_port(), free_port()
    process = home.start(command, "--port", str(port), "--portal-port", str(portal_port))
    assert process.stdout
    started: set[tuple[int, str]] = set()
    try:
        printed = list(itertools.takewhile(lambda line: not line.startswith("Ctrl-C"), process.stdout))
        assert process.poll() is None, printed
        yield Served(process, port, portal_port, printed)
        started = processes_of(process.pid, home.folder)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert not wait_until_gone(started, home.folder, END_TIMEOUT_SECONDS)


def wait_for(condition: Callable[[], object], message: str, seconds: float = WAIT_TIMEOUT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.5)


def of_deliveries(instance: dg.DagsterInstance) -> Mapping[str, Sequence[dg.DagsterRun]]:
    """The runs started by the sensor of files, by the table that they make, without reports."""
    found: dict[str, list[dg.DagsterRun]] = {}
    for run in instance.get_runs(dg.RunsFilter(tags={SENSOR_NAME_TAG: arriving_files.name})):
        found.setdefault(run.tags[RUN_KEY_TAG].split(":")[0], []).append(run)
    found.pop(delivery.name, None)
    return found


# This test waits minutes for the intervals of the daemon.
def test_files_that_arrive_are_handled_once_through_a_restart(made: Home, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(made.pack, pack)
    home = made.copy(tmp_path / "home", pack)
    more = (pack / DEATHS).read_bytes() + b"TARD,JEAN,1,1930-01-01,75056,PARIS,,2018-06-01,75056,1\n"
    lines = (pack / SURVEY).read_bytes().splitlines(keepends=True)
    # A file that loses more rows is held back.
    fewer = b"".join(lines[: len(lines) * 19 // 20])
    reports = {t.folder for t in every_table() if t.layer is Layer.REPORTS}
    before = digests(made.lake)
    expected = digests(made_by_one_run(made, {DEATHS: more, SURVEY: fewer}, tmp_path / "plain", deces, esatis48h_mco))
    changed = {folder for folder, content in expected.items() if content != before[folder] and folder not in reports}
    assert {kpi_deaths_by_region.exact.folder, kpi_satisfaction_by_region.exact.folder} < changed, (
        "otherwise the test is empty"
    )
    changing = {pack / STAYS, pack / DEATHS, pack / SURVEY}
    unchanged = [f for f in sorted(pack.rglob("*")) if f.is_file() and f not in changing]

    with home.instance() as instance:
        with serving(home):
            transfers = [Transfer(pack / DEATHS, more), Transfer(pack / SURVEY, fewer)]
            (pack / STAYS).write_bytes(b"no;such;columns\n1;2;3\n")  # corrupt
            (pack / "notes.xyz").write_text("?")  # unknown
            (pack / "again").mkdir()
            shutil.copy(pack / "Etablissement de SANTE" / "etablissement_sante.csv", pack / "again")  # a duplicate
            for file in unchanged[:15]:  # delivered again, as they were
                os.utime(file)
                time.sleep(0.5)
            wait_for(lambda: hospitalisations.name in of_deliveries(instance), "the corrupt file is not read")
            transfers[0].end()
            wait_for(lambda: deces.name in of_deliveries(instance), "the completed file is not read")
        with serving(home):
            transfers[1].end()
            wait_for(lambda: esatis48h_mco.name in of_deliveries(instance), "the other completed file is not read")
            wait_for(lambda: all(digest(home.lake.root / f) == expected[f] for f in changed), "figures do not follow")
            wait_for(lambda: not unfinished_runs(instance), "runs are still under way")
            asked = of_deliveries(instance)
            time.sleep(QUIET_SECONDS)
            assert of_deliveries(instance) == asked, "a file is read repeatedly"

        assert asked.keys() == {t.name for t in (hospitalisations, deces, esatis48h_mco)}
        for table in (deces, esatis48h_mco):
            # The restart may have ended a run, which is then started again with its key.
            statuses = Counter(run.status for run in asked[table.name])
            assert statuses[dg.DagsterRunStatus.SUCCESS] == 1, table.name
            assert len({run.tags[RUN_KEY_TAG] for run in asked[table.name]}) == 1, table.name
        failures = [
            entry
            for run in asked[hospitalisations.name]
            for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        ]
        assert ["'Num_Hospitalisation'" in str(entry.dagster_event) for entry in failures] == [True]

    known = {row["path"]: row["known_as"] for row in rows(home.lake, delivery).to_pylist()}
    assert (known["notes.xyz"], known["again/etablissement_sante.csv"]) == (None, "etablissement_sante")
    found = digests(home.lake)
    assert [folder for folder in found if found[folder] != expected[folder] and folder not in reports] == []


def test_a_changed_digit_is_one_run_and_an_unchanged_table_none(made: Home, tmp_path: Path) -> None:
    """With the real daemon. The figures are those that `chu materialize` makes of the same files."""
    pack = tmp_path / "pack"
    shutil.copytree(made.pack, pack)
    home = made.copy(tmp_path / "home", pack)
    changed = with_other_digit((pack / STAYS).read_bytes())
    expected = digests(made_by_one_run(made, {STAYS: changed}, tmp_path / "plain", hospitalisations))
    before = digests(made.lake)
    reports = {t.folder for t in every_table() if t.layer is Layer.REPORTS}
    follow = {folder for folder, content in expected.items() if content != before[folder] and folder not in reports}
    assert kpi_hospitalisation_rate.exact.folder in follow, "otherwise the test is empty"

    def settle() -> None:
        """Wait for the looks of the sensors that come after the end of all runs."""
        time.sleep(QUIET_SECONDS)
        wait_for(lambda: not unfinished_runs(instance), "runs are still under way")
        time.sleep(QUIET_SECONDS)

    with home.instance() as instance, serving(home) as served:
        settle()
        known = {run.run_id for run in instance.get_runs()}
        (pack / STAYS).write_bytes(changed)
        wait_for(lambda: all(digest(home.lake.root / f) == expected[f] for f in follow), "figures do not follow")
        settle()
        runs = [run for run in instance.get_runs() if run.run_id not in known]
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
        assert len(runs) <= 2, [run.job_name for run in runs]

        known |= {run.run_id for run in runs}
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "chu_platform",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": ["references", "region"]}],
        }
        graphql(served.port, LAUNCH, {"params": {"selector": selector, "runConfigData": {}}})
        wait_for(lambda: {run.run_id for run in instance.get_runs()} > known, "the run is not launched")
        settle()
        assert len({run.run_id for run in instance.get_runs()} - known) == 1, "an unchanged table starts a run"
    found = digests(home.lake)
    assert [folder for folder in found if found[folder] != expected[folder] and folder not in reports] == []


def test_a_second_start_serves_at_once_and_makes_only_what_is_new(made: Home, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(made.pack, pack)
    home = made.copy(tmp_path / "home", pack)
    (pack / STAYS).write_bytes(with_other_digit((pack / STAYS).read_bytes()))
    with serving(home, "run") as served:
        assert not any("run 1 of" in line for line in served.printed), "the tables are made first"
        with urllib.request.urlopen(f"http://127.0.0.1:{served.portal_port}/", timeout=60) as answer:
            assert answer.status == 200
        assert served.process.stdout
        refresh = list(itertools.takewhile(lambda line: "done; the lake is" not in line, served.process.stdout))
    assert any("up to date: " in line for line in refresh)
    made_again = {line.split("] ")[1].split(":")[0] for line in refresh if line.startswith("[") and " rows" in line}
    assert f"sources/{hospitalisations.name}" in made_again
    assert not any(name in made_again for name in (f"sources/{deces.name}", "sources/Consultation")), made_again


def test_servers_at_rest_are_light(made: Home, tmp_path: Path) -> None:
    """CPU time and memory of all processes of `chu serve`: webserver, daemon, code server, portal, and their guards."""
    home = made.copy(tmp_path / "home")
    with serving(home) as served, home.instance() as instance:

        def are_the_same() -> bool:
            """Whether no run is in progress, and no process begins or ends for a while."""
            before = processes_of(served.process.pid, home.folder)
            time.sleep(2 * QUIET_SECONDS)
            return not unfinished_runs(instance) and processes_of(served.process.pid, home.folder) == before

        wait_for(are_the_same, "processes begin and end")
        pids = {pid for pid, _ in processes_of(served.process.pid, home.folder)}
        before = sum(map(cpu_seconds, pids))
        time.sleep(REST_SECONDS)
        used = sum(map(cpu_seconds, pids)) - before
        memory = sum(map(proportional_bytes, pids))
        assert pids == {pid for pid, _ in processes_of(served.process.pid, home.folder)}, "a process is started anew"
    print(f"{used / REST_SECONDS:.1%} of a core, {memory / 2**20:.0f} MB in {len(pids)} processes")
    assert used < MAX_SHARE_AT_REST * REST_SECONDS
    assert memory < MAX_BYTES_AT_REST


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def proportional_bytes(pid: int) -> int:
    """Memory of a process; what several processes share counts in parts."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def with_other_digit(stays: bytes) -> bytes:
    """The stays, of which one has another number of days."""
    lines = stays.split(b"\n")
    place = lines[0].rstrip(b"\r").split(b";").index(b"Jour_Hospitalisation")
    fields = lines[5].split(b";")
    fields[place] = b"%d%b" % (int(fields[place]) % 9 + 1, b"\r" if fields[place].endswith(b"\r") else b"")
    lines[5] = b";".join(fields)
    return b"\n".join(lines)


def made_by_one_run(made: Home, changes: Mapping[str, bytes], folder: Path, *sources: Table) -> Lake:
    """The lake that one run without interruption makes from the changed files of these sources."""
    pack = folder / "pack"
    shutil.copytree(made.pack, pack)
    for name, content in changes.items():
        (pack / name).write_bytes(content)
    plain = made.copy(folder / "home", pack)
    follows = " or ".join(f"key:sources/{source.name}+" for source in sources)
    plain.materialize("--select", f"({follows}) and not group:maintenance and not group:reports")
    return plain.lake


def unfinished_runs(instance: dg.DagsterInstance) -> int:
    """The number of runs that have not finished."""
    return len(instance.get_runs(dg.RunsFilter(statuses=[s for s in dg.DagsterRunStatus if s not in FINISHED])))
