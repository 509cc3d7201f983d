"""Valid and invalid CSV files: rows kept, rows rejected with their line, errors that stop the reading."""

import csv
import io
import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from chu_platform.errors import ChuError
from chu_platform.ingest import csv_records
from chu_platform.ingest.csv_dialect import Dialect
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.outer_blanks import OuterBlanks
from chu_platform_tests.ingest.deliveries import HEADER, Outcome, deliver, table_of

CP1252 = CsvFormat()


@pytest.fixture
def given(tmp_path: Path) -> "Given":
    return Given(tmp_path)


class Given:
    """Writes `things.csv` with the given bytes and reads it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "pack").mkdir()

    def __call__(self, content: bytes | str, form: CsvFormat | None = None) -> Outcome:
        text = content.encode() if isinstance(content, str) else content
        (self._folder / "pack" / "things.csv").write_bytes(text)
        return deliver(table_of(form), self._folder / "pack", self._folder)


def lines(*rows: str, ending: str = "\n") -> str:
    return "".join(row + ending for row in (HEADER, *rows))


def ids(outcome: Outcome) -> list[int]:
    return [row[0] for row in outcome.rows]


@pytest.mark.unit
def test_types_and_empty_cells(given: Given) -> None:
    outcome = given(lines("1;a;2020-02-29;1,5", "2;;;2.5", "3;NA;;NA", '4;"x;y""z";2019-01-01;1e2'))
    assert outcome.rows == [
        (1, "a", date(2020, 2, 29), 1.5),
        (2, None, None, 2.5),
        (3, "NA", None, None),
        (4, 'x;y"z', date(2019, 1, 1), 100.0),
    ]
    assert outcome.reading.rejects == []


@pytest.mark.unit
def test_quoted_empty_cells_are_empty(given: Given) -> None:
    assert given(lines('"1";"";"";""', '2;"";;"5"', '3;" ";;1')).rows == [
        (1, None, None, None),
        (2, None, None, 5.0),
        (3, None, None, 1.0),
    ]


@pytest.mark.unit
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r\r\n", "\r\r\r\n"])
@pytest.mark.parametrize("block", [1 << 20, 16])
def test_a_doubled_carriage_return_is_a_line_end(
    given: Given, monkeypatch: pytest.MonkeyPatch, ending: str, block: int
) -> None:
    monkeypatch.setattr(csv_records, "BLOCK", block)
    rows = ("1;a;;1", '2;"b";;"2"', f'3;"c{ending}d";2019-01-01;"3"', "4;é;;4", "", "5;x;;bad", "6;y;;")
    outcome = given(lines(*rows, ending=ending))
    assert [(row[0], row[3]) for row in outcome.rows] == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (6, None)]
    assert outcome.rows[2][1] == ("c\nd" if ending == "\n" else "c\r\nd")
    assert outcome.rejected == [(8, "amount", "not_a_number")]
    assert outcome.reading.rejects[0][4:] == ("aaa", "5;x;;bad")


@pytest.mark.unit
@pytest.mark.parametrize("encoding", ["cp1252", "iso-8859-1"])
def test_letters_that_were_encoded_twice_are_remarked(given: Given, encoding: str) -> None:
    row = "2;Rhône Élève œuvre d’été;;1".replace("œ", "oe" if encoding == "iso-8859-1" else "œ")
    row = row.replace("’", "'" if encoding == "iso-8859-1" else "’")
    twice = row.encode().decode(encoding, "replace").encode()
    outcome = given(lines("1;SÃO João À «été»;;1").encode() + twice + b"\n" + "3;Ã;;1\n".encode())
    (remark,) = outcome.reading.remarks
    assert remark.startswith("things.csv: letters of 1 lines were encoded twice in UTF-8")


@pytest.mark.unit
@pytest.mark.parametrize("mixed", [True, False])
def test_cp1252_gives_no_control_character(given: Given, mixed: bool) -> None:
    """Nor does a file in CP1252 that was taken for ISO-8859-1 and written again in UTF-8."""
    label = "L’Œuvre de Žofie à 5 €"
    taken = label.encode("cp1252").decode("iso-8859-1").encode() if mixed else label.encode("cp1252")
    outcome = given(lines("1;a;;1").encode() + b"2;" + label.encode("cp1252") + b";;1\n3;" + taken + b";;1\n")
    assert [row[1] for row in outcome.rows] == ["a", label, label]
    assert outcome.reading.garbled == []


@pytest.mark.unit
def test_a_byte_that_cp1252_does_not_have_is_a_reject(given: Given) -> None:
    outcome = given(lines("1;a;;1", "2;é;;1").encode() + b"3;JOS\x90;;1\n")
    assert outcome.rejected == [(4, None, "not_cp1252")]
    assert [d.garbled for d in outcome.reading.garbled] == [1]


FRENCH = ("Hélène Desprès", "Besançon", "le Théâtre", "élan maçon", "rue du Maître", "BESANÇON À L’EST")


@pytest.mark.unit
@pytest.mark.parametrize("encoding", ["cp850", "cp437", "mac_roman"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_lines_in_a_third_encoding_are_counted(given: Given, encoding: str, is_whole: bool) -> None:
    """They are not guessed: a byte of them may be a letter in several encodings."""
    start = b"" if is_whole else "99;Évian;;1\n".encode()
    garbled = [f"{n};{label};;1\n".encode(encoding, "replace") for n, label in enumerate(FRENCH)]
    outcome = given(lines("98;Lyon;;1").encode() + start + b"".join(garbled))
    (reading,) = outcome.reading.garbled
    assert reading.garbled == len(FRENCH)


@pytest.mark.unit
def test_letters_of_french_texts_are_no_third_encoding(given: Given) -> None:
    labels = (
        *FRENCH,
        "HéLèNE",
        "D´ANJOU",
        "SAINT–DENIS",
        "“CLINIQUE” l’Œuvre",
        "MÜLLER",
        "Lætitia Nuñez",
        "5 €",
        "N°2",
    )
    assert given(lines(*(f"{n};{label};;1" for n, label in enumerate(labels))).encode("cp1252")).reading.garbled == []


@pytest.mark.unit
@pytest.mark.parametrize("size", [128, 4096, 3 << 20])
@pytest.mark.parametrize("last", ["3;c;;3\n", "3;c;;3", "3;c", ""])
def test_reserved_space_at_the_end_shows_a_cut(given: Given, size: int, last: str) -> None:
    with pytest.raises(ChuError, match=r"things\.csv ends in NUL bytes: .* its transfer was cut"):
        given((lines("1;a;;1", "2;b;;2") + last).encode() + b"\x00" * size)


@pytest.mark.unit
@pytest.mark.parametrize("last", ["3;c;;3", "3;c"])
def test_a_line_that_ends_in_nul_bytes_is_cut(given: Given, last: str) -> None:
    with pytest.raises(ChuError, match=r"things\.csv ends in the middle of line 4: its transfer was cut"):
        given((lines("1;a;;1", "2;b;;2") + last).encode() + b"\x00" * 5)


@pytest.mark.unit
def test_a_part_that_was_not_written_refuses_the_file(given: Given) -> None:
    with pytest.raises(ChuError, match=r"things\.csv has 4096 or more NUL bytes in line 3: a part of it"):
        given((lines("1;a;;1") + "2;b").encode() + b"\x00" * 5000 + b";;2\n3;c;;3\n")


@pytest.mark.unit
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_last_line_without_ending_is_remarked(given: Given, ending: str) -> None:
    whole = lines("1;a;;1", "2;b;;86.77", ending=ending)
    outcome = given(whole.removesuffix(f"7{ending}"))
    assert [row[3] for row in outcome.rows] == [1, 86.7]
    assert [d.origin.name for d in outcome.reading.unended] == ["things.csv"]


@pytest.mark.unit
@pytest.mark.parametrize("end", ["", "\x1a", "\x00", "\n", " "])
def test_a_last_line_with_ending_is_not_remarked(given: Given, end: str) -> None:
    assert given(lines("1;a;;1", "2;b;;86.77") + end).reading.unended == []


TITLES = (
    "Indicateurs de 2015;;;",
    "Indicateurs de 2015",
    "\ufeffTitre, avec 1;2 virgules\n\n;;;\n'note",
    "Numéro;Libellé;Jour;Montant (en €)",
    "sep=;\nTitre",
)


@pytest.mark.unit
@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r\r\n"])
def test_lines_above_the_header(given: Given, title: str, ending: str) -> None:
    above = [*title.split("\n"), ""]
    outcome = given("".join(line + ending for line in (*above, HEADER.upper(), "1;a;;1", "x;b;;2", '3;"c";;3')))
    assert outcome.rows == [(1, "a", None, 1.0), (3, "c", None, 3.0)]
    assert outcome.rejected == [(len(above) + 3, "id", "not_a_whole_number")]
    assert outcome.messages == [f"things.csv: its header is on line {len(above) + 1}; the lines above it are not read"]


@pytest.mark.unit
def test_an_incomplete_header_below_a_title_is_named(given: Given) -> None:
    with pytest.raises(ChuError, match=r"things\.csv: 'amount' missing among its 4 columns; .* columns: 'price'$"):
        given("Titre\n" + HEADER.replace("amount", "price") + "\n1;a;;1\n")


@pytest.mark.unit
def test_rows_above_the_header_are_not_lost(given: Given) -> None:
    with pytest.raises(ChuError, match=r"things\.csv: its header is on line 3, below lines that look like rows"):
        given("1;a;;1\n2;b;;2\n" + lines("3;c;;3"))


BLANKS = (" ", "  ", "\t", "\u00a0", " \u00a0", "\u202f ", "\u2009", "\u200b", "\ufeff", "\u3000", "\u0085")


@pytest.mark.unit
@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("form", ["{b}{v}", "{v}{b}", '"{b}{v}{b}"'])
def test_blanks_around_values_are_removed(given: Given, blank: str, form: str) -> None:
    cells = [form.format(b=blank, v=value) for value in ("1", "a, b", "2019-01-01", "1,5")]
    plain = '7;"x ""y"" ; z";;1'
    outcome = given(lines(plain, ";".join(cells), ";".join(["2", form.format(b=blank, v=""), "", "1"])))
    assert outcome.rejected == []
    assert outcome.rows == [
        (1, "a, b", date(2019, 1, 1), 1.5),
        (2, None, None, 1.0),
        (7, 'x "y" ; z', None, 1.0),
    ]


@pytest.mark.unit
@pytest.mark.parametrize("first", ["3;ü;;1", "3;u;;1"])
def test_blanks_in_the_fallback_encoding_are_removed(given: Given, first: str) -> None:
    """With lines of two encodings in the file, or one."""
    outcome = given(lines(first).encode() + "1;\u00a0a\u00a0;;1\n2;é\u00a0;;1\n".encode("cp1252"))
    assert [row[1] for row in outcome.rows] == ["a", "é", first[2]]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "blanks"),
    [
        ('1;"a b; c";;1\n', OuterBlanks.NONE),
        ('1;"a b;""c"" d";;1\n', OuterBlanks.NONE),
        ("1;a b;;1 \n", OuterBlanks.SPACES),
        (" 1;a b;;1\n", OuterBlanks.SPACES),
        ('1;"a ";;1\r\n', OuterBlanks.SPACES),
        ("1;é à;d\u00a0é;1\n", OuterBlanks.NONE),
        ("1;é\u00a0;;1\n", OuterBlanks.ANY),
    ],
)
def test_where_blanks_are_looked_for(text: str, blanks: OuterBlanks) -> None:
    dialect = Dialect(b";", b'"', "cp1252", b"\n", 4)
    assert csv_records.Block(dialect, b"", text.encode(), True).outer_blanks() is blanks


@pytest.mark.unit
@pytest.mark.parametrize("text", ["7", "+7", "-7", "007", " 7 ", "-0", "2147483647", "-2147483648"])
def test_whole_numbers(given: Given, text: str) -> None:
    assert ids(given(lines(f"{text};a;;1"))) == [int(text)]


@pytest.mark.unit
@pytest.mark.parametrize("text", ["7.5", "1e2", "0x7", "7_0", "2147483648", "+", "--7", "٧", "7 7"])
def test_what_is_no_whole_number(given: Given, text: str) -> None:
    outcome = given(lines(f"{text};a;;1", "8;ok;;1"))
    assert ids(outcome) == [8]
    assert outcome.rejected == [(2, "id", "not_a_whole_number")]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("row", "column", "reason", "shape"),
    [
        ("x;a;;1", "id", "not_a_whole_number", "a"),
        ("1.5;a;;1", "id", "not_a_whole_number", "9.9"),
        ("99999999999;a;;1", "id", "not_a_whole_number", "99999999999"),
        (";a;;1", "id", "missing", None),
        ("1;a;2019-02-30;1", "day", "not_a_date", "9999-99-99"),
        ("1;a;30/01/2019;1", "day", "not_a_date", "99/99/9999"),
        ("1;a;;1,2,3", "amount", "not_a_number", "9,9,9"),
        ("1;a;;nan", "amount", "not_a_number", "aaa"),
        ("1;a;;-1", "amount", "negative", "-9"),
        ("Éa1;a;;1", "id", "not_a_whole_number", "aa9"),
    ],
)
def test_a_value_that_does_not_fit(given: Given, row: str, column: str, reason: str, shape: str | None) -> None:
    outcome = given(lines("7;ok;;1", row, "8;ok;;1"))
    assert ids(outcome) == [7, 8]
    (reject,) = outcome.reading.rejects
    assert reject == ("things.csv", 3, column, reason, shape, row)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1;a;", "too_few_fields"),
        ("1;a;;1;", "too_many_fields"),
        ('1;"a"b;;1', "text_after_quote"),
        ('1;"a;;1', "unterminated_quote"),
        ("1;a\x00;;1", "nul_byte"),
    ],
)
def test_a_malformed_line(given: Given, row: str, reason: str) -> None:
    outcome = given(lines("7;ok;;1", row, "8;ok;;1", "9;ok;bad;1"))
    assert ids(outcome) == [7, 8]
    assert outcome.rejected == [(3, None, reason), (5, "day", "not_a_date")]
    assert outcome.reading.rejects[0][5] == row.replace("\x00", "\\x00")


@pytest.mark.unit
@pytest.mark.parametrize("last", ["3;c;", "3", '3;"c;;1', '3;"c\nd', "3;c;;1\n4;"])
def test_a_file_cut_in_the_middle_of_a_line_is_refused(given: Given, last: str) -> None:
    cut = 5 if last.endswith("4;") else 4
    with pytest.raises(ChuError, match=f"things.csv ends in the middle of line {cut}: its transfer was cut"):
        given(lines("1;a;;1", "2;b;;1") + last)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("last", "kept", "rejected"),
    [
        # Only the line feed is missing, as in the issue aws-samples/aurora-dsql-samples#1159.
        ("3;c;;1", [1, 2, 3], []),
        ('3;"c\nd";;1', [1, 2, 3], []),
        # The end mark of DOS, and blanks.
        ("\x1a", [1, 2], [(4, None, "too_few_fields")]),
        ("  ", [1, 2], []),
        # A complete line with too few fields is one reject.
        ("3;c\n", [1, 2], [(4, None, "too_few_fields")]),
        ("3;c;;1;\r", [1, 2], [(4, None, "too_many_fields")]),
    ],
)
def test_a_last_line_that_is_not_cut(
    given: Given, last: str, kept: list[int], rejected: list[tuple[int, str | None, str]]
) -> None:
    outcome = given(lines("1;a;;1", "2;b;;1") + last)
    assert (ids(outcome), outcome.rejected) == (kept, rejected)


@pytest.mark.unit
def test_bytes_of_no_encoding_are_rejected(given: Given) -> None:
    outcome = given(HEADER.encode() + b"\n1;\xc3\xa9;;1\n2;caf\x81;;1\n3;c;;1\n")
    assert outcome.rows == [(1, "é", None, 1.0), (3, "c", None, 1.0)]
    assert outcome.reading.rejects == [("things.csv", 3, None, "not_cp1252", None, r"2;caf\x81;;1")]


@pytest.mark.unit
def test_blanks_around_numbers_and_dates(given: Given) -> None:
    outcome = given(lines("\u00a01 ;a;\u202f2020-02-29\u00a0;\t1,5\u00a0", "2\ufeff;b;;2", "\u00a0;c;;3"))
    assert outcome.rows == [(1, "a", date(2020, 2, 29), 1.5), (2, "b", None, 2.0)]
    assert outcome.rejected == [(4, "id", "missing")]


@pytest.mark.unit
def test_the_encoding_is_detected_for_each_line(given: Given) -> None:
    outcome = given(HEADER.encode() + "\n1;é€;;1\n".encode("cp1252") + "2;é;;1\n".encode() + b"3;\x81;;1\n", CP1252)
    assert outcome.rows == [(1, "é€", None, 1.0), (2, "é", None, 1.0)]
    assert outcome.rejected == [(4, None, "not_cp1252")]


@pytest.mark.unit
def test_line_numbers_are_those_of_the_file(given: Given) -> None:
    content = lines('1;"a\nb\nc";;1', "", "x;a;;1", "1;2", '2;"d\ne";bad;1', "3;f;;1", "y;a;;1", "4;;;", "5;;;")
    outcome = given(content)
    assert ids(outcome) == [1, 3, 4, 5]
    assert outcome.rejected == [
        (6, "id", "not_a_whole_number"),
        (7, None, "too_few_fields"),
        (8, "day", "not_a_date"),
        (11, "id", "not_a_whole_number"),
    ]
    delivered = content.split("\n")
    assert outcome.reading.rejects[2][5] == "\n".join(delivered[7:9])


@pytest.mark.unit
@pytest.mark.parametrize("opening", [1, 2, 5000, 9999])
def test_an_open_quote_rejects_one_line(given: Given, opening: int) -> None:
    rows = [f'{i};"name; {i}";;1' if i % 3 else f"{i};name;;1" for i in range(1, 10_001)]
    rows[opening - 1] = f'{opening};"name;;1'
    outcome = given(lines(*rows))
    assert outcome.rejected == [(opening + 1, None, "unterminated_quote")]
    assert outcome.reading.kept == 9_999


@pytest.mark.unit
def test_stray_quotes_in_a_value_are_kept(given: Given) -> None:
    outcome = given(lines('1;5" tube;;1', '2;say "a";;1'))
    assert [row[1] for row in outcome.rows] == ['5" tube', 'say "a"']


@pytest.mark.unit
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings(given: Given, ending: str) -> None:
    outcome = given(lines("1;a;;1", '2;"b\nc";;1', "x;;;", ending=ending))
    assert [row[1] for row in outcome.rows] == ["a", "b\nc"]
    assert outcome.rejected == [(5, "id", "not_a_whole_number")]


@pytest.mark.unit
def test_mixed_line_endings(given: Given) -> None:
    outcome = given(HEADER + "\r\n1;a;;1\n2;b;;2\r\n3;c;bad;3\n4;d;;4")
    assert [(r[0], r[3]) for r in outcome.rows] == [(1, 1.0), (2, 2.0), (4, 4.0)]
    assert outcome.rejected == [(4, "day", "not_a_date")]


@pytest.mark.unit
def test_carriage_return_inside_a_value(given: Given) -> None:
    assert given(lines("1;a\rb;;1")).rows == [(1, "a\rb", None, 1.0)]


@pytest.mark.unit
def test_byte_order_mark_and_blank_lines(given: Given) -> None:
    outcome = given("\ufeff\n\n" + lines("", "1;a;;1", "  ", "x;;;", "", ""))
    assert ids(outcome) == [1]
    assert outcome.rejected == [(7, "id", "not_a_whole_number")]


@pytest.mark.unit
def test_columns_are_read_by_name_and_undeclared_ones_are_logged(given: Given) -> None:
    outcome = given("amount;secret;label;id;day\n2;CANARY;a;1;2020-01-01\n")
    assert outcome.rows == [(1, "a", date(2020, 1, 1), 2.0)]
    assert len(outcome.messages) == 1
    assert "'secret'" in outcome.messages[0]
    assert "CANARY" not in outcome.messages[0]


@pytest.mark.unit
def test_cut_within_a_line(given: Given) -> None:
    outcome = given(lines("1;a;;1", "2;b"))
    assert ids(outcome) == [1]
    assert outcome.rejected == [(3, None, "too_few_fields")]


@pytest.mark.unit
def test_cut_within_a_quoted_field(given: Given) -> None:
    outcome = given(lines("1;a;;1", '2;"b\nc'))
    assert ids(outcome) == [1]
    assert outcome.rejected == [(3, None, "unterminated_quote")]
    assert outcome.reading.rejects[0][5] == '2;"b\nc'


@pytest.mark.unit
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id;label;day\n1;a;\n", "'amount' missing among its 3 columns"),
        ("id;name;day;amount\n1;a;;1\n", "'label' missing among its 4 columns; it has 1 .*'name'"),
        ("id;label;day;amount;id\n1;a;;1;1\n", "'id' occurs twice"),
        (HEADER + "\n", "a header and no rows"),
        (HEADER, "a header and no rows"),
        ("\n\n", "contains no text"),
        (HEADER + "\r1;a;;1\r", "carriage returns only"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04rest", "workbook"),
        (b"\x00\x01\x02", "binary data"),
        (b"x" * 2_000_000, "no line break"),
        (HEADER.encode() + b"\n1;" + b"x" * 6_000_000, "line 2 is longer"),
        (lines("1;a;;1", "x;SECRET;;1", "y;SECRET;;1"), r"2 of 3 rows are rejected, first line 3 \(column id"),
        (b"", "0 bytes"),
    ],
)
def test_an_invalid_file_stops_the_reading(given: Given, content: bytes | str, message: str) -> None:
    with pytest.raises(ChuError, match=message) as raised:
        given(content)
    assert "\n" not in str(raised.value)
    assert "SECRET" not in str(raised.value)


@pytest.mark.unit
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC])
def test_any_separator_and_any_quoting(given: Given, separator: str, quoting: Any) -> None:
    """Labels with each separator, a line break and quotes, as Python's csv writer writes them."""
    labels = ["a;b", "a,b", "a\tb", "a|b", "a\nb", 'a "b" c', '"', "l'a", ""]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\r\n")
    writer.writerow(HEADER.split(";"))
    writer.writerows([number, label, "2024-01-31", "1.5"] for number, label in enumerate(labels))
    outcome = given(text.getvalue())
    assert outcome.rows == [(n, label or None, date(2024, 1, 31), 1.5) for n, label in enumerate(labels)]
    assert outcome.reading.deliveries[0].separator == separator


