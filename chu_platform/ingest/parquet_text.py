"""Rows of a database table or workbook, read from a temporary Parquet file of text."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from chu_platform.ingest.delivered import Malformed, Matched, RawRows, SourceFile
from chu_platform.tables.duckdb_sql import sql_name, sql_path


def parquet_rows(
    file: Path,
    origin: SourceFile,
    columns: Matched,
    rows: int,
    lines: Sequence[int] | None = None,
    malformed: Sequence[Malformed] = (),
    constants: Mapping[str, str] | None = None,
) -> RawRows:
    """The rows of a Parquet file of text columns. `lines` are their line numbers in the delivery; None: 1, 2, 3, ..."""
    relation = f"read_parquet({sql_path(file)}, file_row_number = true)"

    def locate(connection: duckdb.DuckDBPyConnection, numbers: Sequence[int]) -> Sequence[tuple[int, str]]:
        """The text of a row is its fields joined by semicolons; null becomes an empty field."""
        text = " || ';' || ".join(f"coalesce({sql_name(n)}, '')" for n in columns.names)
        wanted = connection.execute(
            f"SELECT file_row_number + 1, {text} FROM {relation} "
            "WHERE file_row_number + 1 IN (SELECT unnest($1::BIGINT[])) ORDER BY 1",
            [list(numbers)],
        ).fetchall()
        return [(lines[number - 1] if lines else number, row) for number, row in wanted]

    return RawRows(
        origin,
        relation,
        columns.names,
        rows,
        number="file_row_number + 1",
        locate=locate,
        malformed=malformed,
        constants=constants or {},
        undeclared=columns.undeclared,
    )
