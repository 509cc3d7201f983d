"""The system tier, in parts that run one by one: what needs the full size, a cluster, or many minutes.

    python -m chu_platform_tests.system_tests             run all parts (`make test-system`)
    python -m chu_platform_tests.system_tests attack ...  run these parts (`make test-system PARTS="attack ..."`)
    python -m chu_platform_tests.system_tests --check     warn of parts without a recent record (`make lint`)

Each part runs alone, in less than an hour: while one runs, no other one of this user starts. The last result of a part
is in docs/system-tests.json, with the commit, the time (UTC), the machine and the seconds that it took; commit that
file.
"""

import argparse
import fcntl
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from chu_platform_tests.java import JAVA_OPTIONS

PROJECT: Final = Path(__file__).parent.parent
RECORDS: Final = PROJECT / "docs" / "system-tests.json"
LIMIT: Final = timedelta(hours=1)
OLD: Final = timedelta(days=60)
# One lock for all checkouts of a user, whatever TMPDIR is: their parts would disturb each other as well.
LOCK: Final = Path("/tmp") / f"chu-system-tests-{os.getuid()}.lock"
PYTEST: Final = (sys.executable, "-m", "pytest")


@dataclass(frozen=True)
class Part:
    """A part of the system tier: a command that succeeds or fails."""

    name: str
    what: str
    command: Sequence[str]
    java: bool = False


@dataclass(frozen=True)
class Record:
    """How a part went the last time."""

    result: str
    commit: str
    date: str
    seconds: int
    cpu: str
    cores: int
    memory_gb: int


def _pytest(*arguments: str) -> tuple[str, ...]:
    return (*PYTEST, "-m", "system", *arguments)


