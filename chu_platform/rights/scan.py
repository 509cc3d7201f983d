"""The search for what must not be found any more: in all files of the lake, of CHU_HOME and of Dagster's storage.

Parquet files are searched in their decoded rows and in their bytes, databases of SQLite also in their compressed
values, all other files in their bytes, and Dagster's storage on a server in the rows of its tables. Bytes are read
once, block by block, for all that is sought. Nothing that is found is shown: a finding is a place.
"""

import json
import re
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from dagster import DagsterInstance
from sqlalchemy.exc import SQLAlchemyError

from chu_platform.compat.dagster_storage_rows import tables_of_server
from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import delivered_rows
from chu_platform.ingest.persons import form
from chu_platform.rights.case import Case
from chu_platform.rights.person_in_lake import persons_tables, rows_condition
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import every_name, local_files
from chu_platform.tables.duckdb_sql import sql_name, sql_path, sql_text

BLOCK: Final = 8 << 20
# The longest text that is sought, in any encoding; names of persons are shorter.
OVERLAP: Final = 1 << 10
# Bytes between two names in a file: a separator, or the length of a value in a page of PostgreSQL.
MAX_BETWEEN: Final = 8
ENCODINGS: Final = ("utf-8", "cp1252", "utf-16-le")
# Pseudonyms are 32 hexadecimal digits, hashes of files are more.
LENGTH: Final = 32
HEXADECIMAL: Final = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
# A text of so many bytes has a length in a page of PostgreSQL that is written as the letter A, or a later one.
LENGTH_LIKE_A_LETTER: Final = 31
# Types of columns in which no text of a person can be.
WITHOUT_TEXT: Final = frozenset(("DOUBLE", "FLOAT", "BOOLEAN", "DATE", "TIMESTAMP"))
SQLITE: Final = b"SQLite format 3\x00"
MIN_COMPRESSED: Final = 16
# Texts that one automaton looks for; more of them would not fit into its memory.
TEXTS_OF_PATTERN: Final = 500


@dataclass(frozen=True)
class Scanned:
    """The result of a search: the number of files that were searched, and those in which something was found."""

    files: int
    found: Sequence[str]


