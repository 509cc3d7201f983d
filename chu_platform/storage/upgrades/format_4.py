"""To format 4: what is published becomes the first edition, and its old versions leave the published zone.

Each published table that belongs to editions is copied, with all its versions, to `pseudonymised/.before_editions/`.
Its current rows are written to the table of the editions, and the decisions remember them as released, so that the next
edition is compared with them. Then the published table is written again from there, and its old versions are deleted.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.storage.commit import commit_written
from chu_platform.storage.edition_manifest import (
    ADOPTED,
    Edition,
    editions,
    published_edition,
    record_edition,
    record_published,
)
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import LakePath, files_below
from chu_platform.storage.store_path import StorePath
from chu_platform.storage.superseded import keep_only
from chu_platform.tables.duckdb_sql import sql_text
from chu_platform.tables.table import Table, Zone

BEFORE: Final = ".before_editions"
# The folder of a table that is in another layer now, where the next run makes it.
MOVED: Final = f"{Zone.PSEUDONYMISED}/disclosure/consultation_by_speciality"
RUN: Final = "chu upgrade"
RELEASED: Final = "released_"


def upgrade(lake: Lake, tables: Sequence[Table], report: Callable[[str], None]) -> None:
    """See `Upgrade`."""
    for name in files_below(lake.place / MOVED):
        (lake.place / MOVED / name).unlink(missing_ok=True)
    published = {t: t.edition for t in tables if t.edition is not None and lake.open(t) is not None}
    if not published or published_edition(lake.place) is not None:
        return
    if not editions(lake.place):
        for table in published:
            _keep_versions(lake, table, report)
        kept = {edition: _edition_rows(lake, table, edition) for table, edition in published.items()}
        of_decision: dict[Table, list[Table]] = {}
        for table, edition in published.items():
            if "decision" in edition.reads:
                of_decision.setdefault(edition.reads["decision"], []).append(table)
        kept |= {decision: _decisions(lake, decision, decided) for decision, decided in of_decision.items()}
        versions = {table.folder: _write(lake, table, rows) for table, rows in kept.items()}
        record_edition(lake.place, Edition(1, datetime.now(UTC).date().isoformat(), RUN, versions))
    shown = {}
    for table, edition in published.items():
        with lake.writing(table) as write:
            lake.copy_rows(edition, lake.version(edition), write)
            shown[table.folder] = commit_written(lake, table, write, None, _provenance(table)).version
    first = editions(lake.place)[0]
    for table in published:
        # Before readers are told to use the manifest: old readers read the current version in any case.
        keep_only(lake, table, shown[table.folder])
    record_published(lake.place, Edition(first.number, first.date, first.run, shown))
    report(f"{len(published)} published tables are edition 1; their old versions are in {Zone.PSEUDONYMISED}/{BEFORE}")


def _keep_versions(lake: Lake, table: Table, report: Callable[[str], None]) -> None:
    """Copy the files of a table, its log included."""
    source, target = lake.place_of(table), lake.place / Zone.PSEUDONYMISED / BEFORE / table.name
    for name in files_below(source):
        if not (target / name).is_file():
            _copy(source / name, target / name)
    report(f"{table.folder}: its versions are kept")


def _copy(source: LakePath, target: LakePath) -> None:
    """Copy a file; it appears as a whole."""
    if isinstance(source, StorePath) or isinstance(target, StorePath):
        target.write_bytes(source.read_bytes())
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)


def _edition_rows(lake: Lake, table: Table, edition: Table) -> pa.Table:
    """The rows of a published table, in the columns of the edition."""
    rows = lake.current_rows(table)
    if "revision_pending" in rows.column_names:
        place = rows.column_names.index("revision_pending")
        rows = rows.set_column(place, "revision_pending", pa.array([False] * len(rows), pa.bool_()))
    return rows.select([c.name for c in edition.columns])


def _decisions(lake: Lake, decision: Table, published: Sequence[Table]) -> pa.Table:
    """The decisions on the rows of published tables: those with figures are released, the others masked."""
    names = [c.name for c in decision.columns]
    counts = [n.removeprefix(RELEASED) for n in names if n.startswith(RELEASED) and n != f"{RELEASED}end"]
    with duckdb.connect() as connection:
        connection.register("mask", lake.current_rows(decision.reads["mask"]))
        parts = []
        for table in published:
            rows = lake.current_rows(table)
            connection.register(table.name, rows)
            cell = ", ".join(f"r.{c}" for c in table.key)
            own = [f"CAST({f'r.{c}' if c in rows.column_names else 'NULL'} AS DOUBLE) AS {c}" for c in counts]
            parts.append(
                f"SELECT {sql_text(table.name)} AS indicator, concat_ws('|', {cell}) AS cell, r.period_grain AS grain, "
                f"coalesce(m.level, '') AS level, r.is_masked, m.weight, "
                "CASE WHEN r.is_masked THEN 'masked' ELSE 'new' END AS state, m.reason, false AS is_exposed, "
                f"r.period_end, NULL::DATE AS released_end, {', '.join(own)}, "
                f"{', '.join(f'NULL::DOUBLE AS {RELEASED}{c}' for c in counts)} "
                f"FROM {table.name} r LEFT JOIN mask m "
                f"ON m.indicator = {sql_text(table.name)} AND m.cell = concat_ws('|', {cell})"
            )
        found: pa.Table = connection.sql(
            f"SELECT {', '.join(names)} FROM ({' UNION ALL '.join(parts)})"
        ).to_arrow_table()
    return found


def _write(lake: Lake, table: Table, rows: pa.Table) -> int:
    """Commit rows as a table; returns its version."""
    typed = rows.cast(pa.schema([pa.field(c.name, c.type) for c in table.columns]))
    with lake.writing(table) as write:
        if table.partition_by:
            name = write.new_name("{i}.parquet")
            pq.write_to_dataset(
                typed, write.rows, partition_cols=list(table.partition_by), basename_template=name, compression="zstd"
            )
        else:
            pq.write_table(typed, write.rows / write.new_name("rows.parquet"), compression="zstd")
        return commit_written(lake, table, write, None, _provenance(table)).version


def _provenance(table: Table) -> Mapping[str, Any]:
    return {"run": RUN, "asset": f"{table.layer}/{table.name}", "whole": True, "read": {}, ADOPTED: True}
