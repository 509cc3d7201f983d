"""Reader of delivered XLSX workbooks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.errors import ChuError
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Expected, Malformed, Matched, RawRows
from chu_platform.ingest.file_kinds import require_workbook
from chu_platform.ingest.files import OpenedFile
from chu_platform.ingest.outer_blanks import OuterBlanks
from chu_platform.ingest.parquet_text import parquet_rows
from chu_platform.ingest.workbook_rows import Row, Sheet, opened_sheets

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext

# Rows at the top of a sheet, blank ones left out, that may be the header.
HEADER_SEARCH_ROWS: Final = 20
# Rows that are written at a time.
BATCH_ROWS: Final = 1_000
# Names of sheets in an error.
MAX_NAMED: Final = 5


@dataclass(frozen=True)
class WorkbookFormat:
    """An XLSX workbook. The sheet is the one that has the header; lines of text may stand above the header.

    A hidden sheet is read, with a remark, if no visible one has the header.
    """

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
        """See `delivered_files.Format`. Line numbers are row numbers of the sheet, from 1, including blank rows."""
        require_workbook(file.path, file.name)
        raw = context.scratch / "workbook.parquet"
        try:
            with opened_sheets(file.path, file.name) as sheets:
                rows = _from_header(sheets, file.name, expected, list, context.remarks)
                _, header = next(rows)
                columns = expected.match(file.name, header, context.log)
                body = _Body.write(rows, header, columns, raw)
            if not body.lines and not body.malformed:
                raise ChuError(f"{file.name} has a header and no rows: ask for it again")
            read = parquet_rows(
                raw,
                file.origin(),
                columns,
                len(body.lines),
                lines=body.lines,
                malformed=body.malformed,
                constants=constants,
            )
            yield replace(read, outer_blanks=OuterBlanks.ANY)
        finally:
            raw.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Body:
    """The rows below the header: row numbers of those that were written, and those that have other columns."""

    lines: Sequence[int]
    malformed: Sequence[Malformed]

    @classmethod
    def write(cls, rows: Iterator[Row], header: Sequence[str], columns: Matched, target: Path) -> "_Body":
        """Write the rows to a Parquet file, some at a time."""
        lines: list[int] = []
        malformed: list[Malformed] = []
        schema = pa.schema([(name, pa.string()) for name in columns.names])
        with pq.ParquetWriter(target, schema) as writer:
            while batch := list(islice(rows, BATCH_ROWS)):
                malformed += [Malformed(n, r, ";".join(c)) for n, c in batch if (r := _reject_reason(c, header))]
                kept = [(n, c) for n, c in batch if not _reject_reason(c, header)]
                lines += [n for n, _ in kept]
                cells = [[c[i] if i < len(c) else "" for _, c in kept] for i in range(len(header))]
                writer.write_table(pa.table([pa.array(c, pa.string()) for c in cells], schema=schema))
        return cls(lines, malformed)


def _reject_reason(cells: Sequence[str], header: Sequence[str]) -> str | None:
    """Reason code of a row that cannot be split into the columns of the header."""
    if len(cells) > len(header):
        return "too_many_fields"
    return "repeated_header" if cells == header else None


@dataclass(frozen=True)
class PastedCsvFormat:
    """A workbook with the lines of a CSV file pasted into the sheet that has the header: a line is a first cell.

    `separator` is that of the lines. If a sheet has the names of the columns in cells, it is an ordinary workbook.
    """

    separator: str

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
        """See `delivered_files.Format`. Line numbers are row numbers of the sheet, from 1, including blank rows."""
        require_workbook(file.path, file.name)
        pasted = context.scratch / "pasted.csv"
        try:
            with opened_sheets(file.path, file.name) as sheets, pasted.open("w", encoding="utf-8") as target:
                is_pasted = not any(_header_of(sheet, expected, list).is_whole for sheet in sheets)
                at = 1
                rows = _from_header(sheets, file.name, expected, self._fields, context.remarks) if is_pasted else ()
                for number, cells in rows:
                    target.write("\n" * (number - at) + self._line(cells) + "\n")
                    at = number + 1
            if not is_pasted:
                with WorkbookFormat().rows(file, expected, constants, context) as raw:
                    yield raw
                return
            with CsvFormat().rows(replace(file, path=pasted), expected, constants, context) as raw:
                # The encoding of the temporary file is not the encoding of the workbook.
                yield replace(raw, encoding=None, lines_in_fallback=0)
        finally:
            pasted.unlink(missing_ok=True)

    def _line(self, cells: Sequence[str]) -> str:
        """The pasted line. Text in other cells is part of it too: the line then has too many fields."""
        return self.separator.join(cells).rstrip(self.separator) if any(cells[1:]) else cells[0]

    def _fields(self, cells: Sequence[str]) -> list[str]:
        return [field.strip() for field in self._line(cells).split(self.separator)]


@dataclass(frozen=True)
class _Header:
    """The row of a sheet that has all required columns, or the most of them; `row` is 0 for an empty sheet."""

    sheet: Sheet
    row: int
    missing: int

    @property
    def is_whole(self) -> bool:
        """Whether it has all required columns."""
        return self.row > 0 and not self.missing


def _header_of(sheet: Sheet, expected: Expected, fields_of: Callable[[Sequence[str]], Sequence[str]]) -> _Header:
    """The header of a sheet. `fields_of` gives the names in a row of cells."""
    found = _Header(sheet, 0, len(expected.required) + 1)
    for number, cells in islice(sheet.rows(), HEADER_SEARCH_ROWS):
        missing = len(expected.missing(fields_of(cells)))
        if missing < found.missing:
            found = _Header(sheet, number, missing)
        if not missing:
            break
    return found


def _from_header(
    sheets: Sequence[Sheet],
    name: str,
    expected: Expected,
    fields_of: Callable[[Sequence[str]], Sequence[str]],
    remarks: list[str],
) -> Iterator[Row]:
    """The rows of the sheet that has the header, from the header on; a remark is added if the sheet is hidden.

    If no sheet has a whole header, they start at the row that has the most of it, so that its columns are reported.
    Raises ChuError when several sheets have the header, or when formulas of the sheet have no results.
    """
    headers = [_header_of(sheet, expected, fields_of) for sheet in sheets if sheet.is_visible]
    if not any(header.is_whole for header in headers):
        headers += [_header_of(sheet, expected, fields_of) for sheet in sheets if not sheet.is_visible]
    filled = [header for header in headers if header.row]
    if not filled:
        raise ChuError(f"{name}: its sheets are empty: ask for it again")
    whole = [header.sheet.name for header in filled if header.is_whole]
    if len(whole) > 1:
        more = f" and {len(whole) - MAX_NAMED} more" if len(whole) > MAX_NAMED else ""
        raise ChuError(
            f"{name} has the columns in several sheets: {', '.join(whole[:MAX_NAMED])}{more}; keep one of them"
        )
    best = min(filled, key=lambda header: header.missing)
    if not best.sheet.is_visible and whole:
        remarks.append(f"{name}: its table is in the hidden sheet {best.sheet.name!r}, which is read")
    best.sheet.require_results()
    return (row for row in best.sheet.rows() if row[0] >= best.row)
