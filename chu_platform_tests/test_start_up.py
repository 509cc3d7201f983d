"""What is imported to load the definitions and to start a command, and the package without its checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from chu_platform.settings import PROJECT

pytestmark = pytest.mark.integration

# Every code server and every launched run loads the definitions: what only a step or the portal needs is not among it.
USED_BY_STEPS = ["statsmodels", "scipy.stats", "scipy.optimize", "pyspark", "dagster_pyspark", "pandas"]
USED_BY_STEPS += ["adbc_driver_postgresql", "sqlglot", "sqlalchemy", "requests"]
NOT_IN_COMMANDS = [*USED_BY_STEPS, "dagster", "pyarrow", "duckdb", "deltalake", "numpy", "scipy", "jinja2", "starlette"]
# Prints the modules of the second argument (names with commas between) that the program of the first has imported.
PRINT_IMPORTED = "import sys; exec(sys.argv[1]); print([m for m in sys.argv[2].split(',') if m in sys.modules])"


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [("import chu_platform.definitions", USED_BY_STEPS), ("import chu_platform.cli", NOT_IN_COMMANDS)],
)
def test_what_is_not_needed_is_not_imported(program: str, unwanted: Sequence[str]) -> None:
    done = python("-c", PRINT_IMPORTED, program, ",".join(unwanted))
    assert done.stdout.strip() == "[]", done.stderr


def test_reading_the_files_of_a_table_imports_no_pandas(tmp_path: Path) -> None:
    """Its import takes a third of a second of the first document that the UI shows."""
    write_deltalake(str(tmp_path), pa.table({"a": [1]}))
    program = (
        "from deltalake import DeltaTable; from chu_platform.storage.lake import active_files; "
        f"assert active_files(DeltaTable({str(tmp_path)!r}))"
    )
    done = python("-c", PRINT_IMPORTED, program, "pandas,deltalake")
    assert done.stdout.strip() == "['deltalake']", done.stderr


def test_what_is_imported_is_found() -> None:
    done = python("-c", PRINT_IMPORTED, "import chu_platform.definitions", "dagster,pandas")
    assert done.stdout.strip() == "['dagster']", done.stderr


def test_the_version_is_that_of_the_package() -> None:
    assert python("-m", "chu_platform.cli", "--version").stdout == f"chu_platform {version('chu_platform')}\n"


def test_a_wheel_needs_no_checkout(tmp_path: Path) -> None:
    source, installed, elsewhere = tmp_path / "source", tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    source.mkdir()
    shutil.copy(PROJECT / "setup.py", source)
    shutil.copytree(PROJECT / "chu_platform", source / "chu_platform", ignore=shutil.ignore_patterns("__pycache__"))
    done = python(
        "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("chu_platform-*.whl"))) as wheel:
        wheel.extractall(installed)
    files = {f.relative_to(source) for f in (source / "chu_platform").rglob("*") if f.is_file()}
    assert [f for f in sorted(files) if not (installed / f).exists()] == []
    program = (
        "from chu_platform.serve import WORKSPACE; from chu_platform.settings import load_settings;"
        "print(WORKSPACE.read_text()[:9], load_settings().home, load_settings().notice_email)"
    )
    (elsewhere / ".env").write_text("CHU_NOTICE_EMAIL=night@example.org\n")
    done = python("-c", program, folder=elsewhere, path=installed)
    assert done.stdout.split() == ["load_from", str(elsewhere / ".chu"), "night@example.org"], done.stderr


def python(*arguments: str, folder: Path = PROJECT, path: Path = PROJECT) -> "subprocess.CompletedProcess[str]":
    """Run Python in a folder, with none of the settings of this process, and with the package of `path`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CHU_", "DAGSTER_"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
