"""The lines of the delivered files from which rows of a source table were read.

Source tables have no line numbers, because a line added at the top of a delivery would change every row. The file is
read again by the same reader, if its fingerprint is still the recorded one, and its rows are matched.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from chu_platform.care_database.database import CareDatabase
from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import delivered_rows, is_delivered
from chu_platform.ingest.dump_files import dump_fingerprint, dumps
from chu_platform.ingest.reading import ReadingContext
from chu_platform.ingest.row_sql import RowSql
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.provenance import is_database_table
from chu_platform.storage.scratch_folder import scratch
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Table

# Bytes of a delivered file from which its lines are searched on request only: the whole file is read for that, and for
# two gigabytes the trace takes ten times as long.
LARGE: Final = 200_000_000
# The problem of a recorded file that no longer exists.
REMOVED: Final = "removed: it is not in the delivered folder any more"


@dataclass(frozen=True)
class Line:
    """A row of a delivered file: the number of its first line, the value by which it was matched, and its text."""

    number: int
    value: str
    text: str


@dataclass(frozen=True)
class RecordedFile:
    """A file that was read for a commit. `problem` describes how it differs now; None when it is unchanged."""

    name: str
    sha256: str
    problem: str | None


def shortened(sha256: str) -> str:
    """The first characters of a fingerprint, for messages."""
    return sha256[:12]


def is_delivered_as_files(table: Table) -> bool:
    """Whether a source table is read from files, not from the care database."""
    return is_delivered(table) and delivered_rows(table).reader.database is None


class Deliveries:
    """The delivered folder in its current state. The fingerprint of each file is computed once."""

    def __init__(self, settings: Settings) -> None:
        self.pack = settings.sources_folder
        self._settings = settings
        self._fingerprints: dict[Path, str] = {}

    def recorded_files(self, data_commit: Mapping[str, Any]) -> Sequence[RecordedFile]:
        """The files that were read for a commit, compared with the current files.

        For a table of the care database: the dump from which the database was restored, or its snapshot.
        """
        files = []
        for file in data_commit.get("files", ()):
            name, sha256 = file["name"], file["sha256"]
            if is_database_table(name):
                files.append(self._dump(sha256))
            else:
                files.append(RecordedFile(name, sha256, self._problem(self.pack / name, sha256)))
        return files

    def large(self, files: Sequence[RecordedFile]) -> Mapping[str, int]:
        """Those of the unchanged delivered files that are large, with their bytes, by name."""
        sizes = {f.name: (self.pack / f.name).stat().st_size for f in files if f.problem is None}
        return {name: size for name, size in sizes.items() if size > LARGE}

    def _dump(self, sha256: str) -> RecordedFile:
        if self._settings.postgres_url or "@" in sha256:
            return RecordedFile("care database, snapshot", sha256, None)
        found = dumps(self.pack) if self.pack.is_dir() else []
        same = next((d for d in found if self._fingerprint(d) == sha256), None)
        if same:
            return RecordedFile(same.relative_to(self.pack).as_posix(), sha256, None)
        if found:
            name = found[0].relative_to(self.pack).as_posix()
            return RecordedFile(name, sha256, self._problem(found[0], sha256))
        return RecordedFile("dump of the care database", sha256, REMOVED)

    def _problem(self, file: Path, sha256: str) -> str | None:
        if not file.exists():
            return REMOVED
        now = self._fingerprint(file)
        return None if now == sha256 else f"changed: {shortened(now)} now, {shortened(sha256)} when it was read"

    def _fingerprint(self, file: Path) -> str:
        if file not in self._fingerprints:
            self._fingerprints[file] = dump_fingerprint(file)
        return self._fingerprints[file]

    def lines(
        self,
        lake: Lake,
        connection: duckdb.DuckDBPyConnection,
        table: Table,
        files: Sequence[RecordedFile],
        match: str,
        parts: Mapping[str, Sequence[str]],
    ) -> Mapping[str, Sequence[Line]]:
        """The lines of the rows whose `match` is one of the values of the relation `wanted`, by file.

        `parts` are the only values that they have in some columns: other lines are not matched. Files that have changed
        are skipped.
        """
        source = delivered_rows(table)
        within = " AND ".join(
            f"{sql_name(column)} IN ({', '.join(map(sql_text, values))})"
            for column, values in parts.items()
            if column in source.derived
        )
        unchanged = {f.name for f in files if f.problem is None}
        lines_by_file: dict[str, Sequence[Line]] = {}
        if not unchanged:
            return lines_by_file
        connection.execute("SET preserve_insertion_order = true")
        with self._context(lake) as context, source.reader.open(source.expected(table.columns), context) as rows:
            for raw in rows:
                if raw.origin.name not in unchanged:
                    continue
                sql = RowSql(table, source, raw)
                matched = connection.execute(
                    f'SELECT "text:number", {match} AS value FROM ({sql.numbered()}) '
                    f"WHERE {within or 'true'} AND reason IS NULL AND value IN (SELECT value FROM wanted) ORDER BY 1"
                ).fetchall()
                located = raw.locate(connection, [number for number, _ in matched])
                lines_by_file[raw.origin.name] = [
                    Line(line, value, text) for (_, value), (line, text) in zip(matched, located, strict=True)
                ]
        return lines_by_file

    @contextmanager
    def _context(self, lake: Lake) -> Iterator[ReadingContext]:
        """The context of a reader; its copies of files are in the restricted zone."""
        with scratch(lake) as folder:
            yield ReadingContext(self.pack, folder, CareDatabase(self._settings, lambda _: None), lambda _: None)


def lines_or_problem(
    deliveries: Deliveries,
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    files: Sequence[RecordedFile],
    match: str,
    parts: Mapping[str, Sequence[str]],
) -> tuple[Mapping[str, Sequence[Line]], str | None]:
    """The result of `Deliveries.lines`, and the error message if the delivery cannot be read now."""
    try:
        return deliveries.lines(lake, connection, table, files, match, parts), None
    except ChuError as error:
        return {}, str(error)
