"""Rows of the sheets of a delivered XLSX workbook, one after the other.

The memory and the time that a workbook takes depend on its cells, not on the position of the last one.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from chu_platform.errors import ChuError
from chu_platform.ingest.cell_percentages import as_percentage
from chu_platform.ingest.workbook_bounds import TooLargeError, WorkbookScan, within_bounds

if TYPE_CHECKING:
    from openpyxl import Workbook

# Cells of a sheet, counted from column A to the last cell of each row: a full sheet has 17 thousand million.
MAX_CELLS: Final = 20_000_000
# Characters of the texts of a sheet.
MAX_CHARACTERS: Final = 1 << 28
ERRORS: Final = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"))
# Row number in the sheet, from 1, and texts of the cells up to the last one.
Row: TypeAlias = tuple[int, Sequence[str]]

# About styles and extensions, which are not read.
warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")


@dataclass(frozen=True)
class Sheet:
    """A worksheet of an open workbook. `file` is the name of the workbook in the pack.

    What is below the last row with a value is not read: a sheet may have a million rows with nothing but a format.
    """

    name: str
    file: str
    is_visible: bool
    _book: "Workbook"
    _path: Path
    _scan: WorkbookScan

    def rows(self) -> Iterator[Row]:
        """The rows that are not blank. Raises ChuError when they are damaged or beyond a limit."""
        characters = 0
        with _readable(self.file):
            for number, cells in self._cells(self._book):
                if not cells:
                    continue
                texts = [_text(cell.value, cell.number_format) for cell in cells]
                filled = max((i for i, text in enumerate(texts, start=1) if text), default=0)
                characters += sum(map(len, texts))
                if characters > MAX_CHARACTERS:
                    raise TooLargeError(f"the sheet {self.name!r} has more than {MAX_CHARACTERS:,} characters")
                if filled:
                    yield number, texts[:filled]

    def require_results(self) -> None:
        """Raise ChuError when the sheet has formulas without stored results: their cells would be empty."""
        if not self._scan.has_formulas:
            return
        missing, count, zeros = [], 0, 0
        with _readable(self.file), _opened(self._path, data_only=False) as formulas:
            rows = zip(self._cells(formulas), self._cells(self._book), strict=True)
            pairs = (pair for (_, row), (_, results) in rows for pair in zip(row, results, strict=True))
            for cell, result in pairs:
                if cell.data_type == "f":
                    count += 1
                    zeros += result.value == 0
                    # A result may be an empty text: its type is stored then.
                    if result.value is None and result.data_type != "str":
                        missing.append(cell.coordinate)
        faults = f"{len(missing)} formulas without a result, the first in {missing[0]}" if missing else ""
        if self._scan.is_to_be_computed and count and zeros == count:
            faults = f"{count} formulas, all with the result 0"
        if faults:
            raise ChuError(
                f"{self.file}: the sheet {self.name!r} has {faults}; they were never computed: open the file in a "
                "spreadsheet program, save it there, and deliver it again"
            )

    def _cells(self, book: "Workbook") -> Iterator[tuple[int, Sequence[Any]]]:
        sheet = book[self.name]
        # The stated dimensions are often wrong.
        sheet.reset_dimensions()
        last = self._scan.last_rows.get(sheet._worksheet_path.lstrip("/"))
        cells = 0
        for number, row in enumerate(() if last == 0 else sheet.iter_rows(max_row=last), start=1):
            cells += len(row)
            if cells > MAX_CELLS:
                raise TooLargeError(
                    f"the sheet {self.name!r} has more than {MAX_CELLS:,} cells up to row {number}; delete the columns "
                    "at the right of its table"
                )
            yield number, row


@contextmanager
def opened_sheets(file: Path, name: str) -> Iterator[Sequence[Sheet]]:
    """The worksheets of a workbook. Raises ChuError when it is damaged or beyond a limit."""
    with ExitStack() as stack:
        with _readable(name):
            scan = within_bounds(file)
            book = stack.enter_context(_opened(file, data_only=True))
            visible = {sheet.title: sheet.sheet_state == "visible" for sheet in book.worksheets}
        yield [Sheet(title, name, is_visible, book, file, scan) for title, is_visible in visible.items()]


@contextmanager
def _opened(file: Path, data_only: bool) -> Iterator["Workbook"]:
    # Takes a while to import, and is needed for workbooks only.
    from openpyxl.reader.excel import ExcelReader

    with file.open("rb") as stream:
        reader = ExcelReader(stream, read_only=True, data_only=data_only, keep_links=False)
        # Charts are not read, and openpyxl fails on those without a drawing.
        reader.read_chartsheet = lambda *_: None
        reader.read()
        try:
            yield reader.wb
        finally:
            reader.wb.close()


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Replace the errors of a damaged or hostile workbook with a ChuError."""
    try:
        yield
    except ChuError:
        raise
    except TooLargeError as error:
        raise ChuError(f"{name}: {error}: it is not read") from None
    except Exception:
        # Damaged bytes make openpyxl raise exceptions of any class.
        raise ChuError(f"{name} is damaged and cannot be opened as a workbook: ask for it again") from None


def _text(cell: object, number_format: str | None) -> str:
    """The text of a cell as in a CSV file: whole numbers without decimals, dates without time; errors are empty.

    A number that is shown as a percentage is a percentage.
    """
    if cell is None:
        return ""
    if isinstance(cell, str):
        text = cell.strip()
        return "" if text in ERRORS else text
    if number_format and "%" in number_format and isinstance(cell, int | float) and not isinstance(cell, bool):
        return as_percentage(cell, number_format)
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == time():
        return str(cell.date())
    return str(cell)
