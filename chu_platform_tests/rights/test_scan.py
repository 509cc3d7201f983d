"""The search for persons: what it finds in rows, bytes, and compressed values, and what is of somebody else."""

import json
import sqlite3
import zlib
from contextlib import AbstractContextManager, closing
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.compat.dagster_postgres_storage import EventLog
from chu_platform.rights.case import Case
from chu_platform.rights.scan import Sought, scan_folder, scan_lake, scan_storage
from chu_platform.storage.lake import Lake
from chu_platform_tests.compat.test_dagster_postgres_storage import Database

PSEUDONYM = "0123456789abcdef" * 2
CASE = Case(
    "a",
    "somebody",
    "2026-11-30T12:00:00+00:00",
    {},
    {},
    [("Péran", "Zoé-Anne")],
    [("Martin", "Anne")],
    ["zoe@example.org", "0612345678"],
    [PSEUDONYM],
    {},
    [],
)
FOUND = {
    "line.log": b"no row for P\xc3\xa9ran Zo\xc3\xa9-Anne",
    "capitals.log": "ZOÉ-ANNE;PÉRAN".encode(),
    "page.bin": "\x11Civil\x0fPéran\x15Zoé-Anne".encode(),
    "quoted.log": "«\xa0Péran Zoé-Anne".encode(),
    "quoted_old.log": "«\xa0Péran Zoé-Anne".encode("cp1252"),
    "old.log": "péran, zoé-anne".encode("cp1252"),
    "wide.log": "zoe@example.org".encode("utf-16-le"),
    "escaped.json": json.dumps({"said": "Péran Zoé-Anne"}).encode(),
    "escaped_capitals.json": json.dumps({"said": "ZOÉ-ANNE PÉRAN"}).encode(),
    "number.log": b"tel=0612345678;",
    "pseudonym.json": f'{{"key": "{PSEUDONYM}"}}'.encode(),
}
OTHERS = {
    "family.log": "Péran Anne".encode(),
    "far.log": "Péran, who lives in another town, and Zoé-Anne".encode(),
    "shared.log": b"Martin Anne",
    "end_of_another_name.bin": b"\x11Le" + "péran\x13Zoé-Anne".encode(),
    "end_of_another_name.log": "éPéran Zoé-Anne".encode(),
    "longer.log": b"106123456780",
    "hash.json": f'{{"sha256": "{PSEUDONYM}{PSEUDONYM}"}}'.encode(),
}


@pytest.mark.unit
def test_what_is_found_in_bytes(tmp_path: Path) -> None:
    for name, content in {**FOUND, **OTHERS}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "apart").mkdir()
    (tmp_path / "apart" / "line.log").write_bytes(FOUND["line.log"])
    scanned = scan_folder(tmp_path, Sought(CASE), [tmp_path / "apart"])
    assert scanned.files == len(FOUND) + len(OTHERS)
    assert {Path(place).name for place in scanned.found} == {*FOUND}


@pytest.mark.unit
def test_what_is_found_at_the_border_of_two_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chu_platform.rights.scan.BLOCK", 100)
    monkeypatch.setattr("chu_platform.rights.scan.OVERLAP", 40)
    (tmp_path / "long.log").write_bytes(b"x" * 95 + b" " + FOUND["line.log"] + b" " + b"x" * 300)
    assert len(scan_folder(tmp_path, Sought(CASE), []).found) == 1


@pytest.mark.unit
def test_what_is_found_in_compressed_values_of_a_database(tmp_path: Path) -> None:
    for name, text in (("found", FOUND["line.log"]), ("other", OTHERS["family.log"])):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection, connection:
            connection.execute("CREATE TABLE events (body BLOB)")
            connection.execute("INSERT INTO events VALUES (?)", [zlib.compress(text * 20)])
    assert [Path(f).name for f in scan_folder(tmp_path, Sought(CASE), []).found] == ["found.db"]


@pytest.mark.integration
def test_what_is_found_in_a_storage_on_a_server(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    database = Database(postgres, tmp_path)
    try:
        with database.instance(ours=True) as instance:
            assert scan_storage(instance, Sought(CASE)).found == []
            for key, text in (("other", OTHERS["family.log"]), ("found", FOUND["line.log"])):
                instance.report_runless_asset_event(dg.AssetMaterialization(key, text.decode()))
            scanned = scan_storage(instance, Sought(CASE))
            assert "Dagster's storage: table event_logs" in scanned.found and scanned.files > 10
            with log_connection(instance) as connection:
                connection.execute(sqlalchemy.text("DELETE FROM event_logs"))
                connection.execute(sqlalchemy.text("UPDATE asset_keys SET last_materialization = NULL"))
            assert scan_storage(instance, Sought(CASE)).found == []
            compressed = zlib.compress(FOUND["pseudonym.json"] * 20)
            with log_connection(instance) as connection:
                insert = sqlalchemy.text(
                    "INSERT INTO snapshots (snapshot_id, snapshot_body, snapshot_type) VALUES ('a', :b, 'c')"
                )
                connection.execute(insert, {"b": compressed})
            assert scan_storage(instance, Sought(CASE)).found == ["Dagster's storage: table snapshots"]
    finally:
        postgres.drop_database(database.name)
    with dg.DagsterInstance.ephemeral() as ephemeral:
        assert scan_storage(ephemeral, Sought(CASE)).files == 0


def log_connection(instance: dg.DagsterInstance) -> AbstractContextManager[sqlalchemy.Connection]:
    """A connection to the storage of events."""
    log = instance.event_log_storage
    assert isinstance(log, EventLog)
    return log.index_connection()


@pytest.mark.unit
def test_more_texts_than_one_pattern_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chu_platform.rights.scan.TEXTS_OF_PATTERN", 2)
    test_what_is_found_in_bytes(tmp_path)


@pytest.mark.unit
def test_what_is_found_in_rows(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    tables = {
        "restricted/sources/a/names": {"n": [1], "nom": ["PERAN"], "prenom": ["zoé-anne"]},
        "restricted/sources/b/apart": {"nom": ["PERAN"], "prenom": ["Léa"], "next": ["Zoé-Anne"]},
        "restricted/sources/c/number": {"n": [612345678], "tel": ["06 1"]},
        "restricted/sources/d/contact": {"mail": ["ZOE@example.org"]},
        "pseudonymised/facts/e/one": {"key": [PSEUDONYM], "weight": [0.5]},
        "pseudonymised/facts/e/two": {"key": [PSEUDONYM[::-1]], "weight": [0.5]},
        "pseudonymised/facts/e/other_columns": {"label": [f"x {PSEUDONYM}"]},
        "pseudonymised/facts/e/_delta_log/0.checkpoint": {"add": [{"stats": f'{{"min": "{PSEUDONYM}"}}'}]},
    }
    for name, columns in tables.items():
        file = tmp_path / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), file, compression="zstd")
    found = {place.removeprefix("lake: ").removesuffix(".parquet") for place in scan_lake(lake, Sought(CASE)).found}
    a, _, _, d, one, _, more, checkpoint = tables
    assert found == {a, d, one, more, checkpoint}
