"""What a step needs at hand, opened when first used and closed together.

Here: settings, lake, engine, care database, keys, as one object. Not here: what is done with them.
"""

from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.operations import DELTA_RS, Operations

if TYPE_CHECKING:
    from chu_platform.care_database.database import CareDatabase
    from chu_platform.engine.engine import Engine


class RunResources:
    """The parts of the platform for the time of one or several runs.

    `say` takes lines of progress; `says_to_dagster` tells that they land in the log of the Dagster run.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None], says_to_dagster: bool = False) -> None:
        self.settings = settings
        self.say = say
        self.says_to_dagster = says_to_dagster
        self.lake = Lake(settings.lake_folder)

    @cached_property
    def engine(self) -> "Engine":
        """The SQL engine."""
        # PySpark takes half a second to import: not before a step needs it.
        from chu_platform.engine.engine import Engine

        return Engine(self.settings)

    @property
    def operations(self) -> Operations:
        """What maintains and restores tables: the SQL engine when it is Spark, else delta-rs."""
        if self.settings.engine != "spark":
            return DELTA_RS
        from chu_platform.engine.delta_operations import SparkSql  # imports PySpark, as the engine does

        return SparkSql(self.engine)

    @cached_property
    def care_database(self) -> "CareDatabase":
        """The care database, one snapshot for as long as the platform is open."""
        # The driver imports pandas if it is there, which takes half a second: not before a step needs it.
        from chu_platform.care_database.database import CareDatabase

        return CareDatabase(self.settings, self.say)

    def renew(self) -> None:
        """After a failure that may well be gone: the next use opens anew what may have failed.

        A snapshot of the care database that still holds is kept.
        """
        self._close("engine")
        if "care_database" in self.__dict__ and self.care_database.failed:
            self._close("care_database")
            self.say("the care database is connected to anew: what is read from now on is of a later moment")

    def __enter__(self) -> Self:
        self.lake.prepare()
        return self

    def __exit__(
        self, type_: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close("engine")
        self._close("care_database")

    def _close(self, name: str) -> None:
        if name in self.__dict__:
            self.__dict__.pop(name).close()
