"""Property tests of the scan of CSV files (`csv_records`) against Python's csv module, with Hypothesis.

Two differences are known. If a line inside a quoted field is a complete record, the scan treats the opening quote as a
stray one: files with such lines are left out of the comparison. Of several carriage returns before a line feed the scan
keeps one, since a transfer in text mode doubles them: values with such line breaks are not drawn.
"""

import csv
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import assume, given, seed, settings
from hypothesis import strategies as st

from chu_platform.ingest import csv_records
from chu_platform.ingest.csv_dialect import Dialect
from chu_platform.ingest.csv_records import RecordScan
from chu_platform.ingest.line_structure import MAX_RECORD_LENGTH
from chu_platform.tables.duckdb_sql import sql_path, sql_text
from chu_platform_tests.seeds import choose_seed, in_ci

pytestmark = pytest.mark.integration

SEPARATORS: Final = (";", ",", "|", "\t")
WIDTHS: Final = st.integers(1, 4)
ENDINGS: Final = st.sampled_from(["\n", "\r\n"])
# Sizes so small that a record crosses a block boundary, and the real size.
BLOCKS: Final = st.sampled_from([1, 7, 37, csv_records.BLOCK])

settings.register_profile("ci", derandomize=True, max_examples=200, deadline=None, database=None)
settings.register_profile("local", max_examples=200, deadline=None, database=None, print_blob=True)
DUCKDB: Final = duckdb.connect()
PROFILE: Final = settings.get_profile("ci" if in_ci() else "local")


@dataclass(frozen=True)
class Form:
    """How a file is written, and the size of the blocks in which it is read."""

    separator: str
    quote: str
    ending: str
    width: int
    block: int


@dataclass(frozen=True)
class Found:
    """Result of the scan of a file.

    `records`: line and text. `malformed`: line, reason and text. `rows` and `rows_of_duckdb`: the rows that Python's
    csv module and DuckDB read from the readable file of the scan. `in_fallback`: lines that are not UTF-8, of a file
    that has others that are.
    """

    records: list[tuple[int, str]]
    malformed: list[tuple[int, str, str]]
    rows: list[list[str]]
    rows_of_duckdb: list[list[str]]
    in_fallback: int


FORMS: Final = st.builds(
    Form,
    separator=st.sampled_from(SEPARATORS),
    quote=st.sampled_from(['"', '"', '"', ""]),
    ending=ENDINGS,
    width=WIDTHS,
    block=BLOCKS,
)


def split(body: str | bytes, form: Form) -> Found:
    """Write a file of a header and `body`, scan it, and read its readable file."""
    header = form.separator.join(f"c{n}" for n in range(form.width))
    start = (header + form.ending).encode()
    with tempfile.TemporaryDirectory() as folder, patch.object(csv_records, "BLOCK", form.block):
        file = Path(folder) / "things.csv"
        file.write_bytes(start + (body.encode() if isinstance(body, str) else body))
        dialect = Dialect(form.separator.encode(), form.quote.encode(), "cp1252", form.ending.encode(), form.width)
        scan = RecordScan(file, "things.csv", dialect, header.encode(), len(start), 2)
        scan.run(Path(folder) / "copy.csv", 10**6)
        located = scan.locate(range(1, scan.records + 1)) if scan.records else []
        read = [row for _, row in parsed(scan.readable_file.read_bytes().decode(), form)][1:]
        columns = ", ".join(f"'c{n}': 'VARCHAR'" for n in range(form.width))
        # As csv_format reads it.
        query = DUCKDB.cursor().execute(
            f"SELECT * FROM read_csv({sql_path(scan.readable_file)}, auto_detect = false, header = true, "
            f"delim = {sql_text(form.separator)}, quote = {sql_text(form.quote)}, "
            f"escape = {sql_text(form.quote)}, columns = {{{columns}}}, max_line_size = {MAX_RECORD_LENGTH})"
        )
        by_duckdb = [[value or "" for value in row] for row in query.fetchall()]
    assert scan.records == len(located)
    malformed = [(m.line, m.reason, m.text) for m in scan.malformed]
    return Found(located, malformed, read, by_duckdb, scan.lines_in_fallback)


def lines_of(text: str) -> list[str]:
    """The lines of a text with their ends; a line ends with a line feed only."""
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def parsed(text: str, form: Form) -> Iterator[tuple[int, list[str]]]:
    """The rows that Python's csv module finds, with the number of their first line (from 1 on).

    Raises csv.Error for a quote in the wrong place or one that is not closed.
    """
    lines = lines_of(text)
    if form.quote:
        reader = csv.reader(lines, delimiter=form.separator, quotechar=form.quote, strict=True)
    else:
        reader = csv.reader(lines, delimiter=form.separator, quoting=csv.QUOTE_NONE, strict=True)
    first = 1
    for row in reader:
        yield first, row
        first = reader.line_num + 1


