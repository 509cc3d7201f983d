"""Files of measurements: those that come with the platform, and those of an installation, as CSV of one form.

So the file of an installation can be committed as the packaged one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv

from chu_platform.building_blocks.packaged_references import DATA, packaged_column
from chu_platform.errors import ChuError
from chu_platform.storage.durable import write_bytes_whole
from chu_platform.tables.checks import holds
from chu_platform.tables.columns import Column, arrow_schema
from chu_platform.tables.rows import EVERY_ROW, ExternalSource

Row = Mapping[str, Any]
MEDIAN_WITHIN_LIMITS: Final = holds(
    "a_median_is_within_its_limits",
    "coalesce(low_ms, median_ms) <= median_ms AND median_ms <= coalesce(high_ms, median_ms) AND median_ms <= max_ms",
    "la médiane est entre ses bornes et ne dépasse pas le maximum",
)


@dataclass(frozen=True)
class MeasurementFile:
    """A kind of file: its name, the line that says where its rows come from, and its columns.

    One column is `measured_at`, a moment as text of ISO 8601.
    """

    name: str
    origin: str
    columns: Sequence[Column]

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns as Arrow knows them."""
        return arrow_schema(self.columns)

    @cached_property
    def key(self) -> Sequence[str]:
        """The names of the key columns."""
        return [column.name for column in self.columns if column.key]

    def packaged(self) -> Sequence[Row]:
        """The measurements that come with the platform."""
        return self.read(DATA / f"{self.name}.csv")

    def read(self, file: Path) -> Sequence[Row]:
        """The rows of a file; none if it does not exist. Raises ChuError for another kind of file."""
        if not file.exists():
            return []
        types = {field.name: field.type for field in self.schema}
        options = csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
        try:
            table = csv.read_csv(file, csv.ReadOptions(skip_rows=1), convert_options=options)
            return list(table.select(list(types)).cast(self.schema).to_pylist())
        except (pa.ArrowInvalid, KeyError):
            raise ChuError(f"{file} is not a file of measurements: move it away, then run again") from None

    def write(self, file: Path, rows: Iterable[Row]) -> None:
        """Write rows, whole or not at all, in the order of their keys."""
        table = pa.Table.from_pylist(list(self.newest(rows)), self.schema)
        text = BytesIO()
        csv.write_csv(table, text, csv.WriteOptions(quoting_style="needed"))
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_bytes_whole(file, f"# {self.origin}\n".encode() + text.getvalue())

    def merged(self, before: pa.Table, installed: Path) -> pa.Table:
        """The packaged measurements, those of a table, and those of an installation: the newest of each key."""
        rows = self.newest(self.packaged(), before.to_pylist(), self.read(installed))
        return pa.Table.from_pylist(list(rows), self.schema)

    def origins(self, measured: str) -> Mapping[str, Sequence[ExternalSource]]:
        """Where the columns of `merged` come from; `measured` names the measurements of an installation, in French."""
        sources = {
            column.name: [packaged_column(self.name, column.name), ExternalSource(measured, column.name)]
            for column in self.columns
        }
        return {EVERY_ROW: sources["machine"], **sources}

    def newest(self, *sources: Iterable[Row]) -> Sequence[Row]:
        """The newest row of each key."""
        found: dict[tuple[object, ...], Row] = {}
        for row in (row for rows in sources for row in rows):
            key = tuple(row[name] for name in self.key)
            if key not in found or found[key]["measured_at"] <= row["measured_at"]:
                found[key] = row
        return [found[key] for key in sorted(found)]
