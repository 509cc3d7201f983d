"""Serving components read rows through the gate. Those that read otherwise are listed here, with the reason."""

import ast
import tomllib
from pathlib import Path

import pytest

import chu_platform
from chu_platform.catalogue import catalogue
from chu_platform.indicators.indicator import indicators
from chu_platform.settings import PROJECT
from chu_platform.tables.table import Zone

pytestmark = pytest.mark.unit

ROOT = Path(chu_platform.__file__).parent
# The lowest layer of `pyproject.toml` whose packages show something to people; `rights` are commands on persons.
LOWEST_SERVING = "rights"
# What gives rows of the lake: methods of `Lake` and of Delta tables, and functions.
METHODS = {"relation", "current_rows", "markdown", "copy_rows", "to_pyarrow_table", "to_pyarrow_dataset", "to_pandas"}
NAMES = {"DeltaTable", "delta_table", "files_relation", "active_paths", "released_relation", "read_parquet"}
PUBLISHED = {
    "portal/reader.py": "the published zone",
    "terminal_tables.py": "the published tables of the indicators",
    "documents/table_status.py": "two reports of the published zone",
}
ADMITTED = {
    "kpi_query.py": "computes the rows that the gate then filters, and the limits of the data",
    "exact_figures/cube_table.py": "counts the rows that the gate then filters",
    "committee/sql.py": "asks the gate first; the reports of the committee read for nobody: they are made by assets",
    "rights/person_in_lake.py": "looks for whom `chu erase` erases, and shows no row",
    "rights/rotate.py": "compares figures under two keys, and shows none",
    "rights/scan.py": "tells files in which an erased person is found, and no row",
    "risk/table_risks.py": "measures shares of rows, which `chu risk` is admitted to",
    "trace/edition_cells.py": "what `chu trace` is admitted to, and `chu verify` compares",
    "trace/published_cells.py": "published tables, and editions that were published",
    "trace/rebuild.py": "compares rows, and shows none",
    "trace/trace.py": "asks the gate for the exact row",
    "trace/verify.py": "compares; asks the gate before it shows a figure",
}


def readers(code: str) -> set[str]:
    """What some code calls or imports that gives rows of the lake."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and (
            node.attr in METHODS or (node.attr == "arrow" and "lake" in ast.unparse(node.value))
        ):
            found.add(node.attr)
        elif isinstance(node, ast.Name) and node.id in NAMES:
            found.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.name for alias in node.names} & NAMES
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "read_parquet(" in node.value:
            found.add("read_parquet")
    return found


def serving() -> list[str]:
    """The packages and modules of the layers from the command line down to LOWEST_SERVING."""
    read = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    layers = read["tool"]["importlinter"]["contracts"][0]["layers"]
    return [name for layer in layers[: layers.index(LOWEST_SERVING) + 1] for name in layer.split(" | ")]


def files() -> list[Path]:
    return [
        file
        for name in serving()
        for file in ((ROOT / name).rglob("*.py") if (ROOT / name).is_dir() else [ROOT / f"{name}.py"])
    ]


def test_every_user_interface_is_one_of_them() -> None:
    assert {"cli", "committee", "documents", "exact_figures", "governance", "kpi_query", "portal", "risk"} <= {
        *serving()
    }
    assert {"read_only_webserver", "rights", "signin", "terminal_tables", "trace", "webserver"} <= {*serving()}
    assert all(file.exists() for file in files())


def test_serving_components_read_rows_through_the_gate() -> None:
    found = {file.relative_to(ROOT).as_posix() for file in files() if readers(file.read_text("utf-8"))}
    assert found - PUBLISHED.keys() - ADMITTED.keys() == set(), "read through `access.gate.Gate.open_table`"
    assert (PUBLISHED.keys() | ADMITTED.keys()) - found == set(), "not an exception any more"


@pytest.mark.parametrize(
    "code",
    [
        "lake.relation(table)",
        "self._lake.arrow(table)",
        "lake.current_rows(table)",
        "DeltaTable('x')",
        "from deltalake import DeltaTable",
        "connection.sql(f\"FROM read_parquet('{place}')\")",
    ],
)
def test_each_way_of_reading_is_seen(code: str) -> None:
    assert readers(code)


def test_reading_what_is_no_table_of_the_lake_is_not() -> None:
    assert not readers("engine.arrow(rows); relation(question); connection.sql('SELECT 1').to_arrow_table()")


def test_what_is_read_without_the_gate_is_published() -> None:
    by_name = {f"{t.layer}/{t.name}": t for t in catalogue()}
    for report in ("reports/check_result", "reports/source_quality"):
        assert by_name[report].zone is Zone.PUBLISHED
    assert {indicator.masked.zone for indicator in indicators()} == {Zone.PUBLISHED}