def is_record(line: str, form: Form) -> bool:
    """Whether a line is a record by itself, with every quote in its place."""
    separator = re.escape(form.separator)
    value = rf'(?:"(?:[^"]|"")*"|[^"\r\n{separator}]*)'
    return bool(re.fullmatch(rf"{value}(?:{separator}{value}){{{form.width - 1}}}", line.rstrip("\r\n")))


def holds_a_record(record: Sequence[str], form: Form) -> bool:
    """Whether a line of a record, but its first, is a record by itself."""
    return any(is_record(line, form) for line in record[1:])


@st.composite
def well_formed(draw: st.DrawFn) -> tuple[Form, str, list[tuple[int, str, list[str]]]]:
    """A form, the body of a file, and its records: first line, text, values. Blank lines stand in between."""
    form = draw(FORMS)
    alphabet = ["a", "é", "€", " ", "\r", *SEPARATORS, *('"\n' if form.quote else "'")]
    if not form.quote:
        alphabet = [c for c in alphabet if c not in (form.separator, "\r")]
    texts = st.text(st.sampled_from(alphabet), max_size=6).map(lambda text: re.sub(r"\r+\n", "\r\n", text))
    ends = st.sampled_from([form.ending, form.ending, form.ending, "\n", "\r\n"])
    body, records = "", []
    for values in draw(st.lists(st.lists(texts, min_size=form.width, max_size=form.width), max_size=8)):
        for blank in draw(st.lists(st.sampled_from(["", "", "  "]), max_size=1)):
            body += blank + draw(ends)
        written = []
        for value in values:
            # Python's csv module takes an unquoted carriage return for the end of a row.
            needed = value.startswith('"') or any(c in value for c in (form.separator, "\r", "\n"))
            quoted = form.quote and (needed or draw(st.booleans()))
            written.append('"' + value.replace('"', '""') + '"' if quoted else value)
        text = form.separator.join(written)
        # What is blank is no record, whatever it was meant to be.
        assume(not is_blank(text, form))
        assume(not holds_a_record(lines_of(text), form))
        records.append((body.count("\n") + 2, text, values))
        body += text + draw(ends)
    # The last line may lack its end.
    cut = draw(st.booleans())
    return form, body.rstrip("\n") if records and cut else body, records


@seed(choose_seed())
@settings(PROFILE)
@given(well_formed())
def test_every_value_of_a_well_formed_file_comes_back(made: tuple[Form, str, list[tuple[int, str, list[str]]]]) -> None:
    form, body, records = made
    found = split(body, form)
    assert found.malformed == []
    assert found.records == [(line, text) for line, text, _ in records]
    values = [values for _, _, values in records]
    assert found.rows == values
    assert found.rows_of_duckdb == values


@st.composite
def any_text(draw: st.DrawFn) -> tuple[Form, str]:
    """A form, and a body put together from what means something in a CSV file."""
    form = draw(FORMS)
    tokens = [form.separator, form.separator, '"', '"', '""', "\n", "\r\n", "a", "é", " ", f'"a{form.separator}"']
    return form, "".join(draw(st.lists(st.sampled_from(tokens), max_size=40)))


@seed(choose_seed())
@settings(PROFILE)
@given(any_text())
def test_any_text_is_split_as_by_the_csv_module(made: tuple[Form, str]) -> None:
    """Where the module takes the text, the splitter finds the same records, and the same rows of another width."""
    form, body = made
    try:
        rows = list(parsed(body, form))
    except csv.Error:
        rows = []
        assume(False)
    lines = lines_of(body)
    starts = [first for first, _ in rows] + [len(lines) + 1]
    of_row = [lines[a - 1 : b - 1] for a, b in pairwise(starts)]
    assume(not any(holds_a_record(own, form) for own in of_row))
    # Of several lines that are no record, the first may have a quote without an end, and the others a record.
    assume(not any(len(row) != form.width and len(own) > 2 for (_, row), own in zip(rows, of_row, strict=True)))
    filled = [
        (first + 1, row) for (first, row), own in zip(rows, of_row, strict=True) if not is_blank("".join(own), form)
    ]
    found = split(body, form)
    right = [(line, row) for line, row in filled if len(row) == form.width]
    assert [line for line, _ in found.records] == [line for line, _ in right]
    assert found.rows == found.rows_of_duckdb == [row for _, row in right]
    assert [(line, reason) for line, reason, _ in found.malformed] == [
        (line, "too_few_fields" if len(row) < form.width else "too_many_fields")
        for line, row in filled
        if len(row) != form.width
    ]


