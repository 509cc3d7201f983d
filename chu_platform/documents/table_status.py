"""What the lake holds now: rows of each table, last result of each check.

A webserver may have no lake, or one that it cannot read: then there are no figures, and no error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from deltalake.exceptions import DeltaError

from chu_platform import french
from chu_platform.description.described_tables import DescribedCatalogue, DescribedTable
from chu_platform.documents import french_labels
from chu_platform.errors import ChuError
from chu_platform.storage.lake import Lake, active_files
from chu_platform.tables.side_figures import published_count
from chu_platform.tables.table import Zone


@dataclass(frozen=True)
class MeasuredCheck:
    """The last result of a check; the names are those of `reports/check_result`."""

    status: str
    measured: float | None
    evaluated_at: str | None


class State:
    """What is in a lake, each looked up when it is asked for first."""

    def __init__(self, lake: Lake, catalogue: DescribedCatalogue) -> None:
        self._lake = lake
        self._catalogue = catalogue
        self._rows: dict[DescribedTable, int | None] = {}

    def rows(self, table: DescribedTable) -> str | None:
        """Number of rows of the current version; None when it was never written, or cannot be read from here.

        It is exact for published tables and for tables of public data, and otherwise as the reports publish counts.
        """
        if table not in self._rows:
            self._rows[table] = self._counted(table)
        count = self._rows[table]
        if count is None or table.zone is Zone.PUBLISHED or table.public_source:
            return None if count is None else french.number(count)
        return french_labels.count(published_count(count))

    def _counted(self, table: DescribedTable) -> int | None:
        try:
            delta = self._lake.open(table)
            return None if delta is None else sum(file["num_records"] for file in active_files(delta))
        except (OSError, DeltaError):
            return None

    @cached_property
    def checks(self) -> Mapping[tuple[str, str, str], MeasuredCheck]:
        """The last result of each check, by layer, table and check; nothing where there is no report."""
        return {
            (row["layer"], row["table"], row["check"]): MeasuredCheck(
                row["status"], row["measured"], row["evaluated_at"]
            )
            for row in self._report("reports/check_result")
        }

    @cached_property
    def sources(self) -> Mapping[str, Mapping[str, Any]]:
        """How each source was read the last time, as in `reports/source_quality`; nothing where there is no report."""
        return {row["source"]: row for row in self._report("reports/source_quality")}

    def _report(self, report: str) -> list[dict[str, Any]]:
        try:
            table = self._catalogue.table(report)
            # A report that earlier code has made lacks the columns that were added since.
            written = {field.name for field in self._lake.require(table).schema().fields}
            found: list[dict[str, Any]] = self._lake.arrow(table.with_columns(written)).to_pylist()
        except (ChuError, OSError, DeltaError):
            return []
        return found
