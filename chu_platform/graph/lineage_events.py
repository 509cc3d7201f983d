"""Sends the OpenLineage events of steps to the place that the setting CHU_OPENLINEAGE names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from chu_platform.errors import ChuError
from chu_platform.graph.step_result import StepResult
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent
    from openlineage.client.transport import Transport

Done = Callable[[StepResult], None]


class LineageEvents:
    """Sends the events of the steps of a run. Without the setting, it does nothing.

    A place that cannot be reached does not fail a step: it is a warning, and this run sends no more events.
    """

    def __init__(self, settings: Settings, lake: Lake, warn: Callable[[str], None]) -> None:
        self._place = settings.openlineage
        self._lake_place = settings.lake_place
        self._lake = lake
        self._warn = warn

    @contextmanager
    def step(self, table: Table, dagster_run: str, dagster_job: str, attempt: int) -> Iterator[Done]:
        """Context of a step: it gives the function that takes the result of the step.

        The start is sent first; then the completion with the result, the failure with its message, or the
        interruption.
        """
        if self._place is None:
            yield lambda _result: None
            return
        from chu_platform.lineage import openlineage

        deltas = {t: self._lake.open(t) for t in table.needs}
        read = {t: delta.version() if delta else None for t, delta in deltas.items()}
        run = openlineage.StepRun(table, dagster_run, dagster_job, attempt, read)
        self._send(openlineage.started(run, self._lake_place))
        results: list[StepResult] = []
        try:
            yield results.append
        except ChuError as error:
            self._send(openlineage.failed(run, self._lake_place, str(error)))
            raise
        except Exception as error:
            # Messages of libraries may contain values of rows.
            self._send(openlineage.failed(run, self._lake_place, f"unexpected {type(error).__name__}"))
            raise
        except BaseException:
            self._send(openlineage.aborted(run, self._lake_place))
            raise
        (result,) = results
        written = {
            made: openlineage.Written(commit.version)
            if result.up_to_date or result.waits
            else openlineage.Written(commit.version, commit.table_rows, commit.table_size, commit.table_files)
            for made, commit in result.commits.items()
        }
        self._send(openlineage.completed(run, self._lake_place, written))

    def close(self) -> None:
        """Close the connection, if there is one."""
        if "_transport" in self.__dict__:
            self._transport.close()

    @cached_property
    def _transport(self) -> "Transport":
        from chu_platform.lineage.transport import transport_of

        assert self._place is not None
        return transport_of(self._place.get_secret_value())

    def _send(self, event: "RunEvent") -> None:
        from chu_platform.lineage.transport import send

        if self._place is None:
            return
        try:
            send(self._transport, event)
        except ChuError as error:
            self._place = None
            self._warn(f"{error}. This run goes on without")
