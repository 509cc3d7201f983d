"""Reading the tables of the care database.

Here: one table to rows of text. Not here: the connection (care_database), what the text means.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from chu_platform.errors import ChuError
from chu_platform.sources.delivered import Origin, RawRows
from chu_platform.tables.table import Table

if TYPE_CHECKING:
    from chu_platform.sources.reading import ReadingContext


@dataclass(frozen=True)
class CareTable:
    """The table `name` of schema public."""

    name: str

    @contextmanager
    def open(self, table: Table, columns: Sequence[str], context: "ReadingContext") -> Iterator[Iterator[RawRows]]:
        """See `delivered.Reader`. The rows pass through a temporary Parquet file of text, batch by batch."""
        database = context.care_database
        found = database.columns(self.name)
        name = f'PostgreSQL table "{self.name}"'
        if not found:
            raise ChuError(f"{name} does not exist in schema public of the care database")
        context.check_header(name, found, columns, hint="")
        expected = database.count(self.name)
        raw = context.scratch / f"{table.name}.parquet"
        rows = 0
        with database.stream(self.name, list(columns)) as reader, pq.ParquetWriter(raw, reader.schema, compression="lz4") as writer:
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
        if rows != expected:
            raise ChuError(f"{name} has {expected} rows and gave {rows}: run again")
        try:
            origin = Origin(name, raw.stat().st_size, database.fingerprint)
            yield iter([RawRows(origin, f"read_parquet('{raw}')", "row_number() OVER ()", lambda _: ())])
        finally:
            raw.unlink(missing_ok=True)
