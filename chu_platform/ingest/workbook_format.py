"""Reader of delivered XLSX workbooks."""

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from chu_platform.errors import ChuError
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Expected, Malformed, RawRows
from chu_platform.ingest.files import OpenedFile
from chu_platform.ingest.parquet_text import parquet_rows

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext

# Rows at the top of a sheet, blank ones left out, that may be the header.
HEADER_SEARCH_ROWS: Final = 20
# Row number in the sheet, from 1, and texts of the cells.
Row: TypeAlias = tuple[int, Sequence[str]]


@dataclass(frozen=True)
class WorkbookFormat:
    """An XLSX workbook. The sheet is the one that has the header; lines of text may stand above the header."""

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
        (_, header), *body = _from_header(_sheets(file.path, file.name), file.name, expected, _without_blank_end)
        header = _without_blank_end(header)
        columns = expected.match(file.name, header, context.log)
        if not body:
            raise ChuError(f"{file.name} has a header and no rows: ask for it again")
        wide = [Malformed(n, "too_many_fields", ";".join(r)) for n, r in body if any(r[len(header) :])]
        kept = [(n, r) for n, r in body if not any(r[len(header) :])]
        arrays = [pa.array([r[i] if i < len(r) else "" for _, r in kept], pa.string()) for i in range(len(header))]
        raw = context.scratch / "workbook.parquet"
        try:
            pq.write_table(pa.table(arrays, names=columns.names), raw)
            yield parquet_rows(
                raw,
                file.origin(),
                columns,
                len(kept),
                lines=[n for n, _ in kept],
                malformed=wide,
                constants=constants,
            )
        finally:
            raw.unlink(missing_ok=True)


@dataclass(frozen=True)
class PastedCsvFormat:
    """A workbook with the lines of a CSV file pasted into the sheet that has the header: a line is a first cell."""

    lines: CsvFormat

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
        pasted = context.scratch / "pasted.csv"
        rows = _from_header(_sheets(file.path, file.name), file.name, expected, self._fields)
        try:
            with pasted.open("w", encoding="utf-8") as target:
                at = 1
                for number, cells in rows:
                    target.write("\n" * (number - at) + self._line(cells) + "\n")
                    at = number + 1
            with self.lines.rows(replace(file, path=pasted), expected, constants, context) as raw:
                # The encoding of the temporary file is not the encoding of the workbook.
                yield replace(raw, encoding=None)
        finally:
            pasted.unlink(missing_ok=True)

    def _line(self, cells: Sequence[str]) -> str:
        """The pasted line. Text in other cells is part of it too: the line then has too many fields."""
        return self.lines.separator.join(cells).rstrip(self.lines.separator) if any(cells[1:]) else cells[0]

    def _fields(self, cells: Sequence[str]) -> list[str]:
        return [field.strip() for field in self._line(cells).split(self.lines.separator)]


def _sheets(file: Path, name: str) -> Mapping[str, Sequence[Row]]:
    """The rows that are not blank of each visible worksheet that has such rows, by the name of the sheet."""
    if not zipfile.is_zipfile(file):
        raise ChuError(f"{name} is not an XLSX workbook, or it is incomplete: ask for it again, or deliver it as .csv")
    try:
        with CalamineWorkbook.from_path(str(file)) as workbook:
            sheets = {
                sheet.name: workbook.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False)
                for sheet in workbook.sheets_metadata
                if sheet.typ is SheetTypeEnum.WorkSheet and sheet.visible is SheetVisibleEnum.Visible
            }
    except (CalamineError, OSError, zipfile.BadZipFile, ValueError):
        raise ChuError(f"{name} is damaged and cannot be opened as a workbook: ask for it again") from None
    rows = {sheet: _filled_rows(cells) for sheet, cells in sheets.items()}
    if not any(rows.values()):
        raise ChuError(f"{name}: its sheets are empty: ask for it again")
    return {sheet: filled for sheet, filled in rows.items() if filled}


def _filled_rows(cells: Sequence[Sequence[object]]) -> Sequence[Row]:
    texts = ((n, [_text(c) for c in row]) for n, row in enumerate(cells, start=1))
    return [(n, row) for n, row in texts if any(row)]


def _from_header(
    sheets: Mapping[str, Sequence[Row]],
    name: str,
    expected: Expected,
    fields_of: Callable[[Sequence[str]], Sequence[str]],
) -> Sequence[Row]:
    """The rows of the sheet that has the header, from the header on. `fields_of` gives the names in a row of cells.

    If no sheet has a whole header, they start at the row that has the most of it, so that its columns are reported.
    Raises ChuError when several sheets have the header.
    """
    best, fewest = next(iter(sheets.values())), len(expected.required)
    whole: list[str] = []
    for sheet, rows in sheets.items():
        for at, (_, cells) in enumerate(rows[:HEADER_SEARCH_ROWS]):
            missing = len(expected.missing(fields_of(cells)))
            if missing < fewest:
                best, fewest = rows[at:], missing
            if not missing:
                whole.append(sheet)
                break
    if len(whole) > 1:
        raise ChuError(f"{name} has the columns in several sheets: {', '.join(whole)}; keep one of them")
    return best


def _without_blank_end(cells: Sequence[str]) -> list[str]:
    filled = max((i for i, cell in enumerate(cells, start=1) if cell), default=0)
    return list(cells[:filled])


def _text(cell: object) -> str:
    """The text of a cell as in a CSV file: whole numbers without decimals."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip() if cell is not None else ""
