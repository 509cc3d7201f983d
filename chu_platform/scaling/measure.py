"""Measures the program of queries on three clusters, one after the other: one worker, two, and as many as needed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from chu_platform.building_blocks.measurement_file import Row
from chu_platform.errors import ChuError
from chu_platform.layouts.benchmark import code_commit
from chu_platform.layouts.intervals import median_interval
from chu_platform.layouts.machine import machine_text
from chu_platform.scaling.executors import as_text, executor_seconds, executor_steps
from chu_platform.scaling.load import Load
from chu_platform.scaling.program import Measured
from chu_platform.scaling.results import CLUSTERS, DYNAMIC, MEASUREMENTS, ONE_WORKER, PROGRAM, results_file
from chu_platform.settings import PROJECT, Settings

CLUSTER: Final = PROJECT / "docker" / "spark-cluster.sh"
# Executors are asked for after a second of waiting tasks, and given back after so many seconds without one, also if
# they hold rows of a shuffle.
IDLE_SECONDS: Final = 10
DYNAMIC_ALLOCATION: Final = {
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.timeout": f"{IDLE_SECONDS}s",
    "spark.dynamicAllocation.executorIdleTimeout": f"{IDLE_SECONDS}s",
    "spark.dynamicAllocation.cachedExecutorIdleTimeout": f"{IDLE_SECONDS}s",
    "spark.dynamicAllocation.schedulerBacklogTimeout": "1s",
    "spark.dynamicAllocation.initialExecutors": "0",
    "spark.dynamicAllocation.minExecutors": "0",
    "spark.dynamicAllocation.maxExecutors": "2",
}
DIGITS: Final = 3


def measure_elasticity(settings: Settings, runs: int, pause: float, log_progress: Callable[[str], None]) -> Path:
    """Measure all clusters, and add what was measured to the file of this installation, which is returned.

    Raises ChuError for a lake in an object store, without Java or a checkout, and if a cluster or a query fails.
    """
    if settings.lake_url:
        raise ChuError("the lake is in an object store: measure a lake in a folder (CHU_LAKE)")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise ChuError("Spark needs Java 17 or 21: install it, or set JAVA_HOME")
    if not CLUSTER.is_file():
        raise ChuError(f"{CLUSTER} is missing: run this in a checkout of the platform")
    file = results_file(settings)
    # The one that grows and shrinks first: if a run is interrupted, it is what no other measurement shows.
    for cluster in reversed(CLUSTERS):
        log_progress(f"cluster {cluster}: starting")
        rows = _measure(settings, cluster, runs, pause)
        whole = rows[-1]
        if not whole["equal_rows"]:
            raise ChuError(f"the cluster {cluster} found other rows than DuckDB: its results were not recorded")
        # Each at once: what was measured stays if a later cluster fails.
        MEASUREMENTS.write(file, MEASUREMENTS.newest(MEASUREMENTS.read(file), rows))
        log_progress(
            f"cluster {cluster}: {whole['median_ms'] / 1000:.0f} s, {whole['executor_seconds']:.0f} executor seconds, "
            f"executors {whole['executors']}, other processes took {whole['others']} of the machine"
        )
    return file


def _measure(settings: Settings, cluster: str, runs: int, pause: float) -> Sequence[Row]:
    """The rows of one cluster, that of the whole program last."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "events").mkdir()
        with Load() as load:
            _run(settings, cluster, folder, [str(runs), str(pause), str(folder / "measured.json")])
        found = Measured(**json.loads((folder / "measured.json").read_text(encoding="utf-8")))
        steps = executor_steps(folder / "events", found.begun, found.ended)
    duration = found.ended - found.begun
    common = {
        "machine": machine_text(),
        "scale": found.scale,
        "cluster": cluster,
        "others": load.others,
        "engine_version": " ".join((version("pyspark"), os.environ.get("JDK_JAVA_OPTIONS", ""))).strip(),
        "code": code_commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    whole = {"executor_seconds": round(executor_seconds(steps, duration), DIGITS), "executors": as_text(steps)}
    return [
        *({**common, **row} for row in _queries(found)),
        {**common, **_times(PROGRAM, [duration]), **whole, "equal_rows": all(found.equal.values())},
    ]


def _queries(found: Measured) -> Iterator[Row]:
    for query, seconds in found.seconds.items():
        yield {
            **_times(query, seconds),
            "equal_rows": found.equal[query],
            "executor_seconds": None,
            "executors": None,
        }


def _times(query: str, seconds: Sequence[float]) -> dict[str, object]:
    found = median_interval([1000 * s for s in seconds])
    return {
        "query": query,
        "runs": len(seconds),
        "median_ms": round(found.median, DIGITS),
        "low_ms": None if found.low is None else round(found.low, DIGITS),
        "high_ms": None if found.high is None else round(found.high, DIGITS),
        "max_ms": round(1000 * max(seconds), DIGITS),
    }


def _run(settings: Settings, cluster: str, folder: Path, arguments: Sequence[str]) -> None:
    """Run the program on a new cluster, which ends with it. Raises ChuError with the log if it fails."""
    log = settings.logs_folder / "elasticity.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [str(CLUSTER), sys.executable, "-m", "chu_platform.scaling.program", *arguments]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            env=_environment(settings, cluster, folder),
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            status = process.wait()
        except BaseException:
            # The shell of the cluster would wait for the program before it stops the others.
            os.killpg(process.pid, signal.SIGTERM)
            raise
    if status:
        raise ChuError(f"the cluster {cluster} failed: its messages are in {log}")


def _environment(settings: Settings, cluster: str, folder: Path) -> Mapping[str, str]:
    """The environment of a cluster and its program."""
    conf = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": str(folder / "events"),
        "spark.executor.cores": "1",
        **(DYNAMIC_ALLOCATION if cluster == DYNAMIC else {}),
    }
    options = " ".join(f"-D{name}={value}" for name, value in conf.items())
    return {
        **os.environ,
        # The first python3 on PATH is this one.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "CHU_LAKE": str(settings.lake_folder),
        "WORKERS": "1" if cluster == ONE_WORKER else "2",
        "WORK": str(folder / "work"),
        "CONNECT_PORT": str(_free_port()),
        "MASTER_PORT": str(_free_port()),
        "JDK_JAVA_OPTIONS": f"{os.environ.get('JDK_JAVA_OPTIONS', '')} {options}".strip(),
    }


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
