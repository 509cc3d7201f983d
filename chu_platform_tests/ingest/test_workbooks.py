"""Valid and invalid XLSX workbooks."""

from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from chu_platform.errors import ChuError
from chu_platform_tests.ingest.deliveries import HEADER, Outcome, deliver, table_of


def write(folder: Path, rows: Sequence[Sequence[object]], sheet: str = "Data") -> Path:
    book = openpyxl.Workbook()
    book.active.title = "Lexique"
    page = book.create_sheet(sheet)
    for row in rows:
        page.append(list(row))
    folder.mkdir(exist_ok=True)
    book.save(folder / "things.xlsx")
    return folder / "things.xlsx"


def given(tmp_path: Path) -> Outcome:
    return deliver(table_of(), tmp_path / "pack", tmp_path)


@pytest.mark.unit
def test_numbers_texts_blanks_and_row_numbers(tmp_path: Path) -> None:
    header = HEADER.split(";")
    rows: list[list[object]] = [
        [],
        [*header],
        [1, "010", None, 1.5],
        [],
        ["2", 10, "2020-01-01", "2,5"],
        [None, None, None, None],
    ]
    write(tmp_path / "pack", [*rows, ["x", "a"], [3, "NA", None, "NA"], [4, "b", None, 1, "beyond"]])
    outcome = given(tmp_path)
    assert [(r[0], r[1], r[3]) for r in outcome.rows] == [(1, "010", 1.5), (2, "10", 2.5), (3, "NA", None)]
    assert outcome.rejected == [(7, "id", "not_a_whole_number"), (9, None, "too_many_fields")]


@pytest.mark.unit
def test_a_renamed_csv(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "things.xlsx").write_text(f"{HEADER}\n1;a;;1\n")
    with pytest.raises(ChuError, match="is a CSV file, not an XLSX workbook"):
        given(tmp_path)


HEADER_ROW = HEADER.split(";")


@pytest.mark.unit
def test_the_sheet_is_found_by_its_header(tmp_path: Path) -> None:
    """Whatever its name, with lines of text above the header, after other sheets, in another letter case."""
    title = [["Résultats 2022"], [], ["Source : HAS", "2023"]]
    file = write(tmp_path / "pack", [*title, [c.upper() for c in HEADER_ROW], [1, "a", None, 1.5]], sheet="Feuil1 (2)")
    book = openpyxl.load_workbook(file)
    book["Lexique"].append(["NAME", "LABEL"])
    book["Lexique"].append(["id", "amount"])
    hidden = book.create_sheet("old")
    for row in (HEADER_ROW, [9, "old", None, 9]):
        hidden.append(row)
    hidden.sheet_state = "hidden"
    book.create_chartsheet("Graphique")
    book.save(file)
    outcome = given(tmp_path)
    assert [(r[0], r[1], r[3]) for r in outcome.rows] == [(1, "a", 1.5)]


@pytest.mark.unit
def test_a_row_is_located_in_its_sheet(tmp_path: Path) -> None:
    write(tmp_path / "pack", [["title"], [], HEADER_ROW, [], ["x", "a"], [2, "b", None, 1]])
    assert given(tmp_path).rejected == [(5, "id", "not_a_whole_number")]


@pytest.mark.unit
def test_a_formatted_last_row_costs_nothing(tmp_path: Path) -> None:
    """The dimension of the sheet is A1:D1048576, as in a delivered file; its rows are two."""
    file = write(tmp_path / "pack", [HEADER_ROW, [1, "a", None, 1], [2, "b", None, 2]])
    book = openpyxl.load_workbook(file)
    book["Data"]["D1048576"].font = openpyxl.styles.Font(bold=True)
    book.save(file)
    outcome = given(tmp_path)
    assert (outcome.reading.rows_in, outcome.reading.kept) == (2, 2)


@pytest.mark.unit
def test_errors_of_a_spreadsheet_are_empty_cells(tmp_path: Path) -> None:
    file = write(tmp_path / "pack", [HEADER_ROW, [1, "a", None, None]])
    book = openpyxl.load_workbook(file)
    book["Data"]["D2"].value, book["Data"]["D2"].data_type = "#DIV/0!", "e"
    book.save(file)
    assert given(tmp_path).rows == [(1, "a", None, None)]


@pytest.mark.unit
def test_a_header_in_two_sheets(tmp_path: Path) -> None:
    file = write(tmp_path / "pack", [HEADER_ROW, [1, "a", None, 1]], sheet="2021")
    book = openpyxl.load_workbook(file)
    book.copy_worksheet(book["2021"]).title = "2022"
    book.save(file)
    with pytest.raises(ChuError, match="columns in several sheets: 2021, 2022; keep one of them"):
        given(tmp_path)


@pytest.mark.unit
def test_a_header_in_many_sheets(tmp_path: Path) -> None:
    file = write(tmp_path / "pack", [HEADER_ROW, [1, "a", None, 1]], sheet="1")
    book = openpyxl.load_workbook(file)
    for number in range(2, 40):
        book.copy_worksheet(book["1"]).title = f"{number}"
    book.save(file)
    with pytest.raises(ChuError, match="in several sheets: 1, 2, 3, 4, 5 and 34 more; keep one of them"):
        given(tmp_path)


@pytest.mark.unit
def test_a_header_without_rows(tmp_path: Path) -> None:
    write(tmp_path / "pack", [HEADER_ROW])
    with pytest.raises(ChuError, match="has a header and no rows"):
        given(tmp_path)


@pytest.mark.unit
def test_the_nearest_header_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "pack", [["title"], ["id", "label", "day"], [1, "a", None]])
    with pytest.raises(ChuError, match=r"'amount' missing among its 3 columns$"):
        given(tmp_path)


@pytest.mark.unit
def test_a_workbook_without_any_cell(tmp_path: Path) -> None:
    write(tmp_path / "pack", [])
    with pytest.raises(ChuError, match="its sheets are empty"):
        given(tmp_path)


@pytest.mark.unit
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_an_incomplete_workbook(tmp_path: Path, kept: float) -> None:
    file = write(tmp_path / "pack", [HEADER.split(";"), [1, "a", None, 1]])
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ChuError, match="workbook") as raised:
        given(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.integration
def test_damaged_bytes_give_an_error_or_the_same_rows(tmp_path: Path) -> None:
    """Damage to any byte gives the same rows or one ChuError, never another exception."""
    file = write(tmp_path / "pack", [HEADER.split(";"), *([i, "a", None, 1] for i in range(50))])
    content = file.read_bytes()
    read = refused = 0
    for at in range(0, len(content), 97):
        file.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        work = tmp_path / str(at)
        try:
            assert deliver(table_of(), tmp_path / "pack", work).reading.rows_in == 50
            read += 1
        except ChuError:
            refused += 1
    assert read > 0 and refused > 0, "both happen, or this tests half of it"
