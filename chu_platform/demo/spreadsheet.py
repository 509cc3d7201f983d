"""Writers of XLSX and CSV files in the form of the delivered surveys, with reproducible bytes."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import xlsxwriter

Cell: TypeAlias = str | int | float | None

CREATED: Final = datetime(2021, 3, 1, 12, 0, 0)


def write_xlsx(path: Path, sheet: str, rows: Sequence[Sequence[Cell]]) -> None:
    """Write one sheet: text cells for str, numeric cells for numbers, no cell for None.

    XlsxWriter gives the members of the archive a constant time; the creation date is set here.
    """
    with xlsxwriter.Workbook(str(path), {"strings_to_numbers": False, "strings_to_formulas": False}) as workbook:
        workbook.set_properties({"created": CREATED, "author": "", "company": ""})
        worksheet = workbook.add_worksheet(sheet)
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    worksheet.write_string(number, column, value)
                elif value is not None:
                    worksheet.write_number(number, column, value)


def write_csv(path: Path, rows: Sequence[Sequence[Cell]], delimiter: str = ";", newline: str = "\n") -> None:
    """Write a CP1252 file without BOM and without quotes; None is an empty field."""
    lines = [delimiter.join("" if value is None else str(value) for value in row) for row in rows]
    path.write_bytes((newline.join(lines) + newline).encode("cp1252"))
