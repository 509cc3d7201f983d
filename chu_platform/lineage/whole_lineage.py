"""Whole lineage of a column: back to the delivered columns."""

from typing import Final

from chu_platform.lineage.table_lineage import lineage_of
from chu_platform.tables.column_origins import End, WayBack
from chu_platform.tables.table import Table

Ends = frozenset[End[Table]]

_WAY_BACK: Final = WayBack[Table](lineage_of)
values_of = _WAY_BACK.values_of
influences_of = _WAY_BACK.influences_of
