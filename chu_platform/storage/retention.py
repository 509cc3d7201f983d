"""Retention of rows: which rows of a table are kept for too long by its policy, and their deletion.

Only rows that the platform itself has kept are deleted, such as closed rejects. Rows of a delivery would come again
with the next reading: they are counted, and their sender is asked to leave them out.
"""

import calendar
from dataclasses import dataclass
from datetime import date

from chu_platform.storage.commit import commit_written
from chu_platform.storage.duckdb_session import bounded_connection
from chu_platform.storage.lake import Lake, size_of
from chu_platform.storage.provenance import CONTENTS, SAME_ROWS, last_data_commit
from chu_platform.storage.scratch_folder import scratch
from chu_platform.tables.duckdb_sql import sql_path
from chu_platform.tables.table import Layer, Table


@dataclass(frozen=True)
class Expired:
    """The number of rows of a table that are kept for too long: those of before the day `limit`, by its policy."""

    table: Table
    rows: int
    limit: date

    @property
    def is_delivered(self) -> bool:
        """Whether the rows are those of a delivery, so that only its sender can remove them."""
        return self.table.layer is Layer.SOURCES


def months_before(day: date, months: int) -> date:
    """The day so many months before; the last one of a month that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def expired_rows(lake: Lake, table: Table, today: date) -> Expired | None:
    """The rows of a table that are kept for too long; None if no age ends its rows, or it is not in the lake."""
    policy = table.access
    if policy is None or policy.expired is None or policy.retention_months is None:
        return None
    delta = lake.open(table)
    if delta is None:
        return None
    limit = months_before(today, policy.retention_months)
    with scratch(lake) as temporary, bounded_connection(temporary, size_of(delta)) as connection:
        where = policy.expired.format(limit=limit.isoformat())
        found = connection.sql(f"SELECT count(*) FROM {lake.relation(table)} WHERE {where}").fetchall()
    return Expired(table, found[0][0], limit)


def delete_expired(lake: Lake, table: Table, today: date, run: str) -> Expired | None:
    """Delete the rows of a table that are kept for too long, in one commit of `run`; returns what was found.

    Nothing is committed if there are none, or if they are of a delivery. Older versions hold the rows until maintenance
    deletes these. Raises TableLocked if another process writes the table, and ValueError for a table with partitions.
    """
    found = expired_rows(lake, table, today)
    if found is None or found.rows == 0 or found.is_delivered:
        return found
    if table.partition_by:
        raise ValueError(f"{table.folder} has partitions: its rows cannot be deleted by their age")
    with lake.writing(table, wait=False) as write:
        # Again, because another process may have written the table meanwhile.
        found = expired_rows(lake, table, today)
        assert found is not None and table.access is not None and table.access.expired is not None
        delta = lake.require(table)
        where = table.access.expired.format(limit=found.limit.isoformat())
        kept = write.rows / write.new_name("kept.parquet")
        with bounded_connection(write.scratch / "spill", size_of(delta)) as connection:
            connection.execute(
                f"COPY (SELECT * FROM {lake.relation(table)} WHERE ({where}) IS NOT TRUE) TO {sql_path(kept)} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
        before = last_data_commit(lake.place_of(table), delta)
        made_from = {name: value for name, value in before.items() if name not in (CONTENTS, SAME_ROWS)}
        deleted = {"before": found.limit.isoformat(), "rows": found.rows}
        commit_written(lake, table, write, None, {**made_from, "run": run, "whole": True, "retention": deleted})
    return found
