"""Statistical disclosure control of published tables: the cells to mask, and what an attacker can compute from the
other cells.
"""

from chu_platform.sdc.attack import bounds, determined_cells, disclosed_cells
from chu_platform.sdc.relations import Relations, relations_by_key
from chu_platform.sdc.suppression import protect
from chu_platform.sdc.suppression_rules import SMALL_CELL

__all__ = [
    "SMALL_CELL",
    "Relations",
    "bounds",
    "determined_cells",
    "disclosed_cells",
    "protect",
    "relations_by_key",
]
