"""The search for persons: what it finds in rows, bytes, and compressed values, and what is of somebody else."""

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chu_platform.rights.case import Case
from chu_platform.rights.scan import Sought, scan_folder, scan_lake
from chu_platform.storage.lake import Lake

pytestmark = pytest.mark.unit

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
    "old.log": "péran, zoé-anne".encode("cp1252"),
    "wide.log": "zoe@example.org".encode("utf-16-le"),
    "number.log": b"tel=0612345678;",
    "pseudonym.json": f'{{"key": "{PSEUDONYM}"}}'.encode(),
}
OTHERS = {
    "family.log": "Péran Anne".encode(),
    "far.log": "Péran, who lives in another town, and Zoé-Anne".encode(),
    "shared.log": b"Martin Anne",
    "longer.log": b"106123456780",
    "hash.json": f'{{"sha256": "{PSEUDONYM}{PSEUDONYM}"}}'.encode(),
}


def test_what_is_found_in_bytes(tmp_path: Path) -> None:
    for name, content in {**FOUND, **OTHERS}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "apart").mkdir()
    (tmp_path / "apart" / "line.log").write_bytes(FOUND["line.log"])
    scanned = scan_folder(tmp_path, Sought(CASE), [tmp_path / "apart"])
    assert scanned.files == len(FOUND) + len(OTHERS)
    assert {Path(place).name for place in scanned.found} == {*FOUND}


def test_what_is_found_at_the_border_of_two_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chu_platform.rights.scan.BLOCK", 100)
    monkeypatch.setattr("chu_platform.rights.scan.OVERLAP", 40)
    (tmp_path / "long.log").write_bytes(b"x" * 95 + b" " + FOUND["line.log"] + b" " + b"x" * 300)
    assert len(scan_folder(tmp_path, Sought(CASE), []).found) == 1


def test_what_is_found_in_compressed_values_of_a_database(tmp_path: Path) -> None:
    for name, text in (("found", FOUND["line.log"]), ("other", OTHERS["family.log"])):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection, connection:
            connection.execute("CREATE TABLE events (body BLOB)")
            connection.execute("INSERT INTO events VALUES (?)", [zlib.compress(text * 20)])
    assert [Path(f).name for f in scan_folder(tmp_path, Sought(CASE), []).found] == ["found.db"]


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
