"""Valid and invalid XLSX workbooks."""

from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from chu_platform.errors import ChuError
from chu_platform_tests.ingest.deliveries import HEADER, Outcome, deliver, table_of

pytestmark = pytest.mark.unit


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


def test_a_renamed_csv(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "things.xlsx").write_text(f"{HEADER}\n1;a;;1\n")
    with pytest.raises(ChuError, match="is not an XLSX workbook"):
        given(tmp_path)


def test_a_sheet_missing(tmp_path: Path) -> None:
    write(tmp_path / "pack", [HEADER.split(";")], sheet="Feuille")
    with pytest.raises(ChuError, match="no sheet 'Data', only Lexique, Feuille"):
        given(tmp_path)


@pytest.mark.parametrize(("rows", "message"), [([], "is empty"), ([["id", "label", "day"]], "'amount' missing")])
def test_a_sheet_without_rows_or_columns(tmp_path: Path, rows: list[list[object]], message: str) -> None:
    write(tmp_path / "pack", rows)
    with pytest.raises(ChuError, match=message):
        given(tmp_path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_an_incomplete_workbook(tmp_path: Path, kept: float) -> None:
    file = write(tmp_path / "pack", [HEADER.split(";"), [1, "a", None, 1]])
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ChuError, match="workbook") as raised:
        given(tmp_path)
    assert "\n" not in str(raised.value)


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
