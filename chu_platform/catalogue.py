"""The catalogue: all tables of the platform, found in the modules of the declaration packages.

A new module in one of these packages adds its tables; no list needs a change.
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
    "history",
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
    """All tables, sorted by dependency: each table comes after those it needs."""
    order = TopologicalSorter({t: t.needs for t in _locations()})
    return list(order.static_order())


def declared_at(table: Table) -> tuple[Path, int]:
    """File and line number of the declaration of a table."""
    return _locations()[table]


@cache
def _locations() -> Mapping[Table, SourceLocation]:
    """All tables, with the file and line number of their declarations."""
    locations: dict[Table, SourceLocation] = {}
    for folder in DECLARATION_PACKAGES:
        declarations = declared(f"chu_platform.{folder}", DeclaresTables)  # type: ignore[type-abstract]
        for declaration, location in declarations.items():
            locations |= {t: location for t in declaration.tables if t not in locations}
    return locations
