"""Copies of the large tables in a layout, outside the lake, and where the tables of a query are."""

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deltalake import DeltaTable, WriterProperties, write_deltalake

from chu_platform.layouts.ddl import create_table, insert_rows, optimize
from chu_platform.layouts.declarations import TARGET_SIZE, ComparedLayout, Kind, TableLayout
from chu_platform.layouts.machine import files_below, make_durable
from chu_platform.storage.duckdb_session import bounded_connection
from chu_platform.storage.lake import Lake, active_files, files_relation
from chu_platform.tables.table import Table

if TYPE_CHECKING:
    from chu_platform.engine.engine import Engine

# The rows of a row group: as DuckDB and Sail write them, so that layouts differ in nothing else.
WRITER: Final = WriterProperties(compression="ZSTD", max_row_group_size=122_880)
ONE_FILE_SIZE: Final = {"spark.databricks.delta.optimize.maxFileSize": str(TARGET_SIZE)}


@dataclass(frozen=True)
class Source:
    """A table of a query: its declaration with the columns that the copy has, its folder, and the kind of its files."""

    table: Table
    folder: Path
    kind: Kind

    @cached_property
    def version(self) -> int:
        """Version of the Delta table. It is read once: engines that want it read the log themselves."""
        return self.delta().version()

    def delta(self) -> DeltaTable:
        """The Delta table, with its log read now."""
        return DeltaTable(str(self.folder))

    @property
    def files(self) -> list[dict[str, Any]]:
        """The data files: as in `storage.lake.active_files`; for bucketed Parquet, `path` and `size_bytes` only."""
        if self.kind is Kind.BUCKETED:
            found = sorted(self.folder.glob("*.parquet"))
            return [{"path": file.name, "size_bytes": file.stat().st_size} for file in found]
        return active_files(self.delta())

    @property
    def relation(self) -> str:
        """DuckDB relation over the files that the Delta log lists."""
        return files_relation(self.table, [self.folder / f["path"] for f in active_files(self.delta())])


def in_place(lake: Lake, table: Table) -> Source:
    """The table in the lake. Raises ChuError if it does not exist yet."""
    lake.require(table)
    return Source(table, lake.path(table), Kind.IN_PLACE)


@contextmanager
def written(
    lake: Lake, layout: ComparedLayout, wanted: Collection[Table], folder: Path, spark: "Engine | None"
) -> Iterator[Mapping[Table, Source]]:
    """Copies of the wanted tables that have the layout, below the folder, which is removed at the end.

    `spark` writes its own kinds. The layout of the platform needs no copy: its tables are those of the lake.
    """
    tables = {table: of_table for table, of_table in layout.tables.items() if table in wanted}
    if layout.kind is Kind.IN_PLACE:
        yield {table: in_place(lake, table) for table in tables}
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        sources = {}
        for table, of_table in tables.items():
            source = Source(of_table.table(table), folder / table.name, layout.kind)
            if layout.needs_spark:
                assert spark
                _write_with_spark(lake, table, of_table, source, spark)
            else:
                _write(lake, table, of_table, source)
            make_durable(files_below([source.folder]))
            sources[table] = source
        yield sources
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(lake: Lake, table: Table, layout: TableLayout, source: Source) -> None:
    generated = [f"{p.sql} AS {p.name}" for p in layout.generated]
    columns = ", ".join([*(f'"{c.name}"' for c in table.columns), *generated])
    size = sum(f["size_bytes"] for f in in_place(lake, table).files)
    with bounded_connection(source.folder.with_name("spill"), size) as connection:
        rows = connection.sql(f"SELECT {columns} FROM {lake.relation(table)}")
        write_deltalake(str(source.folder), rows, partition_by=list(layout.partition_by), writer_properties=WRITER)
    if layout.order_by:
        source.delta().optimize.z_order(list(layout.order_by), target_size=TARGET_SIZE, writer_properties=WRITER)


def _write_with_spark(lake: Lake, table: Table, layout: TableLayout, source: Source, spark: "Engine") -> None:
    place = str(source.folder)
    name = bucketed_name(table) if source.kind is Kind.BUCKETED else f"delta.`{place}`"
    if source.kind is Kind.BUCKETED:
        spark.command(f"DROP TABLE IF EXISTS {name}", {})
    spark.command(create_table(name, table, layout, source.kind, place if source.kind is Kind.BUCKETED else None), {})
    spark.command(insert_rows(name, table, f"delta.`{lake.path(table)}`", layout), {})
    if statement := optimize(name, layout, source.kind):
        spark.command(statement, ONE_FILE_SIZE)


def bucketed_name(table: Table) -> str:
    """Name of a bucketed copy in the catalogue of a Spark session: only there is known which file has which bucket."""
    return f"bucketed_{table.name}"
