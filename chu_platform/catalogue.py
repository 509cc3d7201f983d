"""The catalogue: every table of the platform, found in the modules of the layers.

A new table is a new module in the folder of its layer; nothing else lists it.
"""

import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

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
    """Every table, with the file and line of its declaration; other modules of its layer may import it."""
    places: dict[Table, tuple[Path, int]] = {}
    for folder in DECLARATION_PACKAGES:
        package = import_module(f"chu_platform.{folder}")
        for name in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
            module = import_module(f"chu_platform.{folder}.{name}")
            file = Path(inspect.getfile(module))
            lines = file.read_text(encoding="utf-8").splitlines()
            assigned = {line.split(" ", 1)[0]: number for number, line in enumerate(lines, 1) if " = " in line}
            for variable, found in vars(module).items():
                if isinstance(found, Table) and variable in assigned:
                    places[found] = (file, assigned[variable])
    return places
