"""A lake in an object store: commits, two writers, interrupted writes, lost leases, and errors without secrets."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chu_platform.engine.engine import Engine
from chu_platform.errors import ChuError
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.pseudonymisation.lake_key import lake_key
from chu_platform.settings import Settings
from chu_platform.storage.commit import commit_written
from chu_platform.storage.held_deliveries import Held, HeldDeliveries, Shrunk
from chu_platform.storage.lake import Lake, TableLocked
from chu_platform.storage.lake_format import record_format
from chu_platform.storage.maintenance import maintain
from chu_platform.storage.provenance import data_commits
from chu_platform.storage.restore import restore
from chu_platform.storage.store import lake_root
from chu_platform.storage.store_path import StorePath, StoreUnavailable
from chu_platform.storage.upgrades import upgrade_lake
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform_tests.pipeline.canaries import canaries_in
from chu_platform_tests.storage.s3_server import BUCKET, SECRET, S3Server, s3_server
from chu_platform_tests.storage.small_table import put, rows_of, visits
from chu_platform_tests.storage.test_source_numbers import make_old

pytestmark = pytest.mark.integration
pytest.importorskip("moto", reason="moto is not installed")
pytest.importorskip("obstore", reason="obstore is not installed")

LAYERS = {Zone.RESTRICTED: Layer.SOURCES, Zone.PSEUDONYMISED: Layer.FACTS, Zone.PUBLISHED: Layer.PUBLISHED}
FIRST = {"2017": ["a", "b"], "2018": ["c"], "2019": ["d", "e", "f"]}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def settings(server: S3Server, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    return server.settings(tmp_path, f"s3://{BUCKET}/{request.node.name}")


@pytest.fixture
def lake(settings: Settings) -> Lake:
    lake = Lake(lake_root(settings))
    lake.prepare()
    return lake


def place(lake: Lake, table: Table) -> StorePath:
    found = lake.place_of(table)
    assert isinstance(found, StorePath)
    return found


def data_files(lake: Lake, table: Table) -> set[str]:
    return {name for name in place(lake, table).names() if name.endswith(".parquet")}


def codes(lake: Lake, table: Table, version: int | None = None) -> list[str]:
    return sorted(lake.arrow(table, version=version)["code"].to_pylist())


def test_the_lake_keeps_the_fingerprint_of_its_key(lake: Lake, tmp_path: Path) -> None:
    key = lake_key(lake, tmp_path / "secrets")
    assert lake_key(lake, tmp_path / "secrets") == key
    with pytest.raises(ChuError, match=r"with which the lake s3://\S+ was made is not in \S+ where there is no key"):
        lake_key(lake, tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


def test_the_upgrade_purges_source_numbers(lake: Lake, server: S3Server, tmp_path: Path) -> None:
    record_format(lake.place, 2)
    make_old(str(place(lake, fact_hospitalisation)), "stay_number", server.options())
    upgrade_lake(lake, [fact_hospitalisation], lambda _: None)
    stored = place(lake, fact_hospitalisation)
    assert stored.names() and all(name.startswith("_delta_log/") for name in stored.names())
    for name in stored.names():
        (stored / name).download(tmp_path / "copies" / name)
    assert canaries_in(tmp_path / "copies") == []
    assert len(list(data_commits(stored, 2))) == 1


def test_acceptances_of_deliveries_are_kept(lake: Lake) -> None:
    deliveries = HeldDeliveries(lake)
    assert (deliveries.held(), deliveries.acceptances()) == ([], [])
    deliveries.release("things", {})
    held = Held("things", "run 1", [Shrunk("a", "0", 100, 50)], "2026-01-01T00:00:00+00:00")
    deliveries.hold(held)
    assert deliveries.held() == [held]
    given = deliveries.accept(held, "me", "2026-01-02T00:00:00+00:00")
    deliveries.release("things", {"a": "0"})
    assert (deliveries.held(), deliveries.acceptances()) == ([], [given])


def test_partitions_are_replaced_and_equal_rows_make_no_version(lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    before = data_files(lake, visits())
    assert put(lake, visits(), rows_of(FIRST)).version == 0
    assert data_files(lake, visits()) == before
    # VACUUM would not see what a killed write by Spark leaves.
    (place(lake, visits()) / "_temporary" / "0" / "part-0.parquet").write_bytes(b"rows")
    changed = put(lake, visits(), rows_of({"2019": ["g"]}), CAMPAIGNS.between("2019", "2019"))
    assert not (place(lake, visits()) / "_temporary").is_dir()
    assert changed.changed == ["2019"]
    assert codes(lake, visits()) == ["a", "b", "c", "g"]
    assert codes(lake, visits(), version=0) == ["a", "b", "c", "d", "e", "f"]
    assert restore(lake, visits(), 0, "a run") == 2
    assert codes(lake, visits()) == ["a", "b", "c", "d", "e", "f"]


def test_the_engine_reads_and_writes_the_store(settings: Settings, lake: Lake) -> None:
    table = visits()
    put(lake, table, rows_of(FIRST))
    put(lake, table, rows_of({"2019": ["g"]}))
    engine = Engine(settings)
    try:
        with lake.writing(table) as write:
            engine.write(engine.declared(table, engine.read(lake.place_of(table), 0), None), table, write.target)
            write.fetch()
            commit_written(lake, table, write, None, {"run": "a run"})
    finally:
        engine.close()
    assert codes(lake, table) == ["a", "b", "c", "d", "e", "f"]


def test_small_files_are_rewritten(lake: Lake) -> None:
    table = replace(visits(), maintenance=replace(visits().maintenance, small_files=1))
    put(lake, table, rows_of(FIRST))
    with lake.writing(table) as write:
        for code in ("x", "y"):
            folder = write.rows / "campaign_year=2019"
            folder.mkdir(exist_ok=True)
            pq.write_table(
                rows_of({"2019": [code]}).drop(["campaign_year"]), folder / write.new_name(f"{code}.parquet")
            )
        commit_written(lake, table, write, CAMPAIGNS.between("2019", "2019"), {"run": "a run"})
    report = maintain(lake, table, table.maintenance, "a run")
    assert (report.before.small_files, report.after.small_files) == (2, 0)
    assert codes(lake, table) == ["a", "b", "c", "x", "y"]


def whole() -> Table:
    """A table without partitions."""
    return replace(visits(), partition_scheme=None)


def write_whole_table(lake: Lake, codes: list[str]) -> None:
    with lake.writing(whole()) as write:
        pq.write_table(rows_of({"2017": codes}).cast(whole().schema), write.rows / write.new_name("rows.parquet"))
        commit_written(lake, whole(), write, None, {"run": "a run"})


def end_before_commit(settings: Settings) -> None:
    lake, table = Lake(lake_root(settings)), whole()
    with lake.writing(table) as write:
        name = write.new_name("rows.parquet")
        pq.write_table(rows_of({"2018": ["lost"]}).cast(table.schema), write.rows / name)
        lake.make_durable(table, [name], write)
        os._exit(9)


def test_an_interrupted_write_is_invisible_and_vacuum_removes_it(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole_table(lake, ["kept"])
    before = data_files(lake, whole())
    process = multiprocessing.get_context("spawn").Process(target=end_before_commit, args=(settings,))
    process.start()
    process.join()
    (orphan,) = data_files(lake, whole()) - before
    assert (lake.version(whole()), codes(lake, whole())) == (0, ["kept"])
    with pytest.raises(TableLocked), lake.write_lock(whole(), wait=False):
        pass
    expired = lake.require(whole()).vacuum(0, dry_run=True, enforce_retention_duration=False, full=True)
    assert orphan in expired
    # The lease of the process that ended expires.
    monkeypatch.setattr("chu_platform.storage.lease.TTL", 1.0)
    write_whole_table(lake, ["next"])
    assert (lake.version(whole()), codes(lake, whole())) == (1, ["next"])


def test_who_lost_the_lease_commits_nothing(lake: Lake) -> None:
    write_whole_table(lake, ["kept"])
    (lock,) = (n for n in (lake.place / "restricted").names() if n.endswith(".lock"))  # type: ignore[union-attr]
    with lake.writing(whole()) as write:
        (lake.place / "restricted" / lock).write_bytes(b'{"number": 9, "holder": "other", "renewal": ""}')
        pq.write_table(rows_of({"2018": ["late"]}), write.rows / write.new_name("rows.parquet"))
        with pytest.raises(ChuError, match="was lost to another process"):
            commit_written(lake, whole(), write, None, {"run": "late"})
    assert (lake.version(whole()), codes(lake, whole())) == (0, ["kept"])
    assert len(data_files(lake, whole())) == 1


def test_a_missing_bucket_is_one_clear_error(settings: Settings) -> None:
    absent = Lake(lake_root(settings.model_copy(update={"lake": "s3://absent/lake"})))
    attempts: list[Callable[[], object]] = [absent.prepare, lambda: absent.open(visits())]
    for attempt in attempts:
        with pytest.raises(ChuError) as error:
            attempt()
        assert "s3://absent/lake" in str(error.value)
        assert "bucket does not exist" in str(error.value)
        assert SECRET not in str(error.value)


# Reads a table, so that copies of its files are made, says so, and waits.
READS = """
import sys
from chu_platform.settings import load_settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root
from chu_platform_tests.storage.s3_server import BUCKET, SECRET, S3Server, s3_server
from chu_platform_tests.storage.small_table import visits
lake = Lake(lake_root(load_settings()))
print(lake.arrow(visits()).num_rows, flush=True)
sys.stdin.read()
"""


def test_copies_of_a_killed_process_are_deleted_at_the_next_start(settings: Settings, lake: Lake) -> None:
    put(lake, visits(), rows_of(FIRST))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CHU_")},
        "CHU_HOME": str(settings.home),
        "CHU_LAKE": str(settings.lake),
        "CHU_LAKE_OPTIONS_RESTRICTED": str(settings.lake_options_restricted),
    }

    def copies() -> list[Path]:
        return list(settings.copies_folder.rglob("*.parquet"))

    with subprocess.Popen(
        [sys.executable, "-c", READS], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout
        assert reader.stdout.readline().strip() == "6"
        held = len(copies())
        lake_root(settings)
        assert len(copies()) == held > 0  # the reader still runs
        reader.kill()
        reader.wait()
    assert len(copies()) == held
    lake_root(settings)
    assert copies() == []


@pytest.fixture
def own_zones(tmp_path: Path) -> Iterator[Settings]:
    """A store in which the user of each zone may do nothing in the other zones."""
    prefixes = {str(zone): [f"strict/{zone}/"] for zone in Zone}
    prefixes["restricted"].append("strict/format.json")
    with s3_server() as server:
        server.create_users(prefixes)
        files = {zone: server.options_file(tmp_path / zone, zone) for zone in Zone}
        options: dict[str, Any] = {f"lake_options_{zone}": file for zone, file in files.items()}
        yield Settings(_env_file=None, home=tmp_path, lake=f"s3://{BUCKET}/strict", **options)


@pytest.mark.parametrize("url", ["gs://bucket/lake", "s3a://bucket/lake", "S3://bucket/lake"])
def test_other_stores_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ChuError, match="other stores are not supported"):
        lake_root(Settings(_env_file=None, home=tmp_path, lake=url))


def test_each_zone_has_its_own_credentials(own_zones: Settings) -> None:
    lake = Lake(lake_root(own_zones))
    tables = [replace(visits(), zone=zone, layer=layer) for zone, layer in LAYERS.items()]
    for table in tables:
        put(lake, table, rows_of(FIRST))
        assert codes(lake, table) == ["a", "b", "c", "d", "e", "f"]
    swapped = own_zones.model_copy(update={"lake_options_published": own_zones.lake_options_restricted})
    attempts: list[Callable[[], object]] = [
        lambda: Lake(lake_root(swapped)).prepare(),
        lambda: Lake(lake_root(swapped)).arrow(tables[-1]),
    ]
    for attempt in attempts:
        with pytest.raises(StoreUnavailable, match="the credentials are refused") as error:
            attempt()
        assert [
            word for word in ("arn:", "Error>", "AccessDenied", "strict/published") if word in str(error.value)
        ] == []