def is_blank(text: str, form: Form) -> bool:
    """Whether lines have nothing visible, or only separators."""
    return (not text.strip() and form.separator not in text) or not text.rstrip("\r\n").strip(form.separator)


@seed(choose_seed())
@settings(PROFILE)
@given(any_text())
def test_no_line_of_any_text_is_lost(made: tuple[Form, str]) -> None:
    """Each line that is not blank belongs to one record or to one reject; what is to be read has the records alone."""
    form, body = made
    found = split(body, form)
    lines = lines_of(body)
    taken = sorted([*found.records, *((line, text) for line, _, text in found.malformed)])
    numbers = [n for line, text in taken for n in range(line, line + text.count("\n") + 1)]
    assert len(set(numbers)) == len(numbers)
    left = [lines[n - 2] for n in range(2, len(lines) + 2) if n not in set(numbers)]
    assert [line for line in left if not is_blank(line, form)] == []
    delivered = ["".join(lines[line - 2 : line - 1 + text.count("\n")]) for line, text in taken]
    assert [text for _, text in taken] == [re.sub(r"\r?\n?\Z", "", text) for text in delivered]
    assert all(reason for _, reason, _ in found.malformed)
    assert len(found.records) == len(found.rows) == len(found.rows_of_duckdb)
    assert found.rows == found.rows_of_duckdb


def written_record(draw: st.DrawFn, form: Form, alphabet: Sequence[str]) -> str:
    """A record with quotes where they are needed, and sometimes where not. No value begins with a line break."""
    values = draw(st.lists(st.text(st.sampled_from(alphabet), max_size=6), min_size=form.width, max_size=form.width))
    values = [value.lstrip("\n") for value in values]
    needed = [form.separator in value or "\n" in value for value in values]
    return form.separator.join(f'"{v}"' if n or draw(st.booleans()) else v for v, n in zip(values, needed, strict=True))


@st.composite
def one_quote_without_end(draw: st.DrawFn) -> tuple[Form, list[str], int]:
    """A form, the records of a file, and which of them has a last field whose opening quote has no end."""
    form = replace(draw(FORMS), quote='"')
    alphabet = ["a", "é", " ", "\n", *SEPARATORS]
    records = [written_record(draw, form, alphabet) for _ in range(draw(st.integers(0, 8)))]
    assume(not any(is_blank(record, form) or holds_a_record(lines_of(record), form) for record in records))
    at = draw(st.integers(0, len(records)))
    values = draw(st.lists(st.text(st.sampled_from(["a", "é", " "]), min_size=1), min_size=form.width))[: form.width]
    damaged = form.separator.join([*values[:-1], f'"{values[-1]}'])
    return form, [*records[:at], damaged, *records[at:]], at


@seed(choose_seed())
@settings(PROFILE, max_examples=50)
@given(one_quote_without_end())
def test_a_quote_without_end_loses_its_own_record(made: tuple[Form, list[str], int]) -> None:
    form, records, at = made
    found = split("".join(record + form.ending for record in records), form)
    assert [(reason, text) for _, reason, text in found.malformed] == [("unterminated_quote", records[at])]
    assert [text for _, text in found.records] == [*records[:at], *records[at + 1 :]]


@st.composite
def mixed_encodings(draw: st.DrawFn) -> tuple[Form, list[tuple[str, str]]]:
    """A form, and the records of a file with the encoding of each. Letters of CP1252 in a row never look like UTF-8."""
    form = draw(FORMS)
    alphabet = ["a", "é", "à", "Ç", " ", *(["\n"] if form.quote else [])]
    records = [written_record(draw, replace(form, quote='"'), alphabet) for _ in range(draw(st.integers(1, 8)))]
    if not form.quote:
        records = [record.replace('"', "") for record in records]
    assume(not any(is_blank(record, form) or holds_a_record(lines_of(record), form) for record in records))
    return form, [(record, draw(st.sampled_from(["utf-8", "cp1252"]))) for record in records]


@seed(choose_seed())
@settings(PROFILE, max_examples=50)
@given(mixed_encodings())
def test_each_line_is_read_in_its_own_encoding(made: tuple[Form, list[tuple[str, str]]]) -> None:
    form, records = made
    found = split(b"".join((text + form.ending).encode(encoding) for text, encoding in records), form)
    assert found.malformed == []
    assert [text for _, text in found.records] == [text for text, _ in records]
    assert found.rows == found.rows_of_duckdb == [row for text, _ in records for _, row in parsed(text, form)]
    other = [line for text, encoding in records if encoding == "cp1252" for line in text.split("\n")]
    is_mixed = any(not text.isascii() for text, encoding in records if encoding == "utf-8")
    assert found.in_fallback == (sum(not line.isascii() for line in other) if is_mixed else 0)
