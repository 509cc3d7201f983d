"""Reader of delivered CSV files: header, separator, encoding."""

import csv
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chu_platform.errors import ChuError
from chu_platform.ingest.csv_dialect import Dialect, separator_of
from chu_platform.ingest.csv_records import RecordScan
from chu_platform.ingest.delivered import MAX_REJECTS, Expected, RawRows
from chu_platform.ingest.file_kinds import BYTE_ORDER_MARK, refuse_doubled, require_text
from chu_platform.ingest.files import OpenedFile
from chu_platform.ingest.identifiers import BLANKS
from chu_platform.ingest.line_structure import MAX_RECORD_LENGTH
from chu_platform.tables.duckdb_sql import sql_path, sql_text

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext

QUOTE = '"'
HEADER_LIMIT = 1 << 20
# Lines at the top of a file, blank ones left out, that may be the header.
HEADER_SEARCH_LINES = 20
NUMBER = re.compile(r"[+-]?\d[\d ]*([.,]\d+)?")
# A first line that tells a spreadsheet program the separator.
SEPARATOR_LINE = re.compile(rb'"?sep=."?\r*', re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class CsvFormat:
    """CSV format. `fallback` is the encoding of lines that are not UTF-8: a file may have lines of both.

    The separator is the most frequent one of the header (`separator_of`), because spreadsheet programs write other
    ones. All fields, some or none are in quotes. Lines of text, such as a title, may stand above the header. A file
    without rows is refused, unless it `may_be_empty`.
    """

    fallback: str = "cp1252"
    may_be_empty: bool = False

    def positions_of(self, _column: str) -> None:
        """See `delivered_files.Format`: a header names the columns."""
        return

    @contextmanager
    def rows(
        self,
        file: OpenedFile,
        expected: Expected,
        constants: Mapping[str, str],
        context: "ReadingContext",
    ) -> Iterator[RawRows]:
        """See `delivered_files.Format`."""
        require_text(file.path, file.name)
        with tempfile.TemporaryDirectory(dir=context.scratch) as scratch:
            header = self._header(file, expected, context.log)
            separator = separator_of(header.text)
            names = self._names(header.text)
            columns = expected.match(file.name, names, context.log)
            refuse_doubled(file.path, file.name, header.size)
            ending = b"\r\n" if header.text.endswith(b"\r") else b"\n"
            dialect = Dialect(separator.encode(), QUOTE.encode(), self.fallback, ending, len(names))
            scan = RecordScan(file.path, file.name, dialect, header.text.rstrip(b"\r"), header.size, header.lines + 1)
            scan.run(Path(scratch) / "normalised.csv", MAX_REJECTS)
            scan.require_whole()
            if not scan.records and not scan.malformed and not self.may_be_empty:
                raise ChuError(f"{file.name} has a header and no rows: ask for it again")
            listed = ", ".join(f"{sql_text(name)}: 'VARCHAR'" for name in columns.names)
            relation = (
                f"read_csv({sql_path(scan.readable_file)}, auto_detect = false, header = true, "
                f"delim = {sql_text(separator)}, quote = {sql_text(QUOTE)}, "
                f"escape = {sql_text(QUOTE)}, columns = {{{listed}}}, max_line_size = {MAX_RECORD_LENGTH}, "
                "nullstr = '', allow_quoted_nulls = true)"
            )
            yield RawRows(
                file.origin(),
                relation,
                names=columns.names,
                rows=scan.records,
                number="row_number() OVER ()",
                malformed=scan.malformed,
                locate=lambda _, numbers: scan.locate(numbers),
                constants=constants,
                undeclared=columns.undeclared,
                empty_is_null=True,
                encoding=scan.encoding,
                lines_in_fallback=scan.lines_in_fallback,
                separator=separator,
                has_powers=scan.has_powers,
                doubly_encoded=scan.doubly_encoded,
                garbled=scan.garbled,
                is_unended=scan.is_unended,
                outer_blanks=scan.outer_blanks,
            )

    def _header(self, file: OpenedFile, expected: Expected, log: Callable[[str], None]) -> "_Header":
        """The first line that has all required columns; if there is none, that with most of them.

        Raises ChuError when rows stand above it, which would be lost.
        """
        lines = _Header.candidates(file.path, file.name)
        header, fewest = lines[0], len(expected.required)
        for line in lines:
            missing = len(expected.missing(self._names(line.text)))
            if missing < fewest:
                header, fewest = line, missing
            if not missing:
                break
        header.require_text(file.name)
        above = lines[: lines.index(header)]
        width = len(self._names(header.text))
        if any(_looks_like_row(self._names(line.text), width) for line in above):
            raise ChuError(
                f"{file.name}: its header is on line {header.lines}, below lines that look like rows: ask for the file "
                "with the header on its first line"
            )
        if above:
            log(f"{file.name}: its header is on line {header.lines}; the lines above it are not read")
        return header

    def _names(self, header: bytes) -> list[str]:
        try:
            text = header.decode("utf-8")
        except UnicodeDecodeError:
            text = header.decode(self.fallback, "replace")
        text = text.rstrip("\r")
        separator = separator_of(header)
        parsed = text.split(separator)
        # A row of values may be no record.
        with suppress(csv.Error):
            parsed = next(csv.reader([text], delimiter=separator, quotechar=QUOTE), [])
        return [c.strip(BLANKS) for c in parsed]


def _looks_like_row(fields: Sequence[str], width: int) -> bool:
    """Whether a line above a header of `width` columns has values: most fields are filled, and some are numbers."""
    return 2 * sum(map(bool, fields)) > width and any(NUMBER.fullmatch(field) for field in fields)


@dataclass(frozen=True)
class _Header:
    """The header line without its line feed; number of bytes and lines up to and including the header."""

    text: bytes
    size: int
    lines: int

    @classmethod
    def candidates(cls, file: Path, name: str) -> "list[_Header]":
        """The first lines that are not blank. Raises ChuError when the file is not text."""
        with file.open("rb") as stream:
            start = stream.read(HEADER_LIMIT)
        size = len(BYTE_ORDER_MARK) if start.startswith(BYTE_ORDER_MARK) else 0
        lines = start[size:].split(b"\n")
        if len(lines) == 1 and len(start) == HEADER_LIMIT:
            raise ChuError(f"{name} is not a CSV file: it has no line break in its first megabyte")
        found: list[_Header] = []
        for number, line in enumerate(lines, start=1):
            size += len(line) + 1
            if line.strip():
                found.append(cls(line, size, number))
            if len(found) > HEADER_SEARCH_LINES:
                break
        if not found:
            raise ChuError(f"{name} contains no text: ask for it again")
        if SEPARATOR_LINE.fullmatch(found[0].text) and len(found) > 1:
            del found[0]
        found[0].require_text(name)
        return found[:HEADER_SEARCH_LINES]

    def require_text(self, name: str) -> None:
        """Raise ChuError when the line is not the header of a text file."""
        if b"\x00" in self.text:
            raise ChuError(f"{name} is not a CSV file: line {self.lines} contains binary data")
        if b"\r" in self.text.rstrip(b"\r"):
            raise ChuError(f"{name} has line endings of carriage returns only: save it with line feeds (LF or CRLF)")
