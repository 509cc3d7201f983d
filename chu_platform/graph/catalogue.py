"""The catalogue: every table of the platform, found in the modules of the layers.

A new table is a new module in the folder of its layer; nothing else lists it.
"""

import pkgutil
from collections.abc import Sequence
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module

from chu_platform.tables.table import Table

LAYERS = ("sources", "references", "pseudonyms", "dimensions", "facts", "kpis", "disclosure", "published")


@cache
def catalogue() -> Sequence[Table]:
    """All tables, each after those it reads."""
    tables: dict[Table, None] = {}
    for layer in LAYERS:
        package = import_module(f"chu_platform.{layer}")
        for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
            found = vars(import_module(f"chu_platform.{layer}.{module}")).values()
            tables |= {t: None for t in found if isinstance(t, Table)}
    order = TopologicalSorter({t: t.needs for t in tables})
    return list(order.static_order())
