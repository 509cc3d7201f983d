"""Runs of the main job on the timeline of the UI, which shows runs of the jobs of a code location.

A run in this process has no code location: `execute_in_process` has no parameter for it, and no public issue asks for
one. So the storages of the platform store the runs of the main job with that of the servers. They also have a tag that
keeps the daemon from starting them again: a killed `chu materialize` is started again by whoever started it.
"""

from typing import Final

from dagster import DagsterRun
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.tags import MAX_RETRIES_TAG

from chu_platform.compat.run_tags import MAIN_JOB

# As in `workspace.yaml`.
LOCATION: Final = "chu_platform"
PLACE: Final = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION), SINGLETON_REPOSITORY_NAME)


class MainJobRuns(SqlRunStorage):
    """Base class of a storage of runs, put before Dagster's class of the database."""

    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        """Store a run; one of the main job with the code location of its job."""
        if MAIN_JOB in dagster_run.tags and dagster_run.remote_job_origin is None:
            placed = dagster_run.with_job_origin(RemoteJobOrigin(PLACE, dagster_run.job_name))
            dagster_run = placed.with_tags({**dagster_run.tags, MAX_RETRIES_TAG: "0"})
        return super().add_run(dagster_run)
