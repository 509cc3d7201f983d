"""What an interrupt does to a run: its query is stopped, and the run ends as canceled.

Dagster marks a run as canceled only if it was asked to terminate it. For a command of this process, the main job, this
module asks.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from chu_platform.compat.dagster_interrupts import was_interrupted
from chu_platform.graph.dagster_instance import MAIN_JOB_TAG, begun_runs
from chu_platform.graph.run_resources import RunResources
from chu_platform.interrupts import INTERRUPTED, Interrupts

STOPPED: Final = "The run was interrupted. Its process did not end in time and was stopped."


@contextmanager
def interruptible_command(resources: RunResources, instance: dg.DagsterInstance) -> Iterator[None]:
    """A context for the main job of this process, which holds its lock.

    After a signal, the unfinished run ends as canceled, and the context raises KeyboardInterrupt, whatever else was
    raised. If this takes too long, the process ends.
    """

    def begin() -> None:
        for run in begun_runs(instance, MAIN_JOB_TAG):
            instance.report_run_canceling(run, "The command was interrupted.")
        resources.interrupt()

    def last_words() -> None:
        print("chu: interrupted", file=sys.stderr, flush=True)
        for run in begun_runs(instance, MAIN_JOB_TAG):
            _end(instance, run)

    with Interrupts(begin, last_words, INTERRUPTED) as interrupts:
        resources.interrupts = interrupts
        try:
            yield
        except Exception:
            if not interrupts.received:
                raise
        if interrupts.received:
            raise KeyboardInterrupt


@contextmanager
def interruptible_run(
    resources: RunResources, instance: dg.DagsterInstance | None, run_id: str | None
) -> Iterator[None]:
    """A context for a run that Dagster has launched. Dagster's Terminate sends a signal to its process."""

    def last_words() -> None:
        if instance and run_id and (run := instance.get_run_by_id(run_id)):
            _end(instance, run)

    with Interrupts(resources.interrupt, last_words, os.EX_SOFTWARE) as interrupts:
        resources.interrupts = interrupts
        if was_interrupted():
            interrupts.note()
        yield


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Report the end of a run whose process cannot, and free its pools."""
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, STOPPED)
    elif not run.is_finished:
        instance.report_run_failed(run, STOPPED)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