# The tests of the two engines are integration tests; here, Spark is a cluster.
_ON_A_CLUSTER: Final = (
    'CHU_TEST_SPARK_REMOTE=$CHU_SPARK_REMOTE exec "$0" -m pytest chu_platform_tests/pipeline/test_engines.py'
)
# Then a cluster that the test starts itself, on an object store. The file is an argument of its own.
_CLUSTERS: Final = 'docker/spark-cluster.sh sh -c "$1" "$0" && exec "$0" -m pytest -m system "$2"'
PARTS: Final = (
    Part(
        "attack",
        "the attack on the published tables, on a larger pack of another seed",
        _pytest("chu_platform_tests/pipeline/test_published_attack.py"),
    ),
    Part(
        "attackers",
        "the attackers on the published zone with leaks, on editions of a year, and on 200 000 establishments",
        _pytest(
            "chu_platform_tests/attack/test_whole_zone.py",
            "chu_platform_tests/attack/test_two_editions.py",
            "chu_platform_tests/attack/test_year_of_editions.py",
            "chu_platform_tests/attack/test_large_zone.py",
        ),
    ),
    Part(
        "marts",
        "the marts on Debian's PostgreSQL over TLS, by psql and ODBC as each role; killed loads",
        _pytest("chu_platform_tests/marts/test_deployed_marts.py"),
    ),
    Part(
        "superset",
        "the dashboard of all questions in Apache Superset, opened in a browser; what its connection may read",
        _pytest("chu_platform_tests/marts/test_superset.py"),
    ),
    Part(
        "cluster",
        "both engines make the same tables, Spark as a cluster of two workers; then without a shared disk",
        (
            *("sh", "-c", _CLUSTERS, sys.executable, _ON_A_CLUSTER),
            "chu_platform_tests/pipeline/test_cluster_without_shared_disk.py",
        ),
        java=True,
    ),
    Part(
        "object-store",
        "the lake in an object store: two writers, then the whole pipeline with credentials for each zone",
        _pytest(
            "chu_platform_tests/storage/test_two_machines.py", "chu_platform_tests/pipeline/test_object_store_lake.py"
        ),
    ),
    Part(
        "serving",
        "files arrive before the real servers, which are restarted; a changed digit; a second start; servers at rest",
        _pytest("chu_platform_tests/automation/test_serving.py"),
    ),
    Part(
        "stopped",
        "servers that live and do not answer, or are killed: parts of chu serve, and the PostgreSQL server of Dagster",
        _pytest("chu_platform_tests/automation/test_stopped_processes.py", "chu_platform_tests/test_cli.py"),
    ),
    Part(
        "soak",
        "corrections and kills as in six hours before the real servers; then the figures are those of a new lake",
        _pytest("-s", "chu_platform_tests/automation/test_soak.py"),
    ),
    Part(
        "graph",
        "what an engineer does in the UI: a year of the indicators, the last months, a check alone",
        _pytest("chu_platform_tests/automation/test_graph_in_ui.py"),
    ),
    Part(
        "portal-load",
        "response times of the portal: after its start, with 4 readers, with 32 while the lake is made again",
        _pytest("chu_platform_tests/portal/test_load.py"),
    ),
    Part(
        "interrupts",
        "commands and launched runs that are interrupted, whatever their step waits for",
        _pytest("chu_platform_tests/automation/test_interrupts.py"),
    ),
    Part(
        "kills",
        "a hundred runs killed at random moments, with a reader watching; backfills and maintenance at the same time",
        _pytest(
            "chu_platform_tests/pipeline/test_hundred_kills.py",
            "chu_platform_tests/pipeline/test_concurrent_writers.py",
        ),
    ),
    Part(
        "corrections",
        "random corrections of deliveries: what changed partitions touch is made again, and nothing else would change",
        _pytest("chu_platform_tests/pipeline/test_corrections.py"),
    ),
    Part(
        "readers",
        "every table of a lake by Polars, delta-rs, DuckDB and Spark, before and after maintenance; the token of Spark",
        _pytest("chu_platform_tests/readers/test_whole_lake.py", "chu_platform_tests/engine/test_spark_token.py"),
        java=True,
    ),
    Part(
        "layouts",
        "the scripts of the physical model on a fresh Spark, in order, and damaged tables",
        _pytest("chu_platform_tests/layouts/test_scripts_on_spark.py"),
        java=True,
    ),
    Part(
        "every-layout",
        "every query of the benchmark once on every layout and engine",
        _pytest("chu_platform_tests/layouts/test_every_layout.py"),
        java=True,
    ),
    Part(
        "elasticity",
        "a program of queries on Spark clusters of one worker, two, and as many as needed: rows equal, grown, shrunk",
        _pytest("chu_platform_tests/scaling/test_on_clusters.py"),
        java=True,
    ),
    Part(
        "releases",
        "releases of an edition that are killed at every moment that differs",
        _pytest("chu_platform_tests/editions/test_killed_releases.py"),
    ),
    Part(
        "history",
        "an establishment changes its region between two deliveries: chu kpi, the next edition, chu verify",
        _pytest("chu_platform_tests/history/test_moved_establishment.py"),
    ),
    Part(
        "erasure",
        "a patient is erased, and the lake is as without the patient; the key is rotated, and the figures are the same",
        _pytest(
            "chu_platform_tests/rights/test_erasure.py",
            "chu_platform_tests/rights/test_rotation.py",
            "chu_platform_tests/rights/test_upgraded_key.py",
        ),
    ),
    Part(
        "killed-erasures",
        "an erasure that is killed twenty times ends as one that is not",
        _pytest("chu_platform_tests/rights/test_killed_erasures.py"),
    ),
    Part(
        "landing",
        "the pack on an SFTP and an FTPS server whose connections are cut gives the lake of the folder; 10 000 files",
        _pytest("chu_platform_tests/pipeline/test_landed_pack.py"),
    ),
    Part(
        "retention",
        "growth of Dagster's storage in two simulated months, on SQLite and PostgreSQL, with and without its retention",
        _pytest("chu_platform_tests/graph/test_simulated_months.py"),
    ),
    Part(
        "drill",
        "a lake, its key and Dagster's storage are wiped and come back from the backup of a drill; then chu verify",
        _pytest("chu_platform_tests/governance/test_drill.py"),
    ),
    Part(
        "manifests",
        "the objects of kubernetes/, and the job of a run, against the schemas of Kubernetes",
        _pytest("chu_platform_tests/deployment/test_manifests.py"),
    ),
    Part(
        "long-integration",
        "what the suite proves by few cases: all of maintenance on Spark, the search for identities in every table",
        _pytest(
            "chu_platform_tests/storage/test_maintenance_on_spark.py",
            "chu_platform_tests/storage/test_power_cut.py",
            "chu_platform_tests/readers/test_readers.py",
            "chu_platform_tests/pipeline/test_canaries_everywhere.py",
            "chu_platform_tests/pipeline/test_left_as_it_was.py",
            "chu_platform_tests/pipeline/test_second_run.py",
            "chu_platform_tests/lineage/test_lineage_matches_results.py",
            "chu_platform_tests/facts/test_death_files.py",
            "chu_platform_tests/trace/test_repair.py",
            "chu_platform_tests/care_database/test_embedded_postgres.py",
            "chu_platform_tests/care_database/test_live_server.py",
            "chu_platform_tests/compat/test_dagster_postgres_storage.py",
            "chu_platform_tests/deployment/test_every_secret.py",
        ),
        java=True,
    ),
    Part(
        "every-case",
        "each case of what the suite tests by some: pages of the portal, 200 commits, mutations of the UI, drawn files",
        _pytest(
            "chu_platform_tests/portal/test_every_page.py",
            "chu_platform_tests/exact_figures/test_every_own_table.py",
            "chu_platform_tests/storage/test_many_commits.py",
            "chu_platform_tests/deployment/test_ordinary_webserver.py",
            "chu_platform_tests/facts/test_real_results.py",
            "chu_platform_tests/demo/test_other_seed.py",
        ),
    ),
    Part(
        "full-size",
        "demonstration pack of the full size, the whole lake, and its verification",
        _pytest("chu_platform_tests/pipeline/test_full_size.py"),
    ),
)


