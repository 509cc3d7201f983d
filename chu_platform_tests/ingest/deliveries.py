"""A small declared table, and a function that reads any delivered table from a folder."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chu_platform.care_database.database import CareDatabase
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered, RowCheck, SourceFile
from chu_platform.ingest.delivered_files import DeliveredFiles, Format
from chu_platform.ingest.reading import Reading, ReadingContext, read
from chu_platform.ingest.workbook_format import WorkbookFormat
from chu_platform.settings import Settings
from chu_platform.tables.columns import DATE, DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.duckdb_sql import sql_name, sql_path
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform_tests import small_duckdb

HEADER = "id;label;day;amount"


def table_of(csv: Format | None = None, *, has_key: bool = False) -> Table:
    """Four columns of four types; the file is `things.csv` or `things.xlsx`. The column `id` may be its key."""
    formats: dict[str, Format] = {".csv": csv or CsvFormat(), ".xlsx": WorkbookFormat()}
    return Table(
        name="things",
        layer=Layer.SOURCES,
        zone=Zone.RESTRICTED,
        grain="one thing",
        label="Choses",
        owner="team:tests",
        columns=[
            Column("id", INTEGER, "number", "Numéro", key=has_key, nullable=False),
            Column("label", STRING, "name", "Nom", identifying=True),
            Column("day", DATE, "day", "Jour"),
            Column("amount", DOUBLE, "amount", "Montant"),
        ],
        rows=Delivered(
            DeliveredFiles(r"things\.(?:csv|xlsx)", formats),
            blanks="({text} = 'NA')",
            row_checks=[RowCheck("negative", "amount", "amount >= 0")],
        ),
    )


@dataclass
class Outcome:
    """Result of a reading: counts and rejects, logged messages, kept rows, values of undeclared columns."""

    reading: Reading
    messages: list[str]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    quarantine: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def origins(self) -> list[SourceFile]:
        """The files or tables that were read."""
        return [d.origin for d in self.reading.deliveries]

    @property
    def rejected(self) -> list[tuple[int, str | None, str]]:
        """Line, column and reason of the rejects."""
        return [(line, column, reason) for _, line, column, reason, _, _ in self.reading.rejects]


def deliver(
    table: Table, pack: Path, work: Path, partition_range: PartitionRange | None = None, order: str = "1"
) -> Outcome:
    """Read a table from `pack`. The care database is restored from the dump in `pack`."""
    scratch, written, quarantine = work / "scratch", work / "written", work / "quarantine"
    scratch.mkdir(parents=True)
    written.mkdir()
    quarantine.mkdir()
    messages: list[str] = []
    database = CareDatabase(
        Settings(_env_file=None, home=work / "home", sources=pack, postgres_url=None), messages.append
    )
    try:
        reading = read(
            table, partition_range, written, quarantine, ReadingContext(pack, scratch, database, messages.append)
        )
    finally:
        database.close()
        remaining = sorted(f.name for f in scratch.rglob("*"))
        assert remaining == [], "temporary copies are deleted, also after an error"
    assert reading.rows_in == reading.kept + len(reading.rejects) + reading.withdrawn
    rows = stored(written, [c.name for c in table.columns], order)
    return Outcome(reading, messages, rows, stored(quarantine, ["file", "number", "column", "value"], "ALL"))


def stored(written: Path, columns: Sequence[str], order: str = "1") -> list[tuple[Any, ...]]:
    """The rows of the written Parquet files."""
    if not list(written.rglob("*.parquet")):
        return []
    listed = ", ".join(sql_name(c) for c in columns)
    files = ", ".join(sql_path(f) for f in written.rglob("*.parquet"))
    source = f"read_parquet([{files}], hive_partitioning = true, hive_types_autocast = false)"
    with small_duckdb.connect() as connection:
        return connection.execute(f"SELECT {listed} FROM {source} ORDER BY {order}").fetchall()
