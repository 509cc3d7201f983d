"""Comparison of an indicator of a lake with the oracle's: keys, then every figure, with nothing left on either side."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.lake.lake import Lake
from chu_platform.tables.table import Table

# Figures are equal but for the last bits of floating point.
TOLERANCE = 1e-9


def differences(lake: Lake, table: Table, expected: Path, key: tuple[str, ...]) -> list[str]:
    """What differs, in words; empty when nothing does.

    Cells of the lake without any event may be absent from the oracle's table.
    """
    connection = duckdb.connect()
    connection.register("expected", pq.read_table(expected / f"{table.name}.parquet"))
    connection.register("ours", lake.arrow(table))
    names = [c.name for c in table.columns if c.name in pq.read_schema(expected / f"{table.name}.parquet").names]
    on = " AND ".join(f'o."{c}" IS NOT DISTINCT FROM e."{c}"' for c in key)
    counted = "deaths" if "deaths" in names else "events" if "events" in names else "sites"
    found = []
    missing = connection.execute(f"SELECT count(*) FROM expected e ANTI JOIN ours o ON {on}").fetchall()[0][0]
    added = connection.execute(
        f"SELECT count(*) FROM (SELECT * FROM ours WHERE {counted} > 0) o ANTI JOIN expected e ON {on}"
    ).fetchall()[0][0]
    if missing:
        found.append(f"{missing} rows missing")
    if added:
        found.append(f"{added} rows added")
    for name in names:
        if name in key:
            continue
        if pa.types.is_floating(table.schema.field(name).type):
            same = f'(o."{name}" IS NULL) = (e."{name}" IS NULL) AND coalesce(abs(o."{name}" - e."{name}") <= {TOLERANCE} * greatest(1, abs(e."{name}")), true)'
        else:
            same = f'o."{name}" IS NOT DISTINCT FROM e."{name}"'
        wrong = connection.execute(f"SELECT count(*) FROM ours o JOIN expected e ON {on} WHERE NOT ({same})").fetchall()[0][0]
        if wrong:
            found.append(f"{wrong} rows differ in {name}")
    return found