def run(part: Part) -> Record:
    """Run a part to its end, or for as long as a part may take."""
    environment = {**os.environ, "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}
    if part.java:
        environment["JDK_JAVA_OPTIONS"] = JAVA_OPTIONS
    commit, date, begun = commit_of(PROJECT), datetime.now(UTC), time.monotonic()
    process = subprocess.Popen(part.command, cwd=PROJECT, env=environment, start_new_session=True)
    try:
        result = "passed" if process.wait(LIMIT.total_seconds()) == 0 else "failed"
    except subprocess.TimeoutExpired:
        result = f"took more than {LIMIT.total_seconds():.0f} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    seconds = round(time.monotonic() - begun)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    return Record(result, commit, f"{date:%Y-%m-%dT%H:%M:%SZ}", seconds, _cpu(), cores, round(memory))


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of the system tests. Ends the program if another process holds it."""
    # Opened for appending: the file is never cut.
    with LOCK.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another system test is running on this machine: start this part when it has ended")
        yield


def warnings(records: Mapping[str, Record], now: datetime) -> list[str]:
    """Which parts have no record, one that is older than 60 days, or one of a failure."""
    found = []
    for part in PARTS:
        again = f"run make test-system PARTS={part.name}"
        record = records.get(part.name)
        if record is None:
            found.append(f"system test {part.name} has no record in docs/{RECORDS.name}: {again}")
        elif record.result != "passed":
            found.append(f"system test {part.name} {record.result} on {record.date[:10]}: {again}")
        elif now - datetime.fromisoformat(record.date) > OLD:
            found.append(f"system test {part.name} ran last on {record.date[:10]}, over {OLD.days} days ago: {again}")
    return found


def read(file: Path = RECORDS) -> dict[str, Record]:
    """The records of all parts that have one."""
    if not file.exists():
        return {}
    return {name: Record(**fields) for name, fields in json.loads(file.read_text(encoding="utf-8")).items()}


def write(records: Mapping[str, Record], file: Path = RECORDS) -> None:
    """Write the records, in the order of the parts; those of parts that are no more are dropped."""
    kept = {part.name: asdict(records[part.name]) for part in PARTS if part.name in records}
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def commit_of(project: Path) -> str:
    """The commit of the code, `-dirty` if a tracked file but that of the records differs; `unknown` without Git."""
    try:
        commit = _git(project, "describe", "--always", "--abbrev=12")
        changed = _git(project, "diff", "--name-only", "HEAD", "--", ".", f":(exclude){RECORDS.relative_to(PROJECT)}")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}-dirty" if changed else commit


def _git(project: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> int:
    """Run parts, or warn of those that were not run lately. 1 when a part failed."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(description="Run the system tests in parts, and record how they went.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(names)} (all)")
    parser.add_argument("--check", action="store_true", help="warn of parts without a recent record; run nothing")
    arguments = parser.parse_args()
    if arguments.check:
        for warning in warnings(read(), datetime.now(UTC)):
            print(f"warning: {warning}", file=sys.stderr)
        return 0
    wrong = [name for name in arguments.parts if name not in names]
    if wrong:
        parser.error(f"there is no part {wrong[0]}; there are {', '.join(names)}")
    failed = False
    for part in PARTS:
        if arguments.parts and part.name not in arguments.parts:
            continue
        print(f"system test {part.name}: {part.what}", flush=True)
        with alone():
            record = run(part)
        # Each at once: what was run stays recorded if a later part is interrupted.
        write({**read(), part.name: record})
        print(f"system test {part.name}: {record.result}, {record.seconds} s", flush=True)
        failed |= record.result != "passed"
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
