"""Reader of the tables of the care database."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.errors import ChuError
from chu_platform.ingest.date_forms import DateForm, in_declared_forms
from chu_platform.ingest.delivered import Expected, RawRows, SourceFile
from chu_platform.ingest.dump_files import DUMP_PATTERN, PARTS_PATTERN, dumps, parts, the_dump
from chu_platform.ingest.file_names import match_exactly
from chu_platform.ingest.files import PackScan
from chu_platform.ingest.fingerprints import fingerprint
from chu_platform.ingest.parquet_text import parquet_rows
from chu_platform.tables.duckdb_sql import sql_name, sql_path
from chu_platform.tables.freshness import Freshness

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext

# Smaller tables may hold every row twice by chance.
MIN_DOUBLED_ROWS: Final = 20
CARE_DATABASE_NAME: Final = "care_database"


@dataclass(frozen=True)
class CareTable:
    """The table `name`.

    `dates` are its columns with dates, and the way in which the group writes them. Other servers and extracts give the
    dates another type, or another form: they are read to the same text.
    """

    name: str
    dates: Mapping[str, DateForm] = field(default_factory=dict)
    freshness: ClassVar[Freshness] = Freshness.NIGHTLY
    database: ClassVar[str] = CARE_DATABASE_NAME
    apart: ClassVar[bool] = False
    pattern: ClassVar[str] = f"{DUMP_PATTERN}|{PARTS_PATTERN}"

    @property
    def database_table(self) -> str:
        """See `delivered.Reader`."""
        return self.name

    @property
    def label(self) -> str:
        """See `delivered.Reader`."""
        return f"PostgreSQL « {self.name} »"

    def match(self, name: str) -> re.Match[str] | None:
        """See `delivered.Reader`."""
        return match_exactly(self.pattern, name)

    def files(self, pack: Path | PackScan, fingerprint_of: Callable[[Path], str] = fingerprint) -> Sequence[Path]:
        """See `delivered.Reader`: the dump, or the files of its folder."""
        return parts(the_dump(pack, fingerprint_of))

    def copies(self, pack: Path) -> Sequence[Path]:
        """See `delivered.Reader`."""
        return [part for dump in dumps(pack) for part in parts(dump)]

    def positions_of(self, _column: str) -> None:
        """See `delivered.Reader`: the database names the columns."""
        return

    @contextmanager
    def open(self, expected: Expected, context: "ReadingContext") -> Iterator[Iterator[RawRows]]:
        """See `delivered.Reader`. The rows are written to a temporary Parquet file of text, batch by batch.

        The server counts the rows in the same snapshot. Raises ChuError when the table contains every row twice: this
        happens to tables without a key when a dump is restored over a restored database.
        """
        database = context.care_database
        header = database.columns(self.name)
        name = f'PostgreSQL table "{self.name}"'
        if not header:
            raise ChuError(f"{name} does not exist: check CHU_POSTGRES_URL, or the delivered dump")
        columns = expected.match(name, header, context.log)
        rows = database.count(self.name)
        raw = context.scratch / "table.parquet"
        schema = pa.schema([pa.field(c, pa.string()) for c in columns.names])
        try:
            with pq.ParquetWriter(raw, schema, compression="lz4") as writer:
                for batch in database.stream(self.name, header):
                    writer.write_batch(batch.rename_columns(list(columns.names)).cast(schema))
            if rows >= MIN_DOUBLED_ROWS and _every_row_twice(raw):
                raise ChuError(
                    f"{name} contains every row twice: a dump was restored over a restored database; restore it "
                    "into an empty one"
                )
            origin = SourceFile(name, raw.stat().st_size, database.fingerprint)
            read = parquet_rows(raw, origin, columns, rows)
            texts = in_declared_forms(name, raw, {c: f for c, f in self.dates.items() if c in read.names}, context.log)
            if texts:
                changed = ", ".join(f"{sql} AS {sql_name(column)}" for column, sql in texts.items())
                read = replace(read, relation=f"(SELECT * REPLACE ({changed}) FROM {read.relation})")
            yield iter([read])
        finally:
            raw.unlink(missing_ok=True)


def _every_row_twice(raw: Path) -> bool:
    """Whether every distinct row occurs an even number of times.

    In that case the exclusive or of the hashes of all rows is 0; otherwise it is 0 with a probability of about 2^-64.
    """
    columns = ", ".join(sql_name(c) for c in pq.read_schema(raw).names)
    with duckdb.connect() as connection:
        query = f"SELECT bit_xor(hash(row({columns}))) FROM read_parquet({sql_path(raw)})"
        return connection.execute(query).fetchall() == [(0,)]
