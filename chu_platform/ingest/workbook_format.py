"""Reader of delivered XLSX workbooks."""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from chu_platform.errors import ChuError
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Expected, Malformed, RawRows
from chu_platform.ingest.files import OpenedFile
from chu_platform.ingest.parquet_text import parquet_rows

if TYPE_CHECKING:
    from chu_platform.ingest.reading import ReadingContext


@dataclass(frozen=True)
class WorkbookFormat:
    """An XLSX workbook. The header is the first row of the sheet `sheet` that is not blank."""

    sheet: str

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
        (_, header), *body = _cells(file.path, file.name, self.sheet)
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
    """A workbook with the lines of a CSV file pasted into the sheet `sheet`: each line is the text of a first cell."""

    sheet: str
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
        try:
            with pasted.open("w", encoding="utf-8") as target:
                at = 1
                for number, cells in _cells(file.path, file.name, self.sheet):
                    # Text in other cells is part of the line too: the line then has too many fields.
                    line = self.lines.separator.join(cells).rstrip(self.lines.separator) if any(cells[1:]) else cells[0]
                    target.write("\n" * (number - at) + line + "\n")
                    at = number + 1
            with self.lines.rows(replace(file, path=pasted), expected, constants, context) as rows:
                # The encoding of the temporary file is not the encoding of the workbook.
                yield replace(rows, encoding=None)
        finally:
            pasted.unlink(missing_ok=True)


def _cells(file: Path, name: str, sheet: str) -> list[tuple[int, list[str]]]:
    """Row numbers and cell texts of the rows that are not blank. The first is the header, trailing blanks removed."""
    if not zipfile.is_zipfile(file):
        raise ChuError(f"{name} is not an XLSX workbook, or it is incomplete: ask for it again, or deliver it as .csv")
    try:
        with CalamineWorkbook.from_path(str(file)) as workbook:
            if sheet not in workbook.sheet_names:
                raise ChuError(f"{name} has no sheet {sheet!r}, only {', '.join(workbook.sheet_names)}")
            cells = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    except ChuError:
        raise
    except (CalamineError, OSError, zipfile.BadZipFile, ValueError):
        raise ChuError(f"{name} is damaged and cannot be opened as a workbook: ask for it again") from None
    texts = [(n, [_text(c) for c in row]) for n, row in enumerate(cells, start=1)]
    rows = [(n, row) for n, row in texts if any(row)]
    if not rows:
        raise ChuError(f"{name}: its sheet {sheet!r} is empty: ask for it again")
    number, header = rows[0]
    while not header[-1]:
        header = header[:-1]
    return [(number, header), *rows[1:]]


def _text(cell: object) -> str:
    """The text of a cell as in a CSV file: whole numbers without decimals."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip() if cell is not None else ""
