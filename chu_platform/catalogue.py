"""The catalogue: every table of the platform, found in the modules of the layers.

A new table is a new module in the folder of its layer; nothing else lists it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from chu_platform.tables.discovery import declared
from chu_platform.tables.table import Table

DECLARATION_PACKAGES = (
    "sources",
    "references",
    "pseudonymisation",
    "dimensions",
    "facts",
    "periods",
    "kpis",
    "masks",
    "published",
    "reports",
)


@cache
def catalogue() -> Sequence[Table]:
    """All tables, each after those it needs."""
    order = TopologicalSorter({t: t.needs for t in _places()})
    return list(order.static_order())


def declared_at(table: Table) -> tuple[Path, int]:
    """File and line where a table is declared."""
    return _places()[table]


@cache
def _places() -> Mapping[Table, tuple[Path, int]]:
    """Every table, with the file and line of its declaration."""
    found: dict[Table, tuple[Path, int]] = {}
    for package in DECLARATION_PACKAGES:
        found |= declared(f"chu_platform.{package}", Table)
    return found
