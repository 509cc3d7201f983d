"""Reading delivered XLSX workbooks.

Here: one sheet to rows of text. Not here: what the text means.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from chu_platform.errors import ChuError
from chu_platform.sources.delivered import Origin, RawRows

if TYPE_CHECKING:
    from chu_platform.sources.reading import ReadingContext


@dataclass(frozen=True)
class WorkbookFormat:
    """An XLSX workbook whose rows are in the sheet named `sheet`."""

    sheet: str

    @contextmanager
    def rows(
        self, file: Path, origin: Origin, columns: Sequence[str], constants: Mapping[str, str], context: "ReadingContext"
    ) -> Iterator[RawRows]:
        """See `delivered_files.Format`."""
        cells = self._cells(file, origin.name)
        header = [_text(c) for c in cells[0]] if cells else []
        context.check_header(origin.name, header, columns, hint="")
        body = cells[1:]
        arrays = [pa.array([_text(r[i]) if i < len(r) else "" for r in body], pa.string()) for i in range(len(header))]
        raw = context.scratch / f"{file.stem}.parquet"
        pq.write_table(pa.table(arrays, names=header), raw)
        yield RawRows(origin, f"read_parquet('{raw}')", "1 + row_number() OVER ()", lambda _: (), constants)

    def _cells(self, file: Path, name: str) -> list[list[object]]:
        if not zipfile.is_zipfile(file):
            raise ChuError(f"{name} is not an XLSX workbook, whatever its name says: ask for it again, or deliver it as .csv")
        try:
            with CalamineWorkbook.from_path(str(file)) as workbook:
                if self.sheet not in workbook.sheet_names:
                    raise ChuError(f"{name} has no sheet {self.sheet!r}, only {', '.join(workbook.sheet_names)}")
                rows: list[list[object]] = workbook.get_sheet_by_name(self.sheet).to_python(skip_empty_area=False)
        except (CalamineError, OSError, zipfile.BadZipFile):
            raise ChuError(f"{name} is damaged and cannot be opened as a workbook: ask for it again") from None
        return [r for r in rows if any(_text(c) for c in r)]


def _text(cell: object) -> str:
    """A cell as the text a CSV file would hold: whole numbers without decimals."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip() if cell is not None else ""
