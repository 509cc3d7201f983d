"""Private parts of Dagster and of PySpark's Connect client are used in `chu_platform.compat` alone."""

import ast
import re
from collections.abc import Iterator

import pytest

from chu_platform.settings import PROJECT

pytestmark = pytest.mark.unit

# In dagster.yaml, Dagster reads `dagster.core` as `dagster._core`.
PRIVATE_MODULE = re.compile(r"\b(dagster(_\w+)?|dg)\.(_\w|core\b)[\w.]*")
# The spelling of Dagster's documentation of dagster.yaml: see `chu_platform.compat`.
DOCUMENTED = {"dagster.core.storage.noop_compute_log_manager"}
CONNECT_CLIENT = {"_session_id", "_user_id", "_builder", "_channel"}
# What a source with a private name has in its text: most sources have none of it, and need not be parsed.
MENTIONED = re.compile("|".join((r"dagster", r"\bdg\b", *sorted(CONNECT_CLIENT))))
COMPAT = PROJECT / "chu_platform" / "compat"
SOURCES = [
    f for d in ("chu_platform", "chu_platform_tests", "docker", "benchmarks") for f in PROJECT.joinpath(d).rglob("*.py")
]
CONFIGURATIONS = [
    f for pattern in ("*.yaml", "*.yml") for d in ("chu_platform", "docker") for f in PROJECT.joinpath(d).rglob(pattern)
]


def named_modules(text: str) -> Iterator[str]:
    """Private modules of Dagster that are named anywhere in a text, except the documented ones."""
    yield from (m[0] for m in PRIVATE_MODULE.finditer(text) if m[0] not in DOCUMENTED)


def private_names(source: str) -> Iterator[str]:
    """Private modules of Dagster that are imported or named in a string, and private attributes of a Connect client.

    Docstrings are not searched.
    """
    if not MENTIONED.search(source):
        return
    tree = ast.parse(source)
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if PRIVATE_MODULE.match(a.name))
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{a.name}" for a in node.names]
            yield from (n for n in names if PRIVATE_MODULE.match(n))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            yield from named_modules(node.value)
        elif isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id == "self"
            if (node.attr in CONNECT_CLIENT and not own) or (
                root_of(node).startswith(("dagster", "dg")) and PRIVATE_MODULE.match(ast.unparse(node))
            ):
                yield ast.unparse(node)


def root_of(attribute: ast.Attribute) -> str:
    """The name before the first point; empty where there is none."""
    node: ast.expr = attribute
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def test_no_module_outside_compat_uses_private_names() -> None:
    found = {
        str(file.relative_to(PROJECT)): names
        for file in SOURCES
        if not file.is_relative_to(COMPAT) and (names := list(private_names(file.read_text(encoding="utf-8"))))
    }
    assert found == {}


def test_no_configuration_names_a_private_module() -> None:
    assert PROJECT / "docker" / "dagster.yaml" in CONFIGURATIONS
    found = {file.name: names for file in CONFIGURATIONS if (names := list(named_modules(file.read_text("utf-8"))))}
    assert found == {}


def test_compat_holds_no_module_that_needs_no_private_name() -> None:
    needless = [f.name for f in COMPAT.glob("*.py") if f.name != "__init__.py" and not [*private_names(f.read_text())]]
    assert needless == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from {d}._core.errors import DagsterError", True),
        ("from {d} import _check", True),
        ("import {d}._check as check", True),
        ("import {d}\nprint({d}._core.storage)", True),
        ("command = ['-m', '{d}._daemon']", True),
        ("from {d}_webserver._cli import main", True),
        ("settings = 'storage:\\n  module: {d}.core.storage.root'", True),
        ("settings = 'compute_logs:\\n  module: {d}.core.storage.noop_compute_log_manager'", False),
        ("session.client._channel.close()", True),
        ("from {d} import AssetKey\nimport {d}_webserver.cli\nself._channel = None", False),
    ],
)
def test_private_names_are_found(source: str, found: bool) -> None:
    assert any(private_names(source.format(d="dagster"))) is found
