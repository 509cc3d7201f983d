"""Files that are not what their name says: one error that names what they are, and what to do.

Where the cases come from: docs/public-cases.md.
"""

import bz2
import gzip
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from chu_platform.errors import ChuError
from chu_platform.ingest import csv_records
from chu_platform.ingest.csv_dialect import Dialect
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import delivered_rows
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.dump_files import DUMP_PATTERN
from chu_platform.ingest.files import find
from chu_platform.ingest.fixed_width_format import FixedWidthFormat
from chu_platform_tests.ingest.deliveries import HEADER, Outcome, deliver, table_of

pytestmark = pytest.mark.unit

ROWS = [f"{i};name {i};;1" for i in range(30)]
GOOD = "\n".join([HEADER, *ROWS]) + "\n"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 1999899438\n"


def packed(name: str, content: str = "", password: bool = False) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(name, content)
    # The first of the flags of an entry, in the directory at the end.
    data = bytearray(target.getvalue())
    data[data.index(b"PK\x01\x02") + 8] |= password
    return bytes(data)


def tarred(name: str, content: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content.encode()))
    return target.getvalue()


def workbook() -> bytes:
    target = io.BytesIO()
    openpyxl.Workbook().save(target)
    return target.getvalue()


KINDS = [
    (POINTER.encode(), "is a Git LFS pointer.* `git lfs pull`"),
    (b"/annex/objects/MD5E-s1999--d41d8.csv\n", "is a git-annex pointer.* `git annex get`"),
    (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><head><title>404</title>", r"is a web page \(HTML\).*download"),
    (b'<?xml version="1.0"?>\n<html lang="fr">', r"is a web page \(HTML\)"),
    (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', "is an XML document"),
    (b'{"error": "invalid token"}', "is a JSON document"),
    (b"%PDF-1.7\n", "is a PDF"),
    (gzip.compress(GOOD.encode()), r"is a compressed file \(gzip\): unpack it"),
    (packed("things.csv", GOOD), "is a zip archive of 1 files: unpack it"),
    (packed("things.csv", GOOD, password=True), "is a zip archive with a password"),
    (packed("xl/workbook.bin"), "is a binary workbook"),
    (bz2.compress(GOOD.encode()), r"is a compressed file \(bzip2\): unpack it"),
    (bz2.compress(b""), r"is a compressed file \(bzip2\)"),
    (b"\x04\x22\x4d\x18\x64\x40\xa7" + GOOD.encode(), r"is a compressed file \(lz4\)"),
    (tarred("things.csv", GOOD), "is a tar archive: unpack it"),
    (b"-----BEGIN PGP MESSAGE-----\n\nhQEMA", "is an encrypted file"),
    (b"\x85\x01\x0c\x03" + bytes(range(9, 200)), "is an encrypted file"),
    (b"\x8c\x0d\x04\x09\x03\x02" + bytes(range(9, 200)), "is an encrypted file"),
    (b"PAR1" + bytes(range(200)), "is a Parquet file"),
    *(
        (text, "is the error message of a server, not the file itself: download")
        for text in (
            b"403 Forbidden",
            b"404: Not Found\n",
            b"HTTP/1.1 503 Service Unavailable\r\nDate: today\r\n",
            b"Error 502 - Bad Gateway",
            b"Access Denied",
            "Accès refusé".encode(),
        )
    ),
    (b"<h1>Not Found</h1>", r"is a web page \(HTML\)"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"),
        "is protected by a password: save it",
    ),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "is a workbook of the old format .xls"),
]


class Given:
    """Writes a file into the pack, and reads the table from the pack."""

    def __init__(self, folder: Path) -> None:
        self.pack = folder / "pack"
        self._folder = folder
        self._reads = 0
        self.pack.mkdir()

    def write(self, content: bytes | str, name: str = "things.csv") -> "Given":
        (self.pack / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def read(self, form: CsvFormat | FixedWidthFormat | None = None) -> Outcome:
        self._reads += 1
        return deliver(table_of(form), self.pack, self._folder / f"read {self._reads}")

    def refused(self, message: str, form: CsvFormat | FixedWidthFormat | None = None) -> None:
        with pytest.raises(ChuError, match=message) as raised:
            self.read(form)
        assert "\n" not in str(raised.value)


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path)


FIXED = FixedWidthFormat({"id": (1, 1), "label": (2, 10), "day": (11, 20), "amount": (21, 30)}, "latin-1", "label")


@pytest.mark.parametrize(("content", "message"), KINDS)
@pytest.mark.parametrize("name", ["things.csv", "things.xlsx", "fixed"])
def test_the_kind_is_named(given: Given, name: str, content: bytes, message: str) -> None:
    file = name if "." in name else "things.csv"
    given.write(content, file).refused(f"{file} {message}", FIXED if name == "fixed" else None)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", [None, FIXED])
def test_wide_letters_without_a_mark(given: Given, encoding: str, form: FixedWidthFormat | None) -> None:
    given.write(GOOD.encode(encoding)).refused("things.csv is written in UTF-16", form)


def test_a_workbook_with_a_password_in_its_archive(given: Given) -> None:
    data = packed("xl/workbook.xml", password=True)
    given.write(data, "things.xlsx").refused("things.xlsx is protected by a password: save it")


def test_a_workbook_named_csv(given: Given) -> None:
    given.write(workbook()).refused("things.csv is a workbook, not a text file: deliver it as .xlsx")


@pytest.mark.parametrize("line", [HEADER, "a,b", "1\t2", '"finess";"score"'])
def test_a_csv_file_named_xlsx(given: Given, line: str) -> None:
    given.write(f"{line}\n1;2\n".encode(), "things.xlsx").refused("things.xlsx is a CSV file, not an XLSX workbook")


def test_a_lock_file_alone_is_remarked(given: Given, tmp_path: Path) -> None:
    """In place of an optional file; not beside it."""
    table = table_of()
    source = delivered_rows(table)
    files = DeliveredFiles(r"things-(?P<year>\d{4})\.csv", {".csv": CsvFormat()}, optional=True)
    table = replace(table, rows=replace(source, reader=files))
    given.write(b"x", "~$things-2019.csv").write(b"x", "~$things-2020.csv").write(b"x", "~$other-2020.csv")
    given.write(f"{HEADER}\n1;a;;1\n".encode(), "things-2020.csv")
    outcome = deliver(table, given.pack, tmp_path / "work")
    assert outcome.reading.kept == 1
    (remark,) = outcome.reading.remarks
    assert remark.startswith(
        "a file named like things-YYYY.csv is not delivered: there is ~$things-2019.csv, the lock file"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("~$things.xlsx", b"\x05admin", "there is ~[$]things.xlsx, the lock file .* close it there"),
        (".~lock.things.csv#", b",admin,host", "there is .~lock.things.csv#, the lock file"),
        ("things.csv.filepart", b"id;la", "an unfinished transfer: wait"),
        (".things.csv.Xa81bQ", b"id;la", "an unfinished transfer"),
        ("things.csv.gz", b"", "an archive: unpack it"),
        ("things.ZIP", b"", "there is things.ZIP, an archive"),
        ("2024-01.zip", packed("folder/things.csv"), "there is 2024-01.zip, an archive"),
        ("~$other.xlsx", b"", "in the pack [^;]*$"),
        ("other.zip", packed("other.csv"), "in the pack [^;]*$"),
    ],
)
def test_what_lies_in_the_place_of_a_missing_file(given: Given, name: str, content: bytes, message: str) -> None:
    given.write(content or b"x", name)
    with pytest.raises(ChuError, match=f"no file named like .*{message}"):
        find(given.pack, r"things\.(?:xlsx|csv)")


