"""Comparison of an indicator with the oracle's: keys, then every figure, with nothing left on either side."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform_tests import small_duckdb

# The oracle rounds what it shares out to nine decimals.
TOLERANCE = 1e-8
COUNTED = ("deaths", "n", "prescriptions", "events", "sites", "stays")


def differences(ours: pa.Table, expected: Path, key: Sequence[str]) -> list[str]:
    """What differs between our rows and the oracle's file, in words; empty when nothing does.

    Cells of ours without any event may be absent from the oracle's table.
    """
    theirs = pq.read_table(expected)
    counted = next(name for name in COUNTED if name in theirs.column_names)
    on = " AND ".join(f'o."{c}" IS NOT DISTINCT FROM e."{c}"' for c in key)
    with small_duckdb.connect() as connection:
        connection.register("expected", theirs)
        connection.register("ours", ours)

        def count(rest: str) -> int:
            return int(connection.execute(f"SELECT count(*) FROM {rest}").fetchall()[0][0])

        rows = {
            "missing": count(f"expected e ANTI JOIN ours o ON {on}"),
            "added": count(f"(FROM ours WHERE {counted} > 0) o ANTI JOIN expected e ON {on}"),
            "that stand twice": len(ours) - count(f"(SELECT DISTINCT {', '.join(key)} FROM ours)"),
        }
        found = [f"{n} rows {what}" for what, n in rows.items() if n]
        for field in theirs.schema:
            if field.name in key:
                continue
            same = _same(field)
            wrong = count(f"ours o JOIN expected e ON {on} WHERE NOT ({same})")
            if wrong:
                found.append(f"{wrong} rows differ in {field.name}")
    return found


def _same(field: pa.Field) -> str:
    one, other = f'o."{field.name}"', f'e."{field.name}"'
    if not pa.types.is_floating(field.type):
        return f"{one} IS NOT DISTINCT FROM {other}"
    near = f"abs({one} - {other}) <= {TOLERANCE} * greatest(1, abs({other}))"
    return f"({one} IS NULL) = ({other} IS NULL) AND coalesce({near}, true)"
