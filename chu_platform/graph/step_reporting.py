"""Reports of a step to Dagster and to the terminal: its progress line, and the cause of a failure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from chu_platform.errors import ChuError, PermanentError, TransientError, known_cause, log_traceback
from chu_platform.graph.run_resources import RunResources

# A step is retried after a transient error (lost connection, dead engine, two writers), not after a failed check. It
# is not the policy of the assets: Dagster would retry an interrupted step too.
RETRIES: Final = dg.RetryPolicy(max_retries=2, delay=3, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

# Name in the metadata of a failure: the cause stays until a delivery, a declaration or the code is another.
PERMANENT: Final = "permanent"


def log_line(resources: RunResources, context: dg.AssetExecutionContext, line: str, in_dagster: str) -> None:
    """Write a line to the progress output, and one to the log of the Dagster run; only this one if both are one."""
    if not resources.logs_to_dagster:
        resources.log_progress(line)
    context.log.info(in_dagster)


@contextmanager
def as_dagster_failures(resources: RunResources, context: dg.AssetExecutionContext) -> Iterator[None]:
    """Convert exceptions to Dagster failures without values of rows. Only transient errors are retried.

    After an interrupt, every exception is converted to that of an interrupt: it may be the consequence of one.
    """
    try:
        yield
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
        _wait_for_interrupt(resources)
        raise
    except Exception as error:
        if resources.interrupted:
            _wait_for_interrupt(resources)
            raise dg.DagsterExecutionInterruptedError from None
        failure = _failure(resources, error)
        if not isinstance(error, TransientError):
            raise failure from None
        resources.renew()
        delay = RETRIES.calculate_delay(context.retry_number + 1)
        raise dg.RetryRequested(max_retries=RETRIES.max_retries, seconds_to_wait=delay) from failure


def _wait_for_interrupt(resources: RunResources) -> None:
    """Wait until the run is marked as canceling, so that it ends as canceled and not as failed."""
    if resources.interrupts is not None:
        resources.interrupts.wait_until_begun()


def _failure(resources: RunResources, error: Exception) -> dg.Failure:
    """The failure of a step, with the cause."""
    if isinstance(error, ChuError):
        permanent = {PERMANENT: isinstance(error, PermanentError)}
        return dg.Failure(str(error), metadata=permanent, allow_retries=False)
    # Dagster stores the messages of exceptions. Messages of libraries may contain values of rows.
    log = log_traceback(error, resources.settings.logs_folder)
    if cause := known_cause(error):
        return dg.Failure(cause, metadata={PERMANENT: False}, allow_retries=False)
    return dg.Failure(f"unexpected {type(error).__name__}; see {log}", allow_retries=False)
