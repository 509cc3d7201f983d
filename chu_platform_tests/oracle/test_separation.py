"""The oracle, the recomputation and the platform's queries are three separate implementations."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import chu_platform

PACKAGE = Path(chu_platform.__file__).parent
# Number of consecutive words in the compared fragments of SQL. Punctuation is ignored.
LENGTH = 8


def modules(package: str) -> list[Path]:
    found = sorted((PACKAGE / package).rglob("*.py"))
    assert len(found) > 3
    return found


def imported(file: Path) -> Iterator[str]:
    """Modules of the platform that a file imports, without `chu_platform.`, and names imported from packages."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name.removeprefix("chu_platform.") for name in names if name.split(".")[0] == "chu_platform")


@pytest.mark.unit
@pytest.mark.parametrize(
    ("package", "allowed", "forbidden"),
    [
        ("oracle", ("oracle.", "care_database.embedded_postgres."), ()),
        (
            "recomputation",
            ("recomputation.", "sources.", "references.", "history.", "storage.", "tables."),
            ("tables.spark_sql",),
        ),
    ],
)
def test_imports_of_the_independent_implementations(
    package: str, allowed: tuple[str, ...], forbidden: tuple[str, ...]
) -> None:
    """Neither imports the other, or the modules that make facts, indicators and masks.

    The history of a register is an input: what was delivered before cannot be computed again.
    """
    names = {name for file in modules(package) for name in imported(file)}
    assert any(name.startswith(f"{package}.") for name in names)
    wrong = [name for name in names if not name.startswith(allowed) or (forbidden and name.startswith(forbidden))]
    assert wrong == []


@pytest.mark.integration
def test_only_the_demonstration_pack_imports_the_oracle() -> None:
    users = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        for name in imported(file)
        if name.startswith("oracle.") and file.parent.name != "oracle"
    }
    assert users == {"demo/pack.py"}


def fragments(package: str) -> set[tuple[str, ...]]:
    """All fragments of the string literals of a package, without docstrings and SQL comments."""
    found = set()
    for file in modules(package):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        docstrings = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                words = re.findall(r"\w+", re.sub("--.*", "", node.value))
                found |= {tuple(words[i : i + LENGTH]) for i in range(len(words) - LENGTH + 1)}
    return found


@pytest.mark.unit
def test_the_oracle_and_the_recomputation_share_no_sql() -> None:
    oracle, recomputation = fragments("oracle"), fragments("recomputation")
    assert min(len(oracle), len(recomputation)) > 500
    assert oracle & recomputation == set()
