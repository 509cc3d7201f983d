"""Reports of a step to Dagster and to the terminal: its progress line, and the cause of a failure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg

from chu_platform.errors import ChuError, PermanentError, TransientError, log_traceback
from chu_platform.graph.run_resources import RunResources

# Name in the metadata of a failure: the cause stays until a delivery, a declaration or the code is another.
PERMANENT: Final = "permanent"


def log_line(resources: RunResources, context: dg.AssetExecutionContext, line: str) -> None:
    """Write a line to the progress output and to the log of the Dagster run, once if they are the same."""
    resources.log_progress(line)
    if not resources.logs_to_dagster:
        context.log.info(line)


@contextmanager
def as_dagster_failures(resources: RunResources) -> Iterator[None]:
    """Convert exceptions to Dagster failures without values of rows. Only transient errors allow retries."""
    try:
        yield
    except TransientError as error:
        resources.renew()
        raise dg.Failure(str(error), allow_retries=True) from None
    except ChuError as error:
        permanent = {PERMANENT: isinstance(error, PermanentError)}
        raise dg.Failure(str(error), metadata=permanent, allow_retries=False) from None
    except Exception as error:
        # Dagster stores the messages of exceptions. Messages of libraries may contain values of rows.
        log = log_traceback(error, resources.settings.logs_folder)
        message = f"unexpected {type(error).__name__}; see {log}"
        raise dg.Failure(message, allow_retries=False) from None
