"""What is declared in the modules of a package: nothing lists declarations, a module is found by being there."""

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TypeVar

Declared = TypeVar("Declared")
# File and line of a declaration.
Place = tuple[Path, int]


def declared(package: str, kind: type[Declared]) -> Mapping[Declared, Place]:
    """The objects of a kind that modules of a package assign to a variable, in order of module, with their place."""
    return {o: place for o, place in _assigned(package) if isinstance(o, kind)}


@cache
def _assigned(package: str) -> tuple[tuple[object, Place], ...]:
    found: list[tuple[object, Place]] = []
    for name in sorted(m.name for m in pkgutil.iter_modules(import_module(package).__path__)):
        module = import_module(f"{package}.{name}")
        file = Path(inspect.getfile(module))
        lines = file.read_text(encoding="utf-8").splitlines()
        # What a module imports from another one is not assigned by it.
        assigned = {line.split(" ", 1)[0].rstrip(":"): number for number, line in enumerate(lines, 1) if " = " in line}
        found += [(o, (file, assigned[variable])) for variable, o in vars(module).items() if variable in assigned]
    return tuple(found)
