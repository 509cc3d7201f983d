"""Upgrades of a lake: one module for each format that a lake can be brought to, with a function `upgrade`.

An upgrade can be killed at any point and started again. The number of the format is written last.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from chu_platform.errors import ChuError
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import FORMAT, format_of, record_format
from chu_platform.storage.upgrades import format_2, format_3, format_4, format_5
from chu_platform.tables.table import Table


class Upgrade(Protocol):
    """Brings the tables of a lake from the format before to a format, and reports what it does."""

    def __call__(self, lake: Lake, tables: Sequence[Table], report: Callable[[str], None]) -> None:
        """Upgrade the tables that exist. A table that is upgraded already is left alone."""


# By the format that they lead to.
UPGRADES: Final[Mapping[int, Upgrade]] = {
    2: format_2.upgrade,
    3: format_3.upgrade,
    4: format_4.upgrade,
    5: format_5.upgrade,
}


def upgrade_lake(lake: Lake, tables: Sequence[Table], report: Callable[[str], None]) -> tuple[int, int]:
    """Bring the lake to the present format; returns the format before and after. `tables` are all declared tables.

    Raises ChuError if the lake has no table, if its format is newer, or if its number cannot be read.
    """
    before = format_of(lake.place)
    if before is None:
        raise ChuError(f"the lake {lake.place} has no table yet: there is nothing to upgrade")
    for number in range(before + 1, FORMAT + 1):
        report(f"format {number - 1} to {number}")
        UPGRADES[number](lake, tables, report)
        record_format(lake.place, number)
    return before, FORMAT
