"""The catalogue: every table of the platform, found in the modules of the packages that hold declarations.

A new table is a new module in one of them; nothing else lists it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

from chu_platform.tables.discovery import SourceLocation, declared
from chu_platform.tables.table import DeclaresTables, Table

DECLARATION_PACKAGES: Final = (
    "sources",
    "references",
    "pseudonymisation",
    "dimensions",
    "facts",
    "periods",
    "masks",
    "kpis",
    "release",
    "reports",
)


@cache
def catalogue() -> Sequence[Table]:
    """All tables, each after those it needs."""
    order = TopologicalSorter({t: t.needs for t in _locations()})
    return list(order.static_order())


def declared_at(table: Table) -> tuple[Path, int]:
    """File and line where a table is declared."""
    return _locations()[table]


@cache
def _locations() -> Mapping[Table, SourceLocation]:
    """Every table, with the file and line of its declaration."""
    places: dict[Table, SourceLocation] = {}
    for folder in DECLARATION_PACKAGES:
        found = declared(f"chu_platform.{folder}", DeclaresTables)  # type: ignore[type-abstract]
        for declaration, place in found.items():
            places |= {t: place for t in declaration.tables if t not in places}
    return places
