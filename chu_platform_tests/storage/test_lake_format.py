"""The format number of a lake, and the upgrade of a lake that version 0.2.0 made to format 2.

`lake_0_2_0.tar.gz` is the lake of these commands with the code of the tag v0.2.0, without `.staging`:

    chu demo-pack PACK --scale 0.001
    CHU_SOURCES=PACK chu materialize --select 'key:references/region or key:sources/esatis48h_mco'
"""

import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import rejects_of
from chu_platform.references.region import region as region_of_today
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.storage.commit import commit_without_data, commit_written
from chu_platform.storage.damage import damage_of
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import FILE, FORMAT, format_of, record_format
from chu_platform.storage.partition_contents import recorded_contents, recorded_hashes, sha256
from chu_platform.storage.provenance import data_commits
from chu_platform.storage.upgrades import format_2, upgrade_lake
from chu_platform.tables.columns import LONG, STRING, Column
from chu_platform.tables.table import Table
from chu_platform_tests.pipeline.lake_rows import digest

pytestmark = pytest.mark.integration

OLD_LAKE = Path(__file__).with_name("lake_0_2_0.tar.gz")
# Tables as they are in the old lake: their declared columns may have changed since.
POPULATION = Column("population_2019", LONG, "habitants au 1er janvier 2019", "Population 2019", nullable=False)
region = replace(region_of_today, columns=[*region_of_today.columns, POPULATION])
TABLES = (region, esatis48h_mco, rejects_of(esatis48h_mco))


@pytest.fixture
def old(tmp_path: Path) -> Lake:
    with tarfile.open(OLD_LAKE) as archive:
        archive.extractall(tmp_path, filter="data")
    return Lake(tmp_path / "lake")


def versions(lake: Lake) -> Mapping[str, int]:
    return {t.folder: lake.version(t) for t in TABLES}


def upgrade(lake: Lake) -> list[str]:
    lines: list[str] = []
    assert upgrade_lake(lake, TABLES, lines.append)[1] == FORMAT
    return lines


def has_recorded_contents(lake: Lake, table: Table) -> bool:
    """Whether the last commit records the hash of each file of the table, and only these."""
    names = [f.removeprefix(f"{lake.path(table)}/") for f in DeltaTable(lake.path(table)).file_uris()]
    recorded = recorded_hashes(recorded_contents(lake.provenance(table)))
    return dict(recorded) == {name: sha256(lake.path(table) / name) for name in names}


def test_a_new_lake_has_the_present_format(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    assert format_of(lake.root) is None
    with pytest.raises(ChuError, match="has no table yet: there is nothing to upgrade"):
        upgrade(lake)
    lake.prepare()
    lake.prepare()
    assert format_of(lake.root) == FORMAT


def test_an_older_lake_is_not_written_before_its_upgrade(old: Lake) -> None:
    assert format_of(old.root) == 1
    with pytest.raises(ChuError, match=rf"has format 1, and this version needs format {FORMAT}: run `chu upgrade`$"):
        old.prepare()
    assert versions(old) == dict.fromkeys(versions(old), 0)
    upgrade(old)
    old.prepare()


def test_a_newer_lake_is_refused(old: Lake) -> None:
    (old.root / FILE).write_text(json.dumps({"format": FORMAT + 1, "version": "9.9.0"}))
    message = rf"has format {FORMAT + 1}, and chu_platform \S+ knows formats up to {FORMAT}: install chu_platform 9.9.0"
    for refused in (old.prepare, lambda: upgrade(old)):
        with pytest.raises(ChuError, match=message):
            refused()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "x", "version": "1"}'])
def test_a_damaged_number_is_refused(old: Lake, text: str) -> None:
    (old.root / FILE).write_text(text)
    for refused in (old.prepare, lambda: upgrade(old)):
        with pytest.raises(ChuError, match=r"format.json is damaged: restore it from a backup, or"):
            refused()


def test_the_upgrade_records_the_contents_and_keeps_rows_and_provenance(old: Lake) -> None:
    rows = {t: digest(old.path(t)) for t in TABLES}
    provenance = {t: old.provenance(t) for t in TABLES}
    assert not any("contents" in p for p in provenance.values())
    lines = upgrade(old)
    assert "restricted/sources/esatis48h_mco: contents of 3 partitions recorded" in lines
    assert {t: digest(old.path(t)) for t in TABLES} == rows
    for table in TABLES:
        assert has_recorded_contents(old, table)
        (commit,) = data_commits(old.path(table), old.version(table))
        assert {k: v for k, v in commit.items() if k != "contents"} == provenance[table]
        assert damage_of(old, table) == []
    before = versions(old)
    assert upgrade(old) == [] and versions(old) == before


