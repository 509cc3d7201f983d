"""The published tables in which the rows of an own site are exact: what the pages of one request are made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from chu_platform.portal.questions import Question
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.table import StoredTable

OWN: Final = "own_rows"


@dataclass(frozen=True, eq=False)
class OwnSnapshot(Snapshot):
    """A snapshot for one request. Its connection has a temporary table in place of that of the question.

    It holds no exact row but those it was made with, so that no request can ask it for others.
    """

    @classmethod
    def of(cls, published: Snapshot, question: Question, rows: pa.Table, exact: StoredTable) -> "OwnSnapshot":
        """The snapshot in which `rows` of the `exact` table replace the published ones with the same X."""
        connection = published.connection.cursor()
        connection.register(OWN, rows)
        table = sql_name(question.table.name)
        columns = {c.name for c in question.table.columns}
        shared = [sql_name(c.name) for c in exact.columns if c.name in columns]
        masked = "is_masked" if "is_masked" in rows.column_names else "false"
        x = ", ".join(map(sql_name, question.columns))
        connection.execute(
            f"CREATE TEMP TABLE {table} AS SELECT * FROM main.{table} ANTI JOIN {OWN} USING ({x}) "
            f"UNION ALL BY NAME SELECT {', '.join(shared)}, {masked} AS is_masked, false AS revision_pending FROM {OWN}"
        )
        connection.unregister(OWN)
        return cls(
            published.catalogue, published.edition, published.versions, connection, published.unreadable, own=True
        )

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """See `Snapshot`. A temporary table exists in its own connection only."""
        found = self.connection.execute(sql, dict(parameters or {}))
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def table(self, sql: str, parameters: Mapping[str, object] | None = None) -> Any:
        """See `Snapshot`."""
        return self.connection.sql(sql, params=dict(parameters or {})).to_arrow_table()

    def close(self) -> None:
        """Drop the exact rows."""
        self.connection.close()
