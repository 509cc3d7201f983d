"""Reader of delivered CSV files: header, separator, encoding."""

import csv
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chu_platform.errors import ChuError
from chu_platform.ingest.csv_dialect import Dialect
from chu_platform.ingest.csv_records import RecordScan
from chu_platform.ingest.delivered import MAX_REJECTS, Expected, RawRows
from chu_platform.ingest.file_kinds import BYTE_ORDER_MARK, refuse_doubled, require_text
from chu_platform.ingest.files import OpenedFile
from chu_platform.ingest.line_structure import MAX_RECORD_LENGTH
from chu_platform.tables.duckdb_sql import sql_path, sql_text

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext

SEPARATORS = ";,\t|"
HEADER_LIMIT = 1 << 20
# A first line that tells a spreadsheet program the separator.
SEPARATOR_LINE = re.compile(rb'"?sep=."?\r*', re.IGNORECASE)


@dataclass(frozen=True)
class CsvFormat:
    """CSV format. `fallback` is the encoding of lines that are not UTF-8: a file may have lines of both.

    `separator` may list several characters: the one that is most frequent in the header of a file is used.
    """

    separator: str
    quote: str = '"'
    fallback: str = "cp1252"

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
            header = _Header.of(file.path, file.name)
            separator = max(self.separator, key=header.text.decode("latin-1").count)
            names = self._names(header.text, separator)
            columns = expected.match(file.name, names, context.log, self._separator_hint(names))
            refuse_doubled(file.path, file.name, header.size)
            ending = b"\r\n" if header.text.endswith(b"\r") else b"\n"
            dialect = Dialect(separator.encode(), self.quote.encode(), self.fallback, ending, len(names))
            scan = RecordScan(file.path, file.name, dialect, header.text.rstrip(b"\r"), header.size, header.lines + 1)
            scan.run(Path(scratch) / "normalised.csv", MAX_REJECTS)
            scan.require_whole()
            if not scan.records and not scan.malformed:
                raise ChuError(f"{file.name} has a header and no rows: ask for it again")
            listed = ", ".join(f"{sql_text(name)}: 'VARCHAR'" for name in columns.names)
            relation = (
                f"read_csv({sql_path(scan.readable_file)}, auto_detect = false, header = true, "
                f"delim = {sql_text(separator)}, quote = {sql_text(self.quote)}, "
                f"escape = {sql_text(self.quote)}, columns = {{{listed}}}, max_line_size = {MAX_RECORD_LENGTH}, "
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
                outer_blanks=scan.outer_blanks,
            )

    def _names(self, header: bytes, separator: str) -> list[str]:
        try:
            text = header.decode("utf-8")
        except UnicodeDecodeError:
            text = header.decode(self.fallback, "replace")
        text = text.rstrip("\r")
        if self.quote:
            parsed = next(csv.reader([text], delimiter=separator, quotechar=self.quote), [])
        else:
            parsed = text.split(separator)
        return [c.strip() for c in parsed]

    def _separator_hint(self, header: Sequence[str]) -> str:
        if len(header) == 1:
            other = next((s for s in SEPARATORS if s != self.separator and header[0].count(s) > 1), None)
            if other:
                return (
                    f" (its separator is {other!r}; expected: {self.separator!r}; a spreadsheet program may have saved "
                    "it again: ask for the original file)"
                )
        return ""


@dataclass(frozen=True)
class _Header:
    """The header line without its line feed; number of bytes and lines up to and including the header."""

    text: bytes
    size: int
    lines: int

    @classmethod
    def of(cls, file: Path, name: str) -> "_Header":
        """Read the first line that is not blank. Raises ChuError when the file is not text."""
        with file.open("rb") as stream:
            start = stream.read(HEADER_LIMIT)
        bom = len(BYTE_ORDER_MARK) if start.startswith(BYTE_ORDER_MARK) else 0
        lines = start[bom:].split(b"\n")
        blank = next((i for i, line in enumerate(lines) if line.strip()), None)
        if blank is None:
            raise ChuError(f"{name} contains no text: ask for it again")
        if SEPARATOR_LINE.fullmatch(lines[blank]) and len(lines) > blank + 1:
            blank += 1
        text = lines[blank]
        if b"\x00" in text:
            raise ChuError(f"{name} is not a CSV file: line {blank + 1} contains binary data")
        if b"\r" in text.rstrip(b"\r"):
            raise ChuError(f"{name} has line endings of carriage returns only: save it with line feeds (LF or CRLF)")
        if len(lines) == blank + 1 and len(start) == HEADER_LIMIT:
            raise ChuError(f"{name} is not a CSV file: it has no line break in its first megabyte")
        size = bom + sum(len(line) + 1 for line in lines[: blank + 1])
        return cls(text, size, blank + 1)