@pytest.mark.unit
def test_special_characters_in_paths(tmp_path: Path) -> None:
    pack = tmp_path / "it's {a} pack#%"
    pack.mkdir()
    (pack / "THINGS.CSV").write_text(lines("1;a;;1", "2;b"))
    assert deliver(table_of(), pack, tmp_path / "l'été (1)").reading.kept == 1


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_csv_module(given: Given, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random values written by Python's csv writer, with blocks so small that every record crosses a block boundary."""
    monkeypatch.setattr(csv_records, "BLOCK", 37)
    rng = random.Random(seed)
    alphabet = ["a", "é", "€", '"', ";", ",", "\n", " ", "'", "\\", "x" * 50]
    rows = [
        (i, "".join(rng.choices(alphabet, k=rng.randrange(12))), rng.choice(["", "2020-01-31", "bad"]), "1")
        for i in range(200)
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator=rng.choice(["\n", "\r\n"]))
    first_lines = []
    writer.writerow(HEADER.split(";"))
    for row in rows:
        first_lines.append(text.getvalue().count("\n") + 1)
        writer.writerow(row)
    outcome = given(text.getvalue())
    assert [(r[0], r[1] or "") for r in outcome.rows] == [(r[0], r[1].strip(" ")) for r in rows if r[2] != "bad"]
    expected = [(line, "day", "not_a_date") for line, row in zip(first_lines, rows, strict=True) if row[2] == "bad"]
    assert outcome.rejected == expected


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(60))
def test_damaged_bytes_lose_no_other_line(given: Given, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Insert random bytes: all other lines are still read, and the counts are right."""
    monkeypatch.setattr(csv_records, "BLOCK", 101)
    rng = random.Random(seed)
    rows = [f'{i};"n;{i}";2020-01-01;1'.encode() if i % 2 else f"{i};n{i};;1".encode() for i in range(300)]
    damaged = set(rng.sample(range(300), 20))
    for i in damaged:
        at = rng.randrange(len(rows[i]) + 1)
        rows[i] = rows[i][:at] + rng.choice([b'"', b";", b"\r", b"\x00", b"\xff", b"\n", b'"\n']) + rows[i][at:]
    outcome = given(b"\n".join([HEADER.encode(), *rows]) + b"\n")
    assert set(range(300)) - damaged - set(ids(outcome)) <= {i + 1 for i in damaged}, (
        "at most the line after a damaged line is lost"
    )
    assert outcome.reading.rows_in >= 280
