"""Files arrive while `chu serve` runs, which is killed and started again in the middle: each is handled once."""

import os
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import RUN_KEY_TAG

from chu_platform.graph.instance import FINISHED
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.reports.delivery import delivery
from chu_platform.sources.deces import deces
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform_tests.pipeline.contents import differences, digest, every_table, rows
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.processes import processes_of, wait_until_gone

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")

PATIENCE = 600
# Longer than two looks of each sensor.
QUIET_SECONDS = 65
SECONDS_TO_END = 20
STAYS, DEATHS = "Hospitalisation/Hospitalisations.csv", "DECES EN FRANCE/deces.csv"
SURVEY = "Satisfaction/2019/resultats-esatis48h-mco-open-data-2019.csv"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Transfer(threading.Thread):
    """A file that grows for as long as it is not told to end: what was there before is gone at once."""

    def __init__(self, file: Path, content: bytes) -> None:
        super().__init__()
        self._file, self._content, self._last = file, content, threading.Event()
        self._file.write_bytes(content[: len(content) // 2])
        self.start()

    def run(self) -> None:
        left = self._content[len(self._content) // 2 :]
        with self._file.open("ab", buffering=0) as file:
            while not self._last.wait(1):
                file.write(left[:10])
                left = left[10:]
            file.write(left)

    def end(self) -> None:
        """Write the rest."""
        self._last.set()
        self.join()


@contextmanager
def serving(home: Home) -> Iterator[None]:
    """`chu serve`, once it is up; killed at the end, with all that it started."""
    process = home.start("serve", "--port", str(free_port()))
    assert process.stdout
    started: set[tuple[int, str]] = set()
    try:
        assert any(line.startswith("Ctrl-C") for line in process.stdout), "it did not start"
        yield
        started = processes_of(process.pid, home.folder)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert not wait_until_gone(started, home.folder, SECONDS_TO_END)


def wait_for(what: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.5)


def of_deliveries(instance: dg.DagsterInstance, name: str) -> Sequence[dg.DagsterRun]:
    """The runs that the sensor of files has started for a table, the latest first."""
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/sensor_name": "arriving_files"}))
    return [run for run in runs if run.tags[RUN_KEY_TAG].startswith(f"{name}:")]


def wait_until_quiet(instance: dg.DagsterInstance) -> None:
    """Until nothing has run for so long that nothing more will be started."""
    since = time.monotonic()

    def quiet() -> bool:
        nonlocal since
        unfinished = [status for status in dg.DagsterRunStatus if status not in FINISHED]
        if instance.get_runs(dg.RunsFilter(statuses=unfinished), limit=1):
            since = time.monotonic()
        return time.monotonic() - since > QUIET_SECONDS

    wait_for(quiet, "runs are still under way")


def test_files_that_arrive_are_handled_once_through_a_restart(made: Home, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(made.pack, pack)
    home = made.copy(tmp_path / "home", pack)
    before = {t: made.lake.version(t) for t in every_table()}
    deaths, survey = (pack / DEATHS).read_bytes(), (pack / SURVEY).read_bytes()
    more = b"TARD,JEAN,1,1930-01-01,75056,PARIS,,2018-06-01,75056,1\n"
    lines = survey.splitlines(keepends=True)
    fewer = b"".join(lines[: len(lines) // 2])
    unchanged = [
        f for f in sorted(pack.rglob("*")) if f.is_file() and f.name.lower() not in _names(STAYS, DEATHS, SURVEY)
    ]

    with home.instance() as instance:
        with serving(home):
            transfers = [Transfer(pack / DEATHS, deaths + more), Transfer(pack / SURVEY, fewer)]
            (pack / STAYS).write_bytes(b"no;such;columns\n1;2;3\n")  # corrupt
            (pack / "notes.xyz").write_text("?")  # unknown
            (pack / "again").mkdir()
            shutil.copy(pack / "Etablissement de SANTE" / "etablissement_sante.csv", pack / "again")  # a duplicate
            for file in unchanged[:13]:  # delivered again, as they were
                os.utime(file)
                time.sleep(0.5)
            wait_for(lambda: of_deliveries(instance, hospitalisations.name), "the sensor starts nothing")
            transfers[0].end()
            wait_for(lambda: of_deliveries(instance, deces.name), "the completed file is not read")
        with serving(home):
            transfers[1].end()
            wait_for(lambda: of_deliveries(instance, "esatis48h_mco"), "the completed file is not read")
            wait_until_quiet(instance)

        keys = Counter(run.tags[RUN_KEY_TAG] for run in instance.get_runs() if RUN_KEY_TAG in run.tags)
        started = Counter(key.split(":")[0] for key in keys if ":" in key and not key.startswith(delivery.name))
        assert started == {"Hospitalisations": 1, "deces": 1, "esatis48h_mco": 1}
        print(
            [
                (
                    r.job_name,
                    r.status,
                    {k: v for k, v in r.tags.items() if "sensor" in k or "key" in k},
                    r.asset_selection and len(r.asset_selection),
                )
                for r in instance.get_runs()
            ]
        )
        statuses = {n: [run.status for run in of_deliveries(instance, n)] for n in started}
        assert statuses["deces"][0] is statuses["esatis48h_mco"][0] is dg.DagsterRunStatus.SUCCESS
        assert set(statuses["Hospitalisations"]) == {dg.DagsterRunStatus.FAILURE}
        (failed,) = of_deliveries(instance, "Hospitalisations")
        said = [e.message for e in instance.all_logs(failed.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)]
        assert len(said) == 1

    known = {row["path"]: row["known_as"] for row in rows(home.lake, delivery).to_pylist()}
    assert known["notes.xyz"] is None
    assert known["again/etablissement_sante.csv"] == "etablissement_sante"

    # What follows has followed, to what one undisturbed run makes of the same files, and nothing else has moved.
    plain = made.copy(tmp_path / "plain", pack)
    selected = "key:sources/deces+ or key:sources/esatis48h_mco+"
    plain.materialize("--select", f"({selected}) and not group:maintenance and not group:reports")
    for table in every_table():
        if table.layer.value != "reports":
            assert digest(home.lake.path(table)) == digest(plain.lake.path(table)), table.folder
    for table in (kpi_deaths_by_region, kpi_satisfaction_by_region):
        assert differences(rows(made.lake, table), rows(home.lake, table)) != []
    assert home.lake.version(hospitalisations) == before[hospitalisations]


def _names(*paths: str) -> set[str]:
    return {Path(path).name.lower() for path in paths}
