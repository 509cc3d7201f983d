"""Reading the tables of the care database.

Here: one table to rows of text. Not here: the connection (care_database), what the text means.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import Expected, RawRows, SourceFile
from chu_platform.ingest.files import DUMP_PATTERN, find, one
from chu_platform.ingest.parquet_text import parquet_rows
from chu_platform.tables.duckdb_sql import sql_name, sql_path
from chu_platform.tables.freshness import Freshness

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext

# Ten pairs of equal rows and not one row alone are no chance; a pair or two may be.
MIN_DOUBLED_ROWS: Final = 20


CARE_DATABASE_NAME: Final = "care_database"


@dataclass(frozen=True)
class CareTable:
    """The table `name` of schema public."""

    name: str
    freshness: ClassVar[Freshness] = Freshness.NIGHTLY
    database: ClassVar[str] = CARE_DATABASE_NAME
    pattern: ClassVar[str] = DUMP_PATTERN

    @property
    def label(self) -> str:
        """See `delivered.Reader`."""
        return f"PostgreSQL « {self.name} »"

    def files(self, pack: Path) -> Sequence[Path]:
        """See `delivered.Reader`: the dump."""
        return [one(pack, DUMP_PATTERN)]

    def copies(self, pack: Path) -> Sequence[Path]:
        """See `delivered.Reader`."""
        return find(pack, DUMP_PATTERN, required=False)

    def positions_of(self, _column: str) -> None:
        """See `delivered.Reader`: the database names the columns."""
        return

    @contextmanager
    def open(self, expected: Expected, context: "ReadingContext") -> Iterator[Iterator[RawRows]]:
        """See `delivered.Reader`. The rows pass through a temporary Parquet file of text, batch by batch.

        The server counts them in the same snapshot. Raises ChuError when the table holds every row twice: that is
        what a dump restored over a restored database makes of a table without a key.
        """
        database = context.care_database
        found = database.columns(self.name)
        name = f'PostgreSQL table "{self.name}"'
        if not found:
            raise ChuError(f"{name} does not exist in schema public: check CHU_POSTGRES_URL, or the delivered dump")
        columns = expected.match(name, found, context.remark)
        rows = database.count(self.name)
        raw = context.scratch / "table.parquet"
        schema = pa.schema([pa.field(c, pa.string()) for c in columns.names])
        try:
            with pq.ParquetWriter(raw, schema, compression="lz4") as writer:
                for batch in database.stream(self.name, found):
                    writer.write_batch(batch.rename_columns(list(columns.names)).cast(schema))
            if rows >= MIN_DOUBLED_ROWS and _all_twice(raw):
                raise ChuError(
                    f"{name} holds every row twice: a dump was restored over a restored database; restore it into "
                    "an empty one"
                )
            origin = SourceFile(name, raw.stat().st_size, database.fingerprint)
            yield iter([parquet_rows(raw, origin, columns, rows)])
        finally:
            raw.unlink(missing_ok=True)


def _all_twice(raw: Path) -> bool:
    """Whether every distinct row occurs an even number of times: then, and but for one chance in 2^64 only then, the
    exclusive or of the rows' hashes is 0.
    """
    columns = ", ".join(sql_name(c) for c in pq.read_schema(raw).names)
    with duckdb.connect() as connection:
        query = f"SELECT bit_xor(hash(row({columns}))) FROM read_parquet({sql_path(raw)})"
        return connection.execute(query).fetchall() == [(0,)]
