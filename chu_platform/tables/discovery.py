"""What is declared in the modules of a package: nothing lists declarations, a module is found by being there."""

import inspect
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TypeVar

Declared = TypeVar("Declared")
# File and line of a declaration.
Place = tuple[Path, int]


def declared(package: str, kind: type[Declared]) -> Mapping[Declared, Place]:
    """The objects of a kind that modules of a package assign to a variable, with file and line, in order of module.

    What a module imports from another one is not declared there. Every module of the package is imported.
    """
    found: dict[Declared, Place] = {}
    for name in sorted(m.name for m in pkgutil.iter_modules(import_module(package).__path__)):
        module = import_module(f"{package}.{name}")
        file = Path(inspect.getfile(module))
        lines = file.read_text(encoding="utf-8").splitlines()
        assigned = {line.split(" ", 1)[0].rstrip(":"): number for number, line in enumerate(lines, 1) if " = " in line}
        for variable, value in vars(module).items():
            if isinstance(value, kind) and variable in assigned:
                found[value] = (file, assigned[variable])
    return found