def test_a_table_with_other_columns_is_left_as_it_is_for_the_next_run(old: Lake) -> None:
    """The old lake has a column of the regions that is no longer declared."""
    rows, provenance = digest(old.path(region)), old.provenance(region)
    lines: list[str] = []
    upgrade_lake(old, [region_of_today], lines.append)
    assert f"{region.folder}: has other columns than today; the next run writes it anew" in lines
    assert format_of(old.root) == FORMAT and old.version(region) == 0
    assert digest(old.path(region)) == rows and old.provenance(region) == provenance
    assert damage_of(old, region_of_today) == []
    with old.writing(region_of_today) as write:
        pq.write_table(old.arrow(region_of_today), write.rows / write.new_name("rows.parquet"))
        commit_written(old, region_of_today, write, None, {"run": "next"})
    assert old.version(region) == 1
    columns = [c.name for c in region_of_today.columns]
    assert [f.name for f in old.require(region_of_today).schema().fields] == columns
    assert has_recorded_contents(old, region_of_today) and damage_of(old, region_of_today) == []


def lost_by_filters(lake: Lake) -> list[str]:
    """The text columns in which delta-rs does not find all rows with the longest text."""
    found = []
    for table in TABLES:
        delta = DeltaTable(lake.path(table))
        for name in [c.name for c in table.columns if c.type == STRING]:
            texts = delta.to_pyarrow_table(columns=[name])[name].to_pylist()
            longest = max(filter(None, texts), key=len, default=None)
            rows = delta.to_pyarrow_table(filters=[(name, "=", longest)]).num_rows if longest else 0
            found += [name] if rows != texts.count(longest) and longest else []
    return found


def test_after_the_upgrade_filters_on_texts_find_their_rows(old: Lake) -> None:
    """Files of earlier versions have statistics of texts without bounds (decision 0035)."""
    assert lost_by_filters(old) == ["rs_finess_geo"]
    upgrade(old)
    assert lost_by_filters(old) == []


def test_the_data_commit_of_some_partitions_is_listed_once(old: Lake) -> None:
    """The upgrade repeats a data commit; a rebuild would otherwise make its partitions twice."""
    log = old.path(region) / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace('\\"whole\\": true', '\\"whole\\": false'))
    assert old.provenance(region)["whole"] is False
    upgrade(old)
    assert len(list(data_commits(old.path(region), old.version(region)))) == 1


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("point", range(5))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_upgrade_may_be_killed_at_any_point(
    old: Lake, monkeypatch: pytest.MonkeyPatch, point: int, after: bool
) -> None:
    """Before or after the commit of each table, and before or after each of the two numbers."""
    rows = {t: digest(old.path(t)) for t in TABLES}
    calls = 0

    def dying(original: object) -> object:
        def call(*arguments: object) -> None:
            nonlocal calls
            calls += 1
            if calls == point + 1 and not after:
                raise Killed
            original(*arguments)  # type: ignore[operator]
            if calls == point + 1:
                raise Killed

        return call

    with monkeypatch.context() as patch:
        patch.setattr(format_2, "commit_without_data", dying(commit_without_data))
        patch.setattr("chu_platform.storage.upgrades.record_format", dying(record_format))
        with pytest.raises(Killed):
            upgrade(old)
    numbers = max(0, point - 3 + after)
    assert format_of(old.root) == 1 + numbers
    assert {t: digest(old.path(t)) for t in TABLES} == rows
    upgrade(old)
    assert format_of(old.root) == FORMAT
    assert versions(old) == dict.fromkeys(versions(old), 1)
    assert all(has_recorded_contents(old, t) for t in TABLES)


def test_the_upgrade_does_not_record_what_is_damaged(old: Lake) -> None:
    first, second, _ = sorted(old.path(esatis48h_mco).rglob("*.parquet"))
    first.unlink()
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 1
    second.write_bytes(content)
    write_deltalake(old.path(region), old.arrow(region).slice(0, 1), mode="append")
    lines = upgrade(old)
    assert any("esatis48h_mco: 2 partitions are damaged; run `chu verify --repair`" in line for line in lines)
    assert {d.folder for d in damage_of(old, esatis48h_mco)} == {first.parent.name, second.parent.name}
    (found,) = damage_of(old, region)
    assert "by another tool" in found.finding
