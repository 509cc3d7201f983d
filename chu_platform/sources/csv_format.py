"""Reading delivered CSV files: encoding, header, malformed lines.

DuckDB parses (see docs/decisions); lines that are not even a row of the right width, or not text of the declared
encoding, are handed over as malformed with their bytes.

Here: one CSV file to rows of text. Not here: what the text means.
"""

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from chu_platform.errors import ChuError
from chu_platform.sources.delivered import Origin, RawRows

if TYPE_CHECKING:
    from chu_platform.sources.reading import ReadingContext

SEPARATORS = ";,\t|"
HEADER_LIMIT = 1 << 20
LONGEST_LINE = 1 << 21


@dataclass(frozen=True)
class CsvFormat:
    """A way of writing CSV. `fallback` is the encoding of files that are not UTF-8 (None: UTF-8 it must be)."""

    separator: str
    quote: str = '"'
    fallback: str | None = None

    @contextmanager
    def rows(
        self, file: Path, origin: Origin, columns: Sequence[str], constants: Mapping[str, str], context: "ReadingContext"
    ) -> Iterator[RawRows]:
        """See `delivered_files.Format`."""
        with tempfile.TemporaryDirectory(dir=context.scratch) as scratch:
            text = self._as_utf8(file, origin.name, Path(scratch))
            header = self._header(text, origin.name)
            context.check_header(origin.name, header, columns, hint=self._separator_hint(header))
            listed = ", ".join(f"'{_escaped(name)}': 'VARCHAR'" for name in header)
            scan = (
                f"read_csv('{_escaped(str(text))}', auto_detect = false, header = true, delim = '{self.separator}', "
                f"quote = '{_escaped(self.quote)}', escape = '{_escaped(self.quote)}', columns = {{{listed}}}, "
                f"max_line_size = {LONGEST_LINE}, "
            )
            newlines = " + ".join(
                f"(length(coalesce(\"{c}\", '')) - length(replace(coalesce(\"{c}\", ''), chr(10), '')))" for c in header
            )
            yield RawRows(
                origin,
                scan + "ignore_errors = true)",
                lines=f"1 + row_number() OVER () + coalesce(sum({newlines}) OVER "
                "(ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)",
                malformed=_malformed(text, scan + "store_rejects = true)", origin.name),
                constants=constants,
            )

    def _as_utf8(self, file: Path, name: str, scratch: Path) -> Path:
        """The file itself when it may be read as UTF-8, else a copy of it in UTF-8."""
        if self.fallback is None or _is_utf8(file):
            return file
        copy = scratch / file.name
        try:
            with file.open(encoding=self.fallback, newline="") as source, copy.open("w", encoding="utf-8", newline="") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except UnicodeDecodeError as error:
            raise ChuError(
                f"{name}: byte {error.object[error.start]:#04x} is neither UTF-8 nor {self.fallback}: ask for the file in UTF-8"
            ) from None
        return copy

    def _header(self, text: Path, name: str) -> list[str]:
        try:
            with text.open("rb") as stream:
                start = stream.read(HEADER_LIMIT)
        except OSError as error:
            raise ChuError(f"{name} cannot be read: {error.strerror}; check its permissions") from None
        first = start.removeprefix(b"\xef\xbb\xbf").splitlines()[0] if start.strip() else b""
        if b"\x00" in first or start.startswith(b"PK\x03\x04"):
            raise ChuError(f"{name} is not a CSV file (it holds binary data)")
        words = first.decode("utf-8", "replace")
        if self.quote:
            return [c.strip() for c in next(csv.reader([words], delimiter=self.separator, quotechar=self.quote), [])]
        return [c.strip() for c in words.split(self.separator)]

    def _separator_hint(self, header: Sequence[str]) -> str:
        if len(header) == 1:
            other = next((s for s in SEPARATORS if s != self.separator and header[0].count(s) > 1), None)
            if other:
                return f" (it is separated by {other!r}, and {self.separator!r} was expected)"
        return ""


def _malformed(
    text: Path, strict_scan: str, name: str
) -> Callable[[duckdb.DuckDBPyConnection], Sequence[tuple[int, str, str]]]:
    """Function that lists the lines DuckDB could not take as rows, in order."""

    def malformed(connection: duckdb.DuckDBPyConnection) -> Sequence[tuple[int, str, str]]:
        connection.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        try:
            connection.execute(f"SELECT count(*) FROM (SELECT * FROM {strict_scan})").fetchall()
            rejected = connection.execute(
                "SELECT line, min(line_byte_position), string_agg(DISTINCT error_type::VARCHAR, ','), any_value(csv_line) "
                "FROM reject_errors GROUP BY line ORDER BY line"
            ).fetchall()
        except duckdb.Error:
            raise ChuError(f"{name} cannot be parsed: it mixes line endings or holds stray quotes; ask for it again") from None
        rows = []
        with text.open("rb") as stream:
            for line, position, reason, shown in rejected:
                stream.seek(max(position - 1, 0))
                raw = stream.read(len(shown.encode()) + 64).lstrip(b"\r\n").split(b"\n")[0] if "\n" not in shown.strip() else shown.encode()
                rows.append((int(line), reason.lower().replace(" ", "_"), raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace")))
        return rows

    return malformed


def _is_utf8(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            while stream.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return False
    except OSError as error:
        raise ChuError(f"{file.name} cannot be read: {error.strerror}; check its permissions") from None
    return True


def _escaped(text: str) -> str:
    return text.replace("'", "''")
