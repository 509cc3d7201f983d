"""Hashes of the rows of every table of a lake, for a comparison before and after a change of the code.

`python -m chu_platform_tests.pipeline.golden_rows LAKE` prints them as JSON: the number of rows of each table, and the
sum of the MD5 sums of its rows. They do not depend on the order of rows and columns, nor on the hash functions of the
engine or of DuckDB. Reports, quarantines, histories, and the time at which a row was first rejected are left out,
because they depend on the time of the run.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from deltalake import DeltaTable

from chu_platform_tests import small_duckdb

GOLDEN = Path(__file__).with_suffix(".json")
LEFT_OUT = ("reports", "quarantine", "history")
MOMENTS = ("first_seen",)


def row_hashes(lake: Path) -> Mapping[str, str]:
    """The hash of the rows of each table, by its path below the root of the lake."""
    logs = sorted(lake.glob("*/*/*/_delta_log"))
    tables = [log.parent.relative_to(lake) for log in logs]
    return {t.as_posix(): _row_hash(lake / t) for t in tables if t.parts[1] not in LEFT_OUT}


def _row_hash(table: Path) -> str:
    delta = DeltaTable(table)
    columns = sorted(field.name for field in delta.schema().fields if field.name not in MOMENTS)
    files = delta.file_uris()
    if not files:
        return "0 rows"
    # JSON with column names distinguishes a null from an empty text.
    row = ", ".join(f"""'{c}', "{c}"::VARCHAR""" for c in columns)
    listed = ", ".join("'" + f.replace("'", "''") + "'" for f in files)
    query = f"""
        SELECT count(*), sum(md5_number_lower(json_object({row})::VARCHAR)::HUGEINT)::HUGEINT
        FROM read_parquet([{listed}], hive_partitioning = true, hive_types_autocast = false)
    """
    with small_duckdb.connect() as connection:
        count, total = connection.execute(query).fetchall()[0]
    return f"{count} rows, {total:x}"


if __name__ == "__main__":
    print(json.dumps(row_hashes(Path(sys.argv[1])), indent=1))
