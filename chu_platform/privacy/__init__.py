"""Statistical disclosure control of published tables: which cells to mask, and what an attacker would learn
from the rest.
"""

from chu_platform.privacy.attack import bounds, determined_cells, disclosed_cells
from chu_platform.privacy.relations import Relations, relations_by_key
from chu_platform.privacy.rules import SMALL_CELL
from chu_platform.privacy.suppression import protect

__all__ = [
    "SMALL_CELL",
    "Relations",
    "bounds",
    "determined_cells",
    "disclosed_cells",
    "protect",
    "relations_by_key",
]
