"""The file of the described catalogue: written whole, for the code that runs, wherever it can be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chu_platform.describe_catalogue import described_catalogue
from chu_platform.description.file import (
    IN_LAKE,
    IN_WORK,
    as_text,
    code_hash,
    current_catalogue,
    current_text,
    read_catalogue,
    write_catalogue,
)
from chu_platform.errors import ChuError
from chu_platform.settings import Settings
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def text() -> bytes:
    return as_text(described_catalogue())


def hash_in(file: Path) -> str:
    return str(json.loads(file.read_bytes())["code_hash"])


def stale(text: bytes) -> bytes:
    """The same as other code would have written it."""
    return json.dumps({**json.loads(text), "code_hash": "other"}).encode()


def test_a_file_of_other_code_is_written_anew(text: bytes, tmp_path: Path) -> None:
    lake, work = tmp_path / "lake", tmp_path / "work"
    (lake / "published").mkdir(parents=True)
    (lake / IN_LAKE).write_bytes(stale(text))
    assert read_catalogue(lake, work).code_hash == "other"
    assert current_text(lake, work) == text
    assert hash_in(lake / IN_LAKE) == code_hash()
    assert [f.name for f in (lake / "published").iterdir()] == [IN_LAKE.name]
    assert (lake / IN_LAKE).stat().st_mode & 0o777 == 0o644


def test_a_lake_that_is_not_there_is_not_made(text: bytes, tmp_path: Path) -> None:
    lake, work = tmp_path / "lake", tmp_path / "work"
    write_catalogue(text, lake, work)
    assert not lake.exists()
    assert hash_in(work / IN_WORK) == code_hash()
    assert current_catalogue(lake, work).code_hash == read_catalogue(lake, work).code_hash == code_hash()


def test_where_nothing_can_be_written_the_tables_are_described_all_the_same(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert current_catalogue(blocked / "lake", blocked / "work").code_hash == code_hash()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"code_hash": "other"}'])
def test_a_file_that_cannot_be_read_is_as_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    (tmp_path / IN_LAKE).write_bytes(content)
    with pytest.raises(ChuError, match="run `chu serve` or `chu materialize`"):
        read_catalogue(tmp_path, tmp_path / "work")


def test_the_portal_alone_says_what_to_do_without_the_file(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "chu_platform.portal", "1"],
        env=home.environment(),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 1
    assert "run `chu serve` or `chu materialize`" in done.stderr and done.stderr.count("\n") == 1


def test_the_main_job_writes_the_file(made: Home) -> None:
    settings = Settings(home=made.folder)
    assert (settings.lake_folder / IN_LAKE).is_file()
    assert len(read_catalogue(settings.lake_folder, settings.work_folder).questions) == 16


FORBIDDEN = (
    "dagster", "statsmodels", "scipy", "pyspark", "pandas", "sqlglot", "chu_platform.kpis", "chu_platform.lineage",
    "chu_platform.pseudonymisation", "chu_platform.reports", "chu_platform.sources", "chu_platform.catalogue",
)  # fmt: skip


@pytest.mark.parametrize(
    "module", ["chu_platform.portal.app", "chu_platform.portal.__main__", "chu_platform.documents.site"]
)
def test_portal_and_documents_import_no_declaration_and_no_statistics(module: str) -> None:
    code = f"import sys, {module}; print(*(m for m in {FORBIDDEN} if m in sys.modules), {module!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=900, check=False)
    assert done.stdout.split() == ["True"], done.stdout + done.stderr
