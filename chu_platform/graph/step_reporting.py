"""How a step tells Dagster, and the terminal, of what it does: its line of progress, and why it failed.

Here: the telling, for every kind of step. Not here: what a step does (step, lake.maintenance).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from chu_platform.errors import ChuError, TransientError, keep_trace
from chu_platform.graph.run_resources import RunResources


def log_line(platform: RunResources, context: dg.AssetExecutionContext, line: str) -> None:
    """Say a line once where the platform says its lines, and in the log of the run."""
    platform.say(line)
    if not platform.says_to_dagster:
        context.log.info(line)


@contextmanager
def as_dagster_failures(platform: RunResources) -> Iterator[None]:
    """Turn what goes wrong into Dagster's failure: without values of rows, and tried again where it is transient."""
    try:
        yield
    except TransientError as error:
        platform.renew()
        raise dg.Failure(str(error), allow_retries=True) from None
    except ChuError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except Exception as error:
        # Dagster keeps messages of exceptions, and libraries quote values of rows in theirs.
        log = keep_trace(error, platform.settings.logs_folder)
        said = f"unexpected {type(error).__name__}; where it happened is in {log}"
        raise dg.Failure(said, allow_retries=False) from None
