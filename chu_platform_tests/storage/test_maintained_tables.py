"""Tables after maintenance, read by the embedded engine."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from chu_platform.engine.engine import Engine
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.maintenance import maintain
from chu_platform.tables.columns import STRING, WEIGHT, Column
from chu_platform.tables.table import Layout
from chu_platform_tests.storage.small_table import COLUMNS, POLICY, put, rows_of, visits

pytestmark = pytest.mark.integration


def test_the_embedded_engine_reads_a_maintained_table_at_any_version(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    weighted = [
        *COLUMNS,
        Column("weight", WEIGHT, "more digits than a floating-point number has", "Poids"),
        Column("long", STRING, "a text without statistics in the log", "Texte"),
    ]
    table = replace(visits(weighted), layout=Layout(z_order_by=["number"]))

    def some(code: str) -> pa.Table:
        weight = pa.array([Decimal("12345678.123456789012")], WEIGHT)
        return rows_of({"2017": [code]}).append_column("weight", weight).append_column("long", pa.array(["é" * 40]))

    put(lake, table, some("a"))
    maintain(lake, table, POLICY, "a run")
    for code in ("b", "c", "d"):
        write_deltalake(lake.path(table), some(code).cast(table.schema), mode="append")
    maintain(lake, table, replace(POLICY, small_files=2), "a run")
    write_deltalake(lake.path(table), some("e").cast(table.schema), mode="append")
    engine = Engine(Settings(_env_file=None, home=tmp_path, engine="embedded"))
    try:
        # A commit, three additions, the rewritten files with a checkpoint, one more addition.
        for version, letters in enumerate(["a", "ab", "abc", "abcd", "abcd", "abcde"]):
            frame = engine.query("SELECT code, weight, `long` FROM {v}", {"v": engine.read(lake.path(table), version)})
            found = sorted(tuple(row.values()) for row in engine.arrow(frame).to_pylist())
            assert found == [(code, Decimal("12345678.123456789012"), "é" * 40) for code in letters]
    finally:
        engine.close()
