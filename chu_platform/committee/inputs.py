"""What the chapters are made from: the lake, the described catalogue, Dagster's log, and one date."""

import datetime
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

import dagster as dg

from chu_platform import french
from chu_platform.committee.document import Cell, Column, Figure, Figures, Table
from chu_platform.committee.sql import command_of, query
from chu_platform.description.described_tables import DescribedCatalogue
from chu_platform.description.file import current_catalogue
from chu_platform.documents.table_status import State
from chu_platform.errors import ChuError
from chu_platform.settings import Settings
from chu_platform.storage.edition_manifest import published_edition
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import require_known_format
from chu_platform.storage.store import lake_root
from chu_platform.version import PACKAGE_VERSION

NOTHING: Final = "–"
# What a table without rows says in its first cell.
NO_ROW: Final = "aucune ligne"


class Inputs:
    """What the chapters read. Each part is read when it is first asked for, and once.

    `today` is the date that the reports state. Raises ChuError if there is no lake.
    """

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, today: datetime.date) -> None:
        self.settings = settings
        self.instance = instance
        self.today = today
        self.lake = Lake(lake_root(settings))
        require_known_format(self.lake.place)
        if published_edition(self.lake.place) is None:
            raise ChuError(f"the lake {settings.lake_place} has no published indicators yet: run `chu materialize`")

    @cached_property
    def catalogue(self) -> DescribedCatalogue:
        """All tables as they are declared."""
        return current_catalogue(self.lake.place, self.settings.work_folder)

    @cached_property
    def state(self) -> State:
        """What the lake holds of each table: rows, as coarse as they are published, and results of checks."""
        return State(self.lake, self.catalogue)

    @property
    def stated(self) -> str:
        """When and from what the reports are made."""
        edition = published_edition(self.lake.place)
        shown = f"l’édition n° {edition.number} du {french.day(edition.day)}" if edition else "aucune édition"
        return (
            f"Établi le {french.day(self.today)} par la commande `chu report`, version {PACKAGE_VERSION} de la "
            f"plateforme, sur un lac qui publie {shown}."
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of DuckDB SQL over the tables of the lake, each named `layer.table`, e.g. `facts.fact_death`."""
        return query(self.lake, self.catalogue, sql)

    def table(
        self,
        title: str,
        columns: Sequence[Column],
        sql: str,
        shown: Callable[[tuple[Any, ...]], Sequence[Cell]] | None = None,
    ) -> Table:
        """A table with the rows of a query; `shown` changes a row to its cells, by default each value to its text.

        Without rows, the table says so in its only row.
        """
        of_row = shown or (lambda row: [as_text(value) for value in row])
        rows = [of_row(row) for row in self.query(sql)] or [[NO_ROW, *[NOTHING] * (len(columns) - 1)]]
        return Table(title, columns, rows, command_of(sql))

    def figures(self, *asked: tuple[str, str]) -> Figures:
        """Measured figures: of each what it is, and a query that gives one value."""
        return Figures([Figure(what, as_text(self.query(sql)[0][0]), command_of(sql)) for what, sql in asked])


def as_text(value: object) -> str:
    """A value of the lake as French text."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, int):
        return french.number(value)
    if isinstance(value, float):
        return french.measured(value)
    return french.day(value) if isinstance(value, datetime.date) else str(value)
