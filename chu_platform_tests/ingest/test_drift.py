"""Added, removed and retyped columns in CSV files and workbooks (for database tables: test_care_tables)."""

from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from chu_platform.errors import ChuError
from chu_platform.ingest import reading
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform_tests.ingest.deliveries import HEADER, Outcome, deliver, table_of

pytestmark = pytest.mark.unit

ADDED = ["id", "telephone", "label", "day", "amount", ""]
ROWS = [
    ["1", "0612345678", "a", "2020-01-01", "1", ""],
    ["x", "0698765432", "b", "2020-01-02", "2", ""],
    ["3", "", "c", "2020-01-03", "3", "margin"],
]
SECRET = "DURAND Jeanne 0612345678"


def write(pack: Path, kind: str, rows: Sequence[Sequence[str]]) -> None:
    pack.mkdir()
    if kind == "csv":
        (pack / "things.csv").write_text("".join(";".join(row) + "\n" for row in rows))
        return
    book = openpyxl.Workbook()
    book.active.title = "Data"
    for row in rows:
        book.active.append(list(row))
    book.save(pack / "things.xlsx")


def given(tmp_path: Path, kind: str, rows: Sequence[Sequence[str]]) -> Outcome:
    write(tmp_path / "pack", kind, rows)
    return deliver(table_of(), tmp_path / "pack", tmp_path / "work")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_values_of_an_added_column_go_to_the_quarantine(tmp_path: Path, kind: str) -> None:
    # A CSV file has a column without a name when its lines end with a separator; a workbook never has.
    added, rows = (ADDED, ROWS) if kind == "csv" else (ADDED[:-1], [row[:-1] for row in ROWS])
    outcome = given(tmp_path, kind, [added, *rows])
    assert [row[:2] for row in outcome.rows] == [(1, "a"), (3, "c")]
    assert outcome.rejected == [(3, "id", "not_a_whole_number")]
    name = f"things.{kind}"
    margin = [(name, 3, "undeclared 6", "margin")] if kind == "csv" else []
    assert outcome.quarantine == [
        (name, 1, "telephone", "0612345678"),
        (name, 2, "telephone", "0698765432"),
        *margin,
    ]
    assert outcome.reading.undeclared == ["telephone"]
    assert len(outcome.messages) == 1
    assert "'telephone' not declared, kept in quarantine" in outcome.messages[0]


def test_declared_columns_leave_the_quarantine_empty(tmp_path: Path) -> None:
    outcome = given(tmp_path, "csv", [HEADER.split(";"), ["1", "a", "2020-01-01", "1"]])
    assert (outcome.quarantine, outcome.reading.undeclared, outcome.messages) == ([], [], [])


@pytest.mark.parametrize(
    ("name", "logged"),
    [
        ("nb_répondants 2019 (%)", "nb_répondants 2019 (%)"),
        (SECRET, "aaaaaa aaaaaa 9999999999"),
        ("jean@example.org", "aaaa@aaaaaaa.aaa"),
        ("2 rue des Lilas", "9 aaa aaa aaaaa"),
        ("é" * 41, "a" * 40),
    ],
)
def test_a_name_that_may_be_a_value_is_logged_as_its_shape(tmp_path: Path, name: str, logged: str) -> None:
    outcome = given(tmp_path, "csv", [[*HEADER.split(";"), name], ["1", "a", "2020-01-01", "1", "v"]])
    assert outcome.reading.undeclared == [logged]
    assert repr(logged) in outcome.messages[0]
    assert outcome.quarantine == [("things.csv", 1, name, "v")], "the restricted zone keeps the delivered name"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_missing_column_stops_the_source(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ChuError, match=rf"things\.{kind}: 'amount' missing among its 4 columns; it has 1") as raised:
        given(tmp_path, kind, [["id", "label", "day", SECRET], ["1", "a", "2020-01-01", "1"]])
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("filled", [10, 50])
def test_a_retyped_column_stops_the_source_even_with_few_values(tmp_path: Path, kind: str, filled: int) -> None:
    """The values are in fewer than half of the rows, so the limit on the share of rejects does not apply."""
    rows = [[str(i), "a", "01/02/2020" if i < filled else "", "1"] for i in range(200)]
    (found,) = given(tmp_path, kind, [HEADER.split(";"), *rows]).reading.not_understood
    assert f"none of the {filled} values of the column 'day' is understood (not_a_date, shape 99/99/9999)" in found


