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

LAYERS = ("sources", "references", "pseudonyms", "dimensions", "facts", "kpis", "disclosure", "published", "reports")


@cache
def catalogue() -> Sequence[Table]:
    """All tables, each after those it needs."""
    order = TopologicalSorter({t: t.needs for t in _modules()})
    return list(order.static_order())


def declared_at(table: Table) -> tuple[Path, int]:
    """File and line where a table is declared."""
    file, variable = _modules()[table]
    lines = file.read_text(encoding="utf-8").splitlines()
    return file, next(number for number, line in enumerate(lines, 1) if line.startswith(f"{variable} = "))


@cache
def _modules() -> Mapping[Table, tuple[Path, str]]:
    """The module file that declares each table, and the variable it is declared as."""
    tables: dict[Table, tuple[Path, str]] = {}
    for layer in LAYERS:
        package = import_module(f"chu_platform.{layer}")
        for name in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
            module = import_module(f"chu_platform.{layer}.{name}")
            for variable, found in vars(module).items():
                # A module declares the table that it is named after; others import it.
                if isinstance(found, Table) and found.layer.value == layer and variable == name:
                    tables[found] = (Path(inspect.getfile(module)), variable)
    return tables
