"""Finding what the modules of a package declare, so that no list has to name them."""

import inspect
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TypeVar

Kind = TypeVar("Kind")


def declared(package: str, kind: type[Kind]) -> Mapping[Kind, tuple[Path, int]]:
    """Everything of a kind that a module of the package assigns to a name at its top level, with file and line.

    In order of the modules' names. What a module only imports is not declared there. Every module is imported.
    """
    found: dict[Kind, tuple[Path, int]] = {}
    for name in sorted(m.name for m in pkgutil.iter_modules(import_module(package).__path__)):
        module = import_module(f"{package}.{name}")
        file = Path(inspect.getfile(module))
        lines = file.read_text(encoding="utf-8").splitlines()
        assigned = {line.split(" ", 1)[0]: number for number, line in enumerate(lines, 1) if " = " in line}
        for variable, value in vars(module).items():
            if isinstance(value, kind) and variable in assigned:
                found[value] = (file, assigned[variable])
    return found
