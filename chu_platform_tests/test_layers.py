"""Nobody asks of which kind rows or readers are, but the modules that define the kinds."""

import ast
from pathlib import Path

import pytest

import chu_platform

pytestmark = pytest.mark.unit

ROOT = Path(chu_platform.__file__).parent
# Each kind, and the module that defines it.
KINDS = {
    "Query": "tables/rows.py",
    "Computed": "tables/rows.py",
    "DeliveredRows": "tables/rows.py",
    "Delivered": "ingest/delivered.py",
    "DeliveredFiles": "ingest/delivered_files.py",
    "CareTable": "ingest/care_tables.py",
}


def asked_kinds(code: str) -> set[str]:
    """The kinds that some code asks for: by `isinstance`, `issubclass`, `type(...) is` or a `match` pattern."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("isinstance", "issubclass"):
                found |= names_in(node.args[1])
        elif isinstance(node, ast.Compare):
            if any(isinstance(s, ast.Call) and ast.unparse(s.func) == "type" for s in (node.left, *node.comparators)):
                found |= names_in(node)
        elif isinstance(node, ast.MatchClass):
            found |= names_in(node.cls)
    return found & KINDS.keys()


def names_in(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def test_the_kind_of_rows_is_asked_in_its_own_module_only() -> None:
    asked = {
        (file.relative_to(ROOT).as_posix(), kind)
        for file in ROOT.rglob("*.py")
        for kind in asked_kinds(file.read_text(encoding="utf-8"))
    }
    assert {(file, kind) for file, kind in asked if KINDS[kind] != file} == set()
    assert ("ingest/delivered.py", "Delivered") in asked


def test_each_way_of_asking_is_seen() -> None:
    assert asked_kinds("isinstance(rows, Query | Computed)") == {"Query", "Computed"}
    assert asked_kinds("isinstance(t.rows.reader, (CareTable, DeliveredFiles))") == {"CareTable", "DeliveredFiles"}
    assert asked_kinds("type(rows) is Delivered") == {"Delivered"}
    assert asked_kinds("match rows:\n    case Query(): pass") == {"Query"}
    assert asked_kinds("Query('SELECT 1')") == set()
