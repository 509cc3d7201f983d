"""Resources of a run: settings, lake, engine and care database. They are opened when first used and closed together."""

from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from chu_platform.graph.lineage_events import LineageEvents
from chu_platform.ingest.oppositions import Oppositions
from chu_platform.interrupts import Interrupts
from chu_platform.private_folders import protect_folders
from chu_platform.pseudonymisation.keyed_hash import PseudonymKey
from chu_platform.pseudonymisation.lake_key import lake_key
from chu_platform.pseudonymisation.lake_oppositions import lake_oppositions
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.operations import DELTA_RS, Operations
from chu_platform.storage.store import lake_root

if TYPE_CHECKING:
    from chu_platform.care_database.database import CareDatabase
    from chu_platform.engine.engine import Engine


class RunResources:
    """Resources of one or several runs, as a context manager that closes them.

    `log_progress` takes progress lines; `logs_to_dagster` is true if it writes into the log of the Dagster run. With
    `force`, tables that are up to date are made again. `warnings` are the warnings until now, for the summary of a run,
    `failures` the names of tables that were made in part, with the cause: their run succeeds, its command fails.
    `interrupts` knows whether the run was interrupted, if somebody watches for it.
    """

    def __init__(
        self,
        settings: Settings,
        log_progress: Callable[[str], None],
        logs_to_dagster: bool = False,
        force: bool = False,
    ) -> None:
        self.settings = settings
        self.force = force
        self.log_progress = log_progress
        self.logs_to_dagster = logs_to_dagster
        self.lake = Lake(lake_root(settings))
        self.warnings: list[str] = []
        self.failures: list[tuple[str, str]] = []
        self.lineage_events = LineageEvents(settings, self.lake, self.warn)
        self.interrupts: Interrupts | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the run was interrupted."""
        return self.interrupts is not None and self.interrupts.received

    def interrupt(self) -> None:
        """Stop the query of the engine, from another thread than that of the run."""
        if "engine" in self.__dict__:
            self.engine.interrupt()

    def warn(self, message: str) -> None:
        """Log a warning, once, and keep it for the summary of the run."""
        if message not in self.warnings:
            self.warnings.append(message)
            self.log_progress(f"WARNING {message}")

    def fail(self, table: str, cause: str) -> None:
        """Log that a part of a table could not be made, once, and keep it for the end of the command."""
        if (table, cause) not in self.failures:
            self.failures.append((table, cause))
            self.log_progress(f"FAILED {table}: {cause}")

    @property
    def key(self) -> PseudonymKey:
        """The pseudonymisation key of the lake, which only its own process reads. Raises ChuError if it is missing."""
        return lake_key(self.lake, self.settings.secrets_folder)

    @property
    def oppositions(self) -> Oppositions:
        """The list of persons of whom no row is kept, as it is now. Raises ChuError if it is gone."""
        return lake_oppositions(self.lake, self.settings.secrets_folder)

    @cached_property
    def engine(self) -> "Engine":
        """The SQL engine."""
        # The import of PySpark takes half a second.
        from chu_platform.engine.engine import Engine

        return Engine(self.settings)

    @property
    def engine_starts(self) -> bool:
        """Whether the SQL engine starts now, from another thread than that of the run."""
        return "engine" in self.__dict__ and self.engine.starts

    @property
    def operations(self) -> Operations:
        """Implementation of maintenance and restore: Spark if it is the SQL engine, otherwise delta-rs.

        In an object store, always delta-rs: the commits of Spark are not conditional puts there.
        """
        if self.settings.engine != "spark" or self.settings.lake_url:
            return DELTA_RS
        from chu_platform.engine.delta_operations import SparkSql  # imports PySpark, as the engine does

        return SparkSql(self.engine)

    @cached_property
    def care_database(self) -> "CareDatabase":
        """The care database. All reads come from one snapshot until the resources are closed or renewed."""
        # The driver imports pandas if it is installed, which takes half a second.
        from chu_platform.care_database.database import CareDatabase

        return CareDatabase(self.settings, self.log_progress, self.warn)

    def renew(self) -> None:
        """Close the resources that may have caused a transient error, so that their next use opens them again.

        A connection to the care database that still works is kept, with its snapshot.
        """
        self._close("engine")
        if "care_database" in self.__dict__ and self.care_database.failed:
            self._close("care_database")
            self.log_progress("reconnecting to the care database: later reads come from a newer snapshot")

    def __enter__(self) -> Self:
        self.lake.prepare()
        protect_folders(self.settings)
        return self

    def __exit__(
        self, type_: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close("engine")
        self._close("care_database")
        self.lineage_events.close()

    def _close(self, name: str) -> None:
        if name in self.__dict__:
            self.__dict__.pop(name).close()