def test_the_dump_in_an_archive(given: Given) -> None:
    given.write(b"x", "DATA2023.zip")
    with pytest.raises(ChuError, match=r"DATA2023\.zip, an archive: unpack it"):
        find(given.pack, DUMP_PATTERN)


@pytest.mark.parametrize("header", [HEADER, "\ufeff" + HEADER])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("block", [37, csv_records.BLOCK])
def test_a_second_header_is_a_named_reject(
    given: Given, header: str, ending: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_records, "BLOCK", block)
    lines = [header, *ROWS[:9], header, *ROWS[9:], f"77;{HEADER}", HEADER]
    outcome = given.write(ending.join(lines)).read()
    assert outcome.reading.kept == 30
    assert outcome.rejected == [
        (11, None, "repeated_header"),
        (33, None, "too_many_fields"),
        (34, None, "repeated_header"),
    ]


def test_a_second_header_in_the_fallback_encoding(given: Given) -> None:
    header = "é;" + HEADER
    text = "\n".join([header, *(f"à;{row}" for row in ROWS), header, "ç;99;z;;1"])
    outcome = given.write(text.encode("cp1252")).read(CsvFormat())
    assert (outcome.reading.kept, outcome.rejected) == (31, [(32, None, "repeated_header")])


@pytest.mark.parametrize(
    "content",
    [
        GOOD * 2,
        GOOD.rstrip("\n") + "\n" + GOOD.rstrip("\n"),
        "\ufeff" + GOOD + "\ufeff" + GOOD,
        GOOD + GOOD.partition("\n")[2],
    ],
    ids=["whole", "without the last line ending", "with byte order marks", "the rows only"],
)
def test_a_doubled_file(given: Given, content: str) -> None:
    given.write(content).refused("things.csv has its content twice, one after the other: ask for it again")


