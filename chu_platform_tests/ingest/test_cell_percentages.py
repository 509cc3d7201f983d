"""Workbook cells that are shown as percentages: what a reader sees, not the number that is stored."""

from pathlib import Path

import openpyxl
import pytest

from chu_platform.ingest.cell_percentages import as_percentage
from chu_platform_tests.ingest.deliveries import HEADER, deliver, table_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("number", "number_format", "text"),
    [
        (0.755, "0.0%", "75.5 %"),
        (0.5512, "0%", "55.12 %"),
        (1, "0%", "100 %"),
        (0, "0%", "0 %"),
        (0.07, "0.00%;[Red]-0.00%", "7 %"),
        (-0.07, "0.00%;[Red]-0.00%", "-7 %"),
        (75.5, "0.0;0%", "75.5"),
        (0.1, "[<=1]0.0%;0.0", "10 %"),
        (75.0, "[<=1]0.0%;0.0", "75"),
        (75.5, '0.0" %"', "75.5"),
        (75.5, "0.0\\%", "75.5"),
        (75.5, '0.0_%* "%"', "75.5"),
        (0.755, '0.0 %" (note)"', "75.5 %"),
        (1e-05, "0.000%", "0.001 %"),
    ],
)
def test_the_text_of_a_number(number: float, number_format: str, text: str) -> None:
    assert as_percentage(number, number_format) == text


def test_cells_of_a_workbook(tmp_path: Path) -> None:
    """Cells of one column have formats of their own; texts, truth values, dates and other numbers stay."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(HEADER.split(";"))
    for number, label, number_format in (
        (1, 0.755, "0.0%"),
        (2, 75.5, "0.0"),
        (3, "75,5 %", "0%"),
        (4, 0.5, "0.00%;[Red]-0.00%"),
        (5, True, "0%"),
    ):
        sheet.append([number, label, "2020-01-01", None])
        sheet.cell(sheet.max_row, 2).number_format = number_format
    (tmp_path / "pack").mkdir()
    book.save(tmp_path / "pack" / "things.xlsx")
    outcome = deliver(table_of(), tmp_path / "pack", tmp_path)
    assert [row[1] for row in outcome.rows] == ["75.5 %", "75.5", "75,5 %", "50 %", "True"]
