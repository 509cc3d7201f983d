"""Workbooks that are small files and large, or not what they seem: read within bounds, or one error that names it.

Where the cases come from: docs/public-cases.md.
"""

import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from chu_platform.errors import ChuError
from chu_platform.ingest import workbook_bounds, workbook_rows
from chu_platform_tests.ingest.deliveries import HEADER, Outcome, deliver, table_of

pytestmark = pytest.mark.unit

HEADER_ROW = HEADER.split(";")
ROWS = [[1, "a", None, 1.5], [2, "b", None, 2]]
SHEET = "xl/worksheets/sheet1.xml"


def write(
    folder: Path, rows: Sequence[Sequence[object]], change: Callable[[openpyxl.Workbook], None] | None = None
) -> Path:
    book = openpyxl.Workbook()
    for row in (HEADER_ROW, *rows):
        book.active.append(list(row))
    if change:
        change(book)
    folder.mkdir(exist_ok=True)
    book.save(folder / "things.xlsx")
    return folder / "things.xlsx"


def rewrite(file: Path, part: str, change: Callable[[bytes], bytes]) -> None:
    """Change one part of a workbook."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert change(parts[part]) != parts[part]
    parts[part] = change(parts[part])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def given(tmp_path: Path) -> Outcome:
    return deliver(table_of(), tmp_path / "pack", tmp_path)


def refused(tmp_path: Path, message: str) -> None:
    with pytest.raises(ChuError, match=f"things.xlsx.*{message}") as raised:
        given(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_cell_in_the_last_corner_rejects_its_row(tmp_path: Path) -> None:
    """Add-ins store their settings there."""

    def change(book: openpyxl.Workbook) -> None:
        book.active["XFD1048576"] = "solver"

    assert write(tmp_path / "pack", ROWS, change).stat().st_size < 8_000
    outcome = given(tmp_path)
    assert [row[0] for row in outcome.rows] == [1, 2]
    assert outcome.rejected == [(1_048_576, None, "too_many_fields")]


def test_a_cell_in_the_last_corner_of_another_sheet(tmp_path: Path) -> None:
    def change(book: openpyxl.Workbook) -> None:
        book.create_sheet("old", 0)["XFD1048576"] = "solver"

    write(tmp_path / "pack", ROWS, change)
    assert [row[0] for row in given(tmp_path).rows] == [1, 2]


def test_many_wide_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_rows, "MAX_CELLS", 50_000)

    def change(book: openpyxl.Workbook) -> None:
        for row in range(10, 14):
            book.active[f"XFD{row}"] = "x"

    write(tmp_path / "pack", ROWS, change)
    refused(tmp_path, "more than 50,000 cells up to row 13; delete the columns")


def test_a_long_text_in_many_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is stored once; a table has it in every row."""
    monkeypatch.setattr(workbook_rows, "MAX_CHARACTERS", 300_000)
    assert write(tmp_path / "pack", [[i, "x" * 30_000, None, 1] for i in range(20)]).stat().st_size < 8_000
    refused(tmp_path, "more than 300,000 characters")


@pytest.mark.parametrize(("part", "limit"), [(SHEET, "MAX_TABLES"), ("xl/styles.xml", "MAX_OTHER_PART")])
def test_a_part_that_unpacks_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, limit: str
) -> None:
    monkeypatch.setattr(workbook_bounds, limit, 1 << 20)
    rewrite(write(tmp_path / "pack", ROWS), part, lambda xml: xml + b" " * (1 << 20))
    refused(tmp_path, "larger than 1 MB when unpacked")


def test_a_row_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_bounds, "MAX_TAGS", 100)
    write(tmp_path / "pack", [[1, "a", None, 1, *range(60)]])
    refused(tmp_path, "too many parts")


def entities(xml: bytes) -> bytes:
    return b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + xml.partition(b"?>")[2]


@pytest.mark.parametrize(
    "change",
    [
        entities,
        lambda xml: xml.replace(b'<row r="3"', b'<row r="2"'),
        lambda xml: xml.replace(b'<row r="3"', b'<row r="16777217"').replace(b'"A3"', b'"A16777217"'),
        lambda xml: xml.replace(b'"A3"', b'"AAAA3"'),
    ],
    ids=["entities", "a row twice", "a row below the last", "a column beyond the last"],
)
def test_damage_that_would_lose_rows_or_memory(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    rewrite(write(tmp_path / "pack", ROWS), SHEET, change)
    refused(tmp_path, "is damaged")


def test_formulas_without_results(tmp_path: Path) -> None:
    """Programs that write workbooks do not compute formulas."""
    write(tmp_path / "pack", [[1, "a", None, "=1+1"], [2, "b", None, 2], [3, "c", None, "=D2*2"]])
    refused(tmp_path, "has 2 formulas without a result, the first in D2; .* open the file in a spreadsheet program")


def test_formulas_of_another_sheet_do_not_matter(tmp_path: Path) -> None:
    def change(book: openpyxl.Workbook) -> None:
        book.create_sheet("totals").append(["=SUM(Sheet!D2:D3)"])

    write(tmp_path / "pack", ROWS, change)
    assert given(tmp_path).reading.kept == 2


@pytest.mark.parametrize(("results", "message"), [((0, 0), "2 formulas, all with the result 0"), ((2, 0), None)])
def test_results_of_formulas(tmp_path: Path, results: tuple[int, int], message: str | None) -> None:
    """XlsxWriter stores 0 as the result of a formula, if it is given no result."""
    (tmp_path / "pack").mkdir()
    with xlsxwriter.Workbook(str(tmp_path / "pack" / "things.xlsx")) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([HEADER_ROW, [1, "a"], [2, "b"]]):
            sheet.write_row(number, 0, row)
        for number, result in enumerate(results, start=1):
            sheet.write_formula(number, 3, "=1+1", None, result)
    if message:
        refused(tmp_path, message)
    else:
        assert [r[3] for r in given(tmp_path).rows] == [2.0, 0.0]


def test_the_result_of_a_formula_is_an_empty_text(tmp_path: Path) -> None:
    file = write(tmp_path / "pack", [[1, '=""', None, 1]])
    rewrite(file, SHEET, lambda xml: xml.replace(b'<c r="B2">', b'<c r="B2" t="str">'))
    assert given(tmp_path).rows == [(1, None, None, 1.0)]


def test_dates(tmp_path: Path) -> None:
    write(tmp_path / "pack", [[1, datetime(2020, 2, 29, 12, 30), date(2020, 2, 29), 1]])
    assert given(tmp_path).rows == [(1, "2020-02-29 12:30:00", date(2020, 2, 29), 1.0)]


def test_a_second_header(tmp_path: Path) -> None:
    write(tmp_path / "pack", [ROWS[0], HEADER_ROW, ROWS[1]])
    assert given(tmp_path).rejected == [(3, None, "repeated_header")]
