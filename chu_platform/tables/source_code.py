"""The code that makes a table's rows: the text of its function, and of everything of the platform that this one uses.

A function is followed through the names it uses to other functions, the methods of classes and constants, within this
package. What other packages do is not followed: their versions are those of the platform's. A name that is looked up
at run time only (an attribute of an argument) is not seen either.

Here: from functions to texts. Not here: what the texts are used for (table, lake.code).
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache, cached_property, partial
from types import CodeType, FunctionType
from typing import Any, Final

PACKAGE: Final = __name__.partition(".")[0]
PLAIN: Final = (str, bytes, int, float, bool, type(None))


def texts_of(*roots: object) -> Mapping[str, str]:
    """The text of each function, method and constant behind `roots`, by its qualified name, in order of name."""
    found: dict[str, str] = {}
    seen: set[int] = set()
    # The objects are kept, so that their ids stay theirs.
    pending: list[tuple[str, object]] = [("", root) for root in roots]
    kept: list[object] = []
    while pending:
        name, thing = pending.pop()
        if id(thing) in seen:
            continue
        if not isinstance(thing, PLAIN):
            seen.add(id(thing))
            kept.append(thing)
        function = _function(thing)
        if function is not None:
            # The methods that @dataclass makes have no text: the fields of the class are seen in what it holds.
            if _ours(function.__module__) and not function.__code__.co_filename.startswith("<"):
                label = f"{function.__module__}.{function.__qualname__}"
                found[label] = _source(function)
                pending += _used(function)
        elif isinstance(thing, (*PLAIN, re.Pattern)):
            if name:
                found[name] = repr(thing)
        else:
            pending += _parts(name, thing)
    return dict(sorted(found.items()))


def _ours(module: str | None) -> bool:
    """Whether a module is of this package, or of its tests."""
    return (module or "").startswith(PACKAGE)


def _function(thing: object) -> FunctionType | None:
    """The function behind what is called: decorated, bound, a property, or partly given its arguments."""
    if isinstance(thing, property):
        thing = thing.fget
    elif isinstance(thing, cached_property | partial):
        thing = thing.func
    elif isinstance(thing, staticmethod | classmethod):
        thing = thing.__func__
    if not isinstance(thing, type) and callable(thing):
        thing = inspect.unwrap(thing)
    thing = getattr(thing, "__func__", thing)
    return thing if isinstance(thing, FunctionType) else None


_source = cache(inspect.getsource)


def _used(function: FunctionType) -> Iterator[tuple[str, object]]:
    """What a function uses: globals of its module by name, and what it closes over."""
    for name in _names_of(function):
        if name in function.__globals__:
            yield f"{function.__module__}.{name}", function.__globals__[name]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield f"{function.__module__}.{function.__qualname__}.{name}", cell.cell_contents


@cache
def _names_of(function: FunctionType) -> Sequence[str]:
    """The names that a function uses, in order: many tables share one function."""
    return sorted(_names(function.__code__))


def _names(code: CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _followed(class_: type) -> bool:
    """Whether a class is more than a word of a declaration: tables have a code version of their own."""
    vocabulary = class_.__module__.startswith(f"{PACKAGE}.tables.") or issubclass(class_, Enum)
    return _ours(class_.__module__) and not vocabulary


def _parts(name: str, thing: Any) -> Iterator[tuple[str, object]]:
    """What a constant is made of: items, the fields and the class of a record; a class is its methods."""
    if isinstance(thing, Mapping):
        for key, value in thing.items():
            yield f"{name}[{key!r}]", value
    elif isinstance(thing, list | tuple):
        for number, value in enumerate(thing):
            yield f"{name}[{number}]", value
    elif isinstance(thing, set | frozenset):
        yield name, repr(sorted(map(repr, thing)))
    elif isinstance(thing, type):
        if _followed(thing):
            yield from ((f"{name}.{n}", v) for n, v in vars(thing).items() if _function(v))
            yield from (("", base) for base in thing.__bases__)
    elif is_dataclass(thing) and _followed(type(thing)):
        yield "", type(thing)
        yield from ((f"{name}.{f.name}" if name else "", getattr(thing, f.name)) for f in fields(thing))