def test_a_doubled_file_of_fixed_width(given: Given) -> None:
    lines = "".join(f"{i % 10}name {i:<14}{i:<9}\n" for i in range(20))
    given.write(lines).read(FIXED)
    given.write(lines * 2).refused("has its content twice", FIXED)


@pytest.mark.parametrize("rows", [["1;a;;1"] * 40, ["1;a;;1", "2;b;;1"] * 2, [*ROWS, *ROWS, "99;a;;1"]])
def test_equal_rows_are_not_a_doubled_file(given: Given, rows: list[str]) -> None:
    assert given.write("\n".join([HEADER, *rows]) + "\n").read().reading.kept == len(rows)


def test_a_line_that_tells_the_separator(given: Given) -> None:
    outcome = given.write(f"sep=;\n{GOOD}x;;;\n").read()
    assert (outcome.reading.kept, outcome.rejected) == (30, [(33, "id", "not_a_whole_number")])


def test_numbers_of_a_spreadsheet_are_no_identifiers(given: Given) -> None:
    """The last digits of 81000123456 are lost in 8.10001E+10. In a column of numbers, it is a number."""
    outcome = given.write(
        f"{HEADER}\n1;8,10001E+10;;1\n2;81000123456;;1E+02\n3; 1.67683e+15;;1\n4;x;;1\n5;y;;1\n"
    ).read()
    assert outcome.rejected == [(2, "label", "number_of_a_spreadsheet"), (4, "label", "number_of_a_spreadsheet")]
    assert [row[3] for row in outcome.rows] == [100.0, 1.0, 1.0]


def test_a_file_with_lost_identifiers_is_refused(given: Given) -> None:
    rows = "".join(f"{i};8,1000{i}E+10;;1\n" for i in range(9))
    given.write(f"{HEADER}\n{rows}").refused(
        r"9 of 9 rows are rejected.*label: number_of_a_spreadsheet, shape 9,99999a\+99"
    )


@pytest.mark.parametrize(
    "row", ['{0};"name;;1', '{0};"a ""b', 'x;"a"b;;1', '"33~{0}~""NAME    """,,,,', '{0} said ""yes""']
)
def test_splitting_stray_quotes_examines_each_line_once(
    given: Given, row: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every line once for each line before it."""
    examined = 0
    original = Dialect.leaves_field_open

    def counted(self: Dialect, line: bytes) -> bool:
        nonlocal examined
        examined += 1
        return original(self, line)

    monkeypatch.setattr(Dialect, "leaves_field_open", counted)
    stray = ['1;"open', *(row.format(i) for i in range(500))]
    outcome = given.write("\n".join([HEADER, *stray, *ROWS, *(f"{i};a;;1" for i in range(600)), ""])).read()
    assert outcome.reading.rows_in >= 1_000
    assert examined <= 2 * 1_130


def test_blank_lines_are_left_out_at_once(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    examined = 0
    original = Dialect.significant_part

    def counted(self: Dialect, text: bytes) -> bytes:
        nonlocal examined
        examined += 1
        return original(self, text)

    monkeypatch.setattr(Dialect, "significant_part", counted)
    blank = "\n \r\n\t\n" * 100_000
    outcome = given.write(f"{HEADER}\n{blank}1;a;;1\n{blank}x;a;;1\n2;b;;1\n{blank}").read()
    assert outcome.reading.kept == 2
    assert outcome.rejected == [(600_003, "id", "not_a_whole_number")]
    assert examined < 50


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_rows_of_separators_only_are_blank_lines(given: Given, ending: str) -> None:
    """A spreadsheet program writes them for rows that were formatted once: more than the rows with values."""
    lines = [HEADER, *ROWS, *[";;;"] * 5_000, "x;;;", "98;;;", "", ";;", *[";;;;"] * 5_000, "99;a;;1"]
    outcome = given.write(ending.join(lines)).read()
    assert outcome.reading.kept == 32
    assert outcome.rejected == [(5_032, "id", "not_a_whole_number")]
