"""Discovery of the declarations in the modules of a package."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from chu_platform.building_blocks.care_quality import CareQuality
from chu_platform.catalogue import DECLARATION_PACKAGES, _locations, catalogue, declared_at
from chu_platform.tables.discovery import declared
from chu_platform.tables.table import Table

pytestmark = pytest.mark.unit

ADDED = """from chu_platform.references.region import region
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

added_table = Table(
    name="added_table",
    layer=Layer.REFERENCES,
    zone=Zone.PUBLISHED,
    grain="une région",
    label="Ajout",
    owner="team:platform",
    columns=[Column("region_code", STRING, "code", "Code", key=True)],
    reads={"region": region},
    rows=Query("SELECT region_code FROM {region}"),
)
"""


@pytest.fixture(params=DECLARATION_PACKAGES)
def package(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of declarations with one added module."""
    name = f"chu_platform.{request.param}"
    (tmp_path / "added_table.py").write_text(ADDED, encoding="utf-8")
    module = import_module(name)
    monkeypatch.setattr(module, "__path__", [*module.__path__, str(tmp_path)])
    for function in (catalogue, _locations):
        function.cache_clear()
    yield name
    sys.modules.pop(f"{name}.added_table", None)
    vars(module).pop("added_table", None)
    for function in (catalogue, _locations):
        function.cache_clear()


def test_a_table_of_a_new_module_is_in_the_catalogue(package: str, tmp_path: Path) -> None:
    (added,) = (t for t in catalogue() if t.name == "added_table")
    assert declared_at(added) == (tmp_path / "added_table.py", 6)
    assert [t.name for t in added.needs] == ["region"]
    assert sum(t.name == "region" and t.layer == "references" for t in catalogue()) == 1


def test_imported_tables_are_not_declarations_of_the_importing_module() -> None:
    found = declared("chu_platform.facts", Table)
    assert {t.layer.value for t in found} == {"facts"}


def test_only_objects_of_the_given_type_are_found() -> None:
    files = declared("chu_platform.sources", CareQuality)
    assert len(files) >= 12
    assert {f.table for f in files} <= set(declared("chu_platform.sources", Table))
