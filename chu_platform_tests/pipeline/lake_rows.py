"""The rows of tables, read without the platform: delta-rs for the log, DuckDB for the files."""

import hashlib
import math
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from chu_platform.catalogue import catalogue
from chu_platform.ingest.delivered import delivered_tables, rejects_of
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import delta_table
from chu_platform.tables.table import Layer, Table
from chu_platform_tests import small_duckdb


def every_table() -> Sequence[Table]:
    """All tables of the catalogue, and the reject tables of the source tables."""
    tables = catalogue()
    return [*tables, *(rejects_of(t) for t in delivered_tables(tables))]


def rows(lake: Lake, table: Table, version: int | None = None) -> pa.Table:
    """All rows in a fixed order: sorted by the columns that are not floating-point numbers, then by the others."""
    return _ordered(delta_table(lake.place_of(table), version))


def _ordered(delta: DeltaTable) -> pa.Table:
    found = _read(delta)
    floating = [n for n in found.column_names if pa.types.is_floating(found.schema.field(n).type)]
    exact = [n for n in found.column_names if n not in floating]
    order = ", ".join(f'"{n}" NULLS LAST' for n in [*exact, *floating])
    with small_duckdb.connect() as connection:
        result: pa.Table = connection.from_arrow(found).order(order).to_arrow_table()
    return result


def _read(delta: DeltaTable) -> pa.Table:
    table: pa.Table = delta.to_pyarrow_table()
    return table


def differences(ours: pa.Table, theirs: pa.Table, tolerance: float = 0.0) -> list[str]:
    """Messages on the differences between two results of `rows`. `tolerance` is the relative one for numbers."""
    if ours.column_names != theirs.column_names:
        return [f"columns {ours.column_names} and {theirs.column_names}"]
    if len(ours) != len(theirs):
        return [f"{len(ours)} and {len(theirs)} rows"]
    found = []
    for name in ours.column_names:
        one, other = ours[name].combine_chunks(), theirs[name].combine_chunks()
        if one.type != other.type:
            found.append(f"{name} is of type {one.type} and {other.type}")
        elif pa.types.is_floating(one.type):
            pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
            wrong = sum(not same(a, b, tolerance) for a, b in pairs)
            found += [f"{wrong} rows differ in {name}"] if wrong else []
        elif not one.equals(other):
            found.append(f"rows differ in {name}")
    return found


def same(one: object, other: object, tolerance: float) -> bool:
    """Whether two values are equal; floating-point numbers within the relative `tolerance`."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or math.isclose(one, other, rel_tol=tolerance, abs_tol=0.0)
    return one == other


def digest(path: Path) -> str:
    """A hash of the current rows of a table. It does not depend on their order or files."""
    delta = DeltaTable(path)
    columns = {f.name: str(f.type.type) for f in delta.schema().fields if hasattr(f.type, "type")}
    files = delta.file_uris()
    if not files:
        return "empty"
    listed = ", ".join(f"'{f}'" for f in files)
    # The sum of the hashes does not depend on the order of the rows.
    hashed = ", ".join(f'"{name}"' for name in sorted(columns))
    with small_duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT count(*), sum(hash(row({hashed}))::HUGEINT % 1000000007) "
            f"FROM read_parquet([{listed}], hive_partitioning = true, hive_types_autocast = false)"
        ).fetchall()
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]


def digests(lake: Lake, only: Collection[Table] | None = None) -> dict[str, str]:
    """The hash of the rows of every table (`only`: of these), except reports and rejects: they have data about runs."""
    # The main job makes the first edition only: what is released depends on what was released before.
    data = [t for t in every_table() if t.layer not in (Layer.REPORTS, Layer.REJECTS) and not t.in_editions]
    return {t.folder: digest(lake.path(t)) for t in data if only is None or t in only}


def needed_by(table: Table) -> set[Table]:
    """The table, and all tables that it is made from."""
    return {table}.union(*(needed_by(t) for t in table.needs))