@pytest.mark.parametrize(
    ("wrong", "right", "blocked", "warned"),
    [
        # Of few values, none may be right by chance.
        (9, 0, None, "none of the 9 values"),
        (4, 0, None, None),
        (4, 150, None, None),
        (5, 150, None, "5 of the 155 values (3.2 %)"),
        (9, 60, None, "9 of the 69 values (13.0 %)"),
        (16, 150, None, "16 of the 166 values (9.6 %)"),
        (20, 150, "20 of the 170 values (11.8 %)", None),
        (60, 1, "60 of the 61 values (98.4 %)", None),
    ],
)
def test_values_that_are_not_understood_are_counted(
    tmp_path: Path, wrong: int, right: int, blocked: str | None, warned: str | None
) -> None:
    """They are rejects; a warning names the column above one percent of them, and above ten the source stops."""
    days = ["01/02/2020"] * wrong + ["2020-02-01"] * right
    rows = [[str(i), "a", days[i] if i < len(days) else "", "1"] for i in range(200)]
    outcome = given(tmp_path, "csv", [HEADER.split(";"), *rows])
    assert (outcome.reading.kept, len(outcome.reading.rejects)) == (200 - wrong, wrong)
    for many, texts in ((blocked, outcome.reading.not_understood), (warned, outcome.reading.partly_understood)):
        assert [*texts] == [text for text in texts if many and f"things.csv: {many} of the column 'day'" in text]
        assert len(texts) == (1 if many else 0)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1203.0", 1203), ("1203,00", 1203), ("12 345", 12345), ("1\u00a0203\u202f456,0", 1203456), ("+7.0", 7)],
)
def test_whole_numbers_in_other_forms(tmp_path: Path, text: str, number: int) -> None:
    refused = ["1,000", "1.5", "1 20", "1234 567", "1.0.0"]
    rows = [[value, "a", "2020-01-01", "1"] for value in [text, *map(str, range(10, 20)), *refused]]
    outcome = given(tmp_path, "csv", [HEADER.split(";"), *rows])
    assert sorted(row[0] for row in outcome.rows) == sorted([number, *range(10, 20)])
    assert outcome.rejected == [(line, "id", "not_a_whole_number") for line in range(13, 18)]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"1;a;2020-01-01;1\n", "utf-8"),
        ("1;é;2020-01-01;1\n".encode(), "utf-8"),
        ("1;é;2020-01-01;1\n".encode("cp1252"), "cp1252"),
        ("1;é;2020-01-01;1\n".encode() + "2;ù;2020-01-01;1\n".encode("cp1252"), "utf-8, cp1252"),
    ],
)
def test_encoding_and_separator_are_detected_and_reported(tmp_path: Path, content: bytes, encoding: str) -> None:
    (tmp_path / "pack").mkdir()
    file = tmp_path / "pack" / "things.csv"
    file.write_bytes(HEADER.encode() + b"\n" + content + b"x;a;;1\n")
    outcome = deliver(table_of(CsvFormat()), tmp_path / "pack", tmp_path / "work")
    (delivery,) = outcome.reading.deliveries
    assert (delivery.encoding, delivery.separator) == (encoding, ";")
    lines = content.count(b"\n")
    assert delivery.metadata["rows"] == {"in": lines + 1, "kept": lines, "rejected": 1, "withdrawn": 0}


def test_many_added_columns_go_to_the_quarantine_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory for a part does not depend on the number of columns of the file."""
    monkeypatch.setattr(reading, "QUARANTINED_COLUMNS", 3)
    added = [f"c{i}" for i in range(8)]
    rows = [[str(r), "a", "", "1", *(f"{r}-{c}" for c in added)] for r in range(5)]
    outcome = given(tmp_path, "csv", [[*HEADER.split(";"), *added], *rows])
    expected = {("things.csv", r + 1, c, f"{r}-{c}") for r in range(5) for c in added}
    assert len(outcome.quarantine) == len(expected) == 40
    assert set(outcome.quarantine) == expected
    assert len(list((tmp_path / "work" / "quarantine").iterdir())) == 3