class Sought:
    """What is sought of a case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._pseudonyms = frozenset(text.encode() for text in case.pseudonyms)
        self._tokens = {form for token in case.tokens for form in _forms(token)}
        self._names = [(_forms(family), _forms(first)) for family, first in case.names]
        texts = sorted(self._tokens.union(self._pseudonyms, *(families for families, _ in self._names)))
        parts = [texts[start : start + TEXTS_OF_PATTERN] for start in range(0, len(texts), TEXTS_OF_PATTERN)]
        self._patterns = ["|".join(map(_pattern, part)) for part in parts]

    def in_bytes(self, content: bytes, *, compressed: bool = False) -> bool:
        """Whether something is in these bytes, in letters of either case.

        Short names may stand side by side in compressed bytes by chance: names are not sought there.
        """
        # Most blocks have none of the texts, which one pass tells.
        block = pa.array([content], pa.large_binary())
        if not any(pc.find_substring_regex(block, p, ignore_case=True)[0].as_py() >= 0 for p in self._patterns):
            return False
        lower = content.lower()
        return (
            any(_is_apart(lower, at, len(token)) for token in self._tokens for at in _places(lower, token))
            or any(
                _is_near(lower, at, len(one), other)
                for families, firsts in ([] if compressed else self._names)
                for one in families
                for at in _places(lower, one)
                if _begins_word(lower, at, len(one))
                for other in firsts
            )
            or any(found.group() in self._pseudonyms for found in HEXADECIMAL.finditer(content))
        )

    def in_file(self, file: Path) -> bool:
        """Whether something is in a file, or in the compressed values of a database of SQLite."""
        rest = b""
        with file.open("rb") as stream:
            start = stream.read(len(SQLITE))
            stream.seek(0)
            while block := stream.read(BLOCK):
                if self.in_bytes(rest + block, compressed=file.suffix == ".parquet"):
                    return True
                rest = block[-OVERLAP:]
        return start == SQLITE and any(map(self.in_bytes, _decompressed(file)))

    def in_rows(self, connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> Sequence[Path]:
        """The Parquet files in which something is in a row. If their columns do not fit, they are read one by one.

        First the different values of all columns are searched, where the two names of a person may be apart.
        """
        if not files:
            return []
        listed = ", ".join(map(sql_path, files))
        relation = f"read_parquet([{listed}], hive_partitioning = false, filename = true, union_by_name = true)"
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
            columns = [name for name, kind, *_ in described if name != "filename" and kind not in WITHOUT_TEXT]
            if not columns or not self._may_be_in(connection, relation, columns):
                return []
            row = f"concat_ws(' ', {', '.join(f'CAST({sql_name(c)} AS VARCHAR)' for c in columns)})"
            found = connection.execute(
                f"SELECT DISTINCT filename FROM (SELECT filename, {row} AS text FROM {relation}) "
                f"WHERE {' OR '.join([*self._conditions(), *self._name_conditions(whole=True)])}"
            ).fetchall()
        except duckdb.Error:
            if len(files) == 1:
                raise
            return [one for file in files for one in self.in_rows(connection, [file])]
        return [Path(name) for (name,) in found]

    def _may_be_in(self, connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]) -> bool:
        """Whether something, or a family name, is in a value of one of the columns."""
        wanted = " OR ".join([*self._conditions(), *self._name_conditions(whole=False)]) or "false"
        cells = ", ".join(f"CAST({sql_name(column)} AS VARCHAR)" for column in columns)
        values = f"SELECT DISTINCT unnest([{cells}]) AS text FROM {relation}"
        return bool(connection.execute(f"SELECT 1 FROM ({values}) WHERE {wanted} LIMIT 1").fetchall())

    def _conditions(self) -> Sequence[str]:
        """SQL over a text, each true if a token or a pseudonym is in it."""
        # A number is not a part of a longer one.
        patterns = [f"(^|[^0-9]){re.escape(token.lower())}($|[^0-9])" for token in self.case.tokens]
        conditions = [f"regexp_matches(lower(text), {sql_text(pattern)})" for pattern in patterns]
        if self.case.pseudonyms:
            digits = f"regexp_extract_all(text, '[0-9a-f]{{{LENGTH}}}')"
            conditions.append(f"list_has_any({digits}, [{', '.join(map(sql_text, self.case.pseudonyms))}])")
        return conditions

    def _name_conditions(self, *, whole: bool) -> Sequence[str]:
        """SQL over a text, each true if names are in it side by side; without `whole`, if a family name is."""
        conditions = ["false"]
        for family, first in self.case.names:
            one, other = (f"coalesce({form(sql_text(name))}, '')" for name in (family, first))
            sought = [f"{one} || ' ' || {other}", f"{other} || ' ' || {one}"] if whole else [one]
            conditions += [f"contains(' ' || {form('text')} || ' ', ' ' || {text} || ' ')" for text in sought]
        return conditions


def scan_lake(lake: Lake, sought: Sought) -> Scanned:
    """Search all files of the lake, rows and bytes; and the rows of the sources by the keys of persons."""
    names = every_name(lake.place)
    found: set[str] = set()
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '1GB'; SET parquet_metadata_cache = true")
        for folder, of_folder in groupby(sorted(names, key=_table_folder), _table_folder):
            parquet: list[Path] = []
            for name in of_folder:
                try:
                    (file,) = local_files([lake.place / name])
                    if sought.in_file(file):
                        found.add(f"lake: {name}")
                    if name.endswith(".parquet"):
                        parquet.append(file)
                except FileNotFoundError:  # a temporary file
                    continue
            found |= {f"lake: {folder}/{file.name}" for file in sought.in_rows(connection, parquet)}
        for table in persons_tables():
            condition = rows_condition(delivered_rows(table).persons, sought.case.texts, sought.case.owned)
            if lake.open(table) is None or condition is None:
                continue
            if connection.execute(f"SELECT 1 FROM {lake.relation(table)} WHERE {condition} LIMIT 1").fetchall():
                found.add(f"lake: rows of {table.folder}")
    return Scanned(len(names), sorted(found))


def _table_folder(name: str) -> str:
    """The folder of the table, or of its log, of a file."""
    parts = name.split("/")
    return "/".join(parts[: 4 if "_delta_log" in parts[:-1] else 3])


def scan_folder(folder: Path, sought: Sought, without: Sequence[Path]) -> Scanned:
    """Search all files below a folder, without those below other folders. A finding is the path of a file."""
    files = 0
    found = []
    for file in _files(folder, without):
        try:
            is_found = sought.in_file(file)
        except FileNotFoundError:  # a temporary file of a server
            continue
        files += 1
        if is_found:
            found.append(str(file))
    return Scanned(files, found)


def scan_storage(instance: DagsterInstance, sought: Sought) -> Scanned:
    """Search Dagster's storage on a server; nothing if it is files. A finding is a table.

    Raises ChuError if it cannot be read.
    """
    tables = 0
    found = []
    try:
        for table, rows in tables_of_server(instance):
            tables += 1
            if any(map(sought.in_bytes, _blocks(rows))):
                found.append(f"Dagster's storage: table {table}")
    except SQLAlchemyError as error:
        raise ChuError(f"Dagster's storage cannot be searched ({type(error).__name__}): run again") from None
    return Scanned(tables, found)


def _blocks(rows: Iterator[bytes]) -> Iterator[bytes]:
    """Many rows at a time, each in a line."""
    block = bytearray()
    for row in rows:
        block += row + b"\n"
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _files(folder: Path, without: Sequence[Path]) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if entry in without or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _files(entry, without)
        elif entry.is_file():
            yield entry


def _forms(text: str) -> frozenset[bytes]:
    """The bytes of a text in each encoding, with letters of ASCII in lower case, others as they are or in capitals.

    JSON writes other letters as u and a number.
    """
    found = set()
    for spelled in (text, text.lower(), text.upper()):
        found.add(json.dumps(spelled)[1:-1].encode().lower())
        for encoding in ENCODINGS:
            with suppress(UnicodeEncodeError):
                found.add(spelled.encode(encoding).lower())
    return frozenset(found)


def _pattern(text: bytes) -> str:
    """A regular expression of these bytes."""
    return "".join(f"\\x{byte:02x}" for byte in text)


def _places(content: bytes, text: bytes) -> Iterator[int]:
    """Where a text begins in the content."""
    at = content.find(text)
    while at >= 0:
        yield at
        at = content.find(text, at + 1)


def _is_apart(content: bytes, at: int, length: int) -> bool:
    """Whether a text is no part of a longer number."""
    return not content[max(0, at - 1) : at].isdigit() and not content[at + length : at + length + 1].isdigit()


def _begins_word(content: bytes, at: int, length: int) -> bool:
    """Whether no letter stands before a text: the name of another person may end with it.

    In a page of PostgreSQL, the byte before a long text tells its length, and may be a letter: then it counts as begun.
    """
    if length >= LENGTH_LIKE_A_LETTER or at == 0:
        return True
    before = content[max(0, at - 4) : at]
    # The character before, in UTF-8 if it is valid, else in CP1252.
    starts = (before[-size:] for size in range(1, len(before) + 1))
    for one in starts:
        with suppress(UnicodeDecodeError):
            return not one.decode().isalpha()
    return not before[-1:].decode("cp1252", errors="replace").isalpha()


def _is_near(content: bytes, at: int, length: int, other: bytes) -> bool:
    """Whether another text is near the one at a place: before or behind it, with few bytes between."""
    reach = MAX_BETWEEN + len(other)
    return other in content[max(0, at - reach) : at] or other in content[at + length : at + length + reach]


def _decompressed(database: Path) -> Iterator[bytes]:
    """The compressed values of a database of SQLite."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table.decode()}"'):
                for value in row:
                    if isinstance(value, bytes) and len(value) >= MIN_COMPRESSED:
                        try:
                            yield zlib.decompress(value)
                        except zlib.error:
                            continue
