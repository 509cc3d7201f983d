"""Dagster's own storage below CHU_HOME, and the lock that allows one main job at a time."""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, Final
from uuid import uuid4

import dagster as dg
import yaml

from chu_platform.compat import run_tags
from chu_platform.errors import ChuError
from chu_platform.private_folders import ONLY_OWNER, protect_folders
from chu_platform.settings import Settings

# Tag of all runs of the main job, with the identifier of its CHU_HOME. Under the lock of this CHU_HOME, an unfinished
# run with this tag belongs to a dead process.
MAIN_JOB_TAG: Final = run_tags.MAIN_JOB
# Tag of the runs that one command has started, with an identifier that only they have.
GROUP_TAG: Final = "chu/group"
# Name of the job of the main job, and prefix of the names of its jobs of a partition scheme.
MAIN_JOB: Final = "main_job"
# A sensor holds the lock for a moment.
LOCK_WAIT_SECONDS: Final = 5.0
LOCK: Final = "main_job.lock"
SERVED_TAG: Final = run_tags.LAUNCHED_BY_CODE_SERVER
FINISHED: Final = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
CONFIGURATION: Final = """\
storage:
  custom:
    module: chu_platform.compat.dagster_storage
    class: SqliteStorage
    config:
      base_dir:
        env: DAGSTER_HOME
telemetry:
  enabled: false
nux:
  enabled: false
# The event log is the record of a run. The output of libraries may contain values of rows, so it is not stored.
compute_logs:
  module: dagster.core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
concurrency:
  pools:
    default_limit: 1
    granularity: op
  runs:
    max_concurrent_runs: 2
run_monitoring:
  enabled: true
  # A run whose process was killed does not report its end: it is marked as failed after four hours.
  max_runtime_seconds: 14400
  # Its process loads the definitions, which takes long on a busy machine.
  start_timeout_seconds: 600
  free_slots_after_run_end_seconds: 60
# A run whose process was killed is retried. A failed step is retried by its own policy.
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
# Ticks of schedules and sensors. Old runs are deleted by the platform: CHU_RUN_RETENTION_DAYS.
retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days: {skipped: 1, success: 30, failure: 30, started: 30}
  auto_materialize:
    purge_after_days: {skipped: 1, success: 30, failure: 30, started: 30}
"""
# What files of earlier versions lack, by section; None is the whole section.
ADDED: Final = (("storage", None), ("retention", None), ("run_monitoring", "start_timeout_seconds"))
# A launched run has to load the definitions within the first limit, which is 60 s by default. The other limits stay.
ENVIRONMENT: Final = {
    "DAGSTER_EVENT_BATCH_SIZE": "1000",
    "DAGSTER_GRPC_TIMEOUT_SECONDS": "300",
    "DAGSTER_GRPC_SHUTDOWN_GRACE_PERIOD": "60",
    "DAGSTER_SCHEDULE_GRPC_TIMEOUT_SECONDS": "60",
    "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "60",
}


def prepare_dagster_home(settings: Settings) -> None:
    """Create DAGSTER_HOME with its configuration, and set it in the environment of this process.

    Raises ChuError if it cannot be written.
    """
    home = settings.dagster_home
    with _writing_home(settings):
        for folder in (home, settings.work_folder):
            folder.mkdir(parents=True, exist_ok=True, mode=ONLY_OWNER)
        protect_folders(settings)
        configuration = home / "dagster.yaml"
        if not configuration.exists() or _of_an_earlier_version(configuration.read_text()):
            configuration.write_text(CONFIGURATION)
    os.environ["DAGSTER_HOME"] = str(home)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def _of_an_earlier_version(configuration: str) -> bool:
    """Whether this is the unchanged file of an earlier version: without some of the last additions."""
    earlier, found = yaml.safe_load(CONFIGURATION), yaml.safe_load(configuration)
    for section, key in reversed(ADDED):
        if key is None:
            del earlier[section]
        else:
            del earlier[section][key]
        if found == earlier:
            return True
    return False


@contextmanager
def exclusive(settings: Settings) -> Iterator[None]:
    """Hold the lock of the main job on CHU_HOME. The kernel releases it when the process ends.

    Raises ChuError if another process holds it, or if CHU_HOME cannot be written.
    """
    home = settings.home.resolve()
    with _writing_home(settings):
        home.mkdir(parents=True, exist_ok=True)
        protect_folders(settings)
        lock = (home / LOCK).open("a+")
    with lock:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        while not _locked(lock, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                lock.seek(0)
                raise ChuError(
                    f"process {lock.read() or 'unknown'} is materialising into {home} already: "
                    "wait until it has ended, or use another CHU_HOME"
                )
            time.sleep(0.1)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def no_main_job(settings: Settings) -> Iterator[bool]:
    """Whether no main job runs on CHU_HOME. If so, none starts before the end of the context."""
    with _writing_home(settings):
        lock = (settings.home.resolve() / LOCK).open("ab")
    with lock:
        yield _locked(lock, fcntl.LOCK_SH)


def _locked(lock: IO[Any], kind: int) -> bool:
    """Lock an open file, until it is closed. False if another process holds a lock that excludes this one."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def home_identifier(settings: Settings) -> str:
    """A random identifier of CHU_HOME, the same for all processes and containers that use this folder."""
    file = settings.home.resolve() / "identifier"
    with _writing_home(settings):
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            made = file.with_name(f"identifier.{os.getpid()}")
            made.write_text(uuid4().hex, encoding="ascii")
            with suppress(FileExistsError):  # of another process, at the same time
                os.link(made, file)
            made.unlink()
        return file.read_text(encoding="ascii")


def begun_runs(instance: dg.DagsterInstance, tag: str, value: str | None = None) -> Sequence[dg.DagsterRun]:
    """The runs with this tag, with any value or this one, that have begun and not ended."""
    waiting = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED)
    begun = [status for status in dg.DagsterRunStatus if status not in (*FINISHED, *waiting)]
    runs = [run for run in instance.get_runs(dg.RunsFilter(statuses=begun)) if tag in run.tags]
    return [run for run in runs if value in (None, run.tags[tag])]


def close_dead_runs(instance: dg.DagsterInstance, tag: str = MAIN_JOB_TAG, value: str | None = None) -> int:
    """Mark unfinished runs of a killed process as failed and free their pools; returns the number of these runs.

    All runs of that process have the tag `tag`, with the value `value` if given. Call it only when no such process
    runs: for the main job under `exclusive` or `no_main_job`, for the code server before it starts.
    """
    dead = begun_runs(instance, tag, value)
    for run in dead:
        instance.report_run_failed(run, "The process of this run was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(dead)


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of these settings. Raises ChuError if its folder cannot be written."""
    prepare_dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        yield instance


@contextmanager
def _writing_home(settings: Settings) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ChuError(
            f"CHU_HOME {settings.home.resolve()} cannot be written ({error.strerror}): "
            "set it to a folder that you can write"
        ) from None
