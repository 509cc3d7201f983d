"""Discovery of declarations: objects that the modules of a package assign to variables. No list of them is kept."""

import inspect
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TypeVar

Declared = TypeVar("Declared")
# File and line number of a declaration.
SourceLocation = tuple[Path, int]


def declared(package: str, kind: type[Declared]) -> Mapping[Declared, SourceLocation]:
    """Objects of type `kind` that the modules of a package assign to variables, in alphabetical order of the modules.

    Objects that a module imports from another module are not included. Every module of the package is imported.
    """
    found: dict[Declared, SourceLocation] = {}
    for name in sorted(m.name for m in pkgutil.iter_modules(import_module(package).__path__)):
        module = import_module(f"{package}.{name}")
        file = Path(inspect.getfile(module))
        lines = file.read_text(encoding="utf-8").splitlines()
        assigned = {line.split(" ", 1)[0].rstrip(":"): number for number, line in enumerate(lines, 1) if " = " in line}
        for variable, value in vars(module).items():
            if isinstance(value, kind) and variable in assigned:
                found[value] = (file, assigned[variable])
    return found
