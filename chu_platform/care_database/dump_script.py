"""Split a dump in plain SQL into statements, rows of COPY and commands of psql, without running anything.

A dump is read as a stream, line by line. The rules of the lexer are those of psql: quotes, comments, dollar quotes,
brackets, and function bodies with BEGIN ATOMIC.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from chu_platform.errors import ChuError

# A longer statement is a quote or a bracket without an end.
MAX_STATEMENT_BYTES: Final = 1 << 28
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# What begins something that has an end of its own, or ends a statement.
_MARK: Final = re.compile(rb"""'|"|--|/\*|\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$|[;()\\]""")
_COMMENT_MARK: Final = re.compile(rb"/\*|\*/")
_ESCAPED: Final = re.compile(rb"\\.|''|'", re.DOTALL)
# Of the two bytes before a quote: E that is no part of a word; the end of a word.
_ESCAPE_PREFIX: Final = re.compile(rb"[^\w$\x80-\xff]?[eE]")
_WORD_END: Final = re.compile(rb".?[\w$\x80-\xff]", re.S)
_FUNCTION: Final = re.compile(rb"CREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\b.*\bBEGIN\s+ATOMIC\b", re.I | re.S)
_NOT_CODE: Final = re.compile(rb"""'(?:[^'])*'|"(?:[^"])*"|--[^\n]*|/\*.*?\*/""", re.S)
_BLOCK: Final = re.compile(rb"\b(BEGIN|CASE|END)\b", re.I)
_WRITTEN_BY: Final = re.compile(rb"-- Dumped by pg_dump version (\d\S*)")
_BEGIN: Final = re.compile(rb"-- PostgreSQL database (cluster |)dump\s*\Z")
_COMPLETE: Final = re.compile(rb"-- PostgreSQL database (cluster |)dump complete\s*\Z")
_META: Final = re.compile(rb"\\([A-Za-z]+|\S)?(.*)", re.S)


class CutDumpError(ChuError):
    """The dump ends before its end."""


@dataclass(frozen=True)
class Statement:
    """One SQL statement without its semicolon and its comments, and the line in which it ends."""

    text: bytes
    line: int


@dataclass(frozen=True)
class MetaCommand:
    """A command of psql (a backslash and a name): its name, what follows, and its line."""

    name: str
    arguments: bytes
    line: int


class CopyRows:
    """The rows that follow COPY ... FROM stdin, as a file for the driver. `is_cut`: the end mark is missing."""

    def __init__(self, script: "DumpScript") -> None:
        self._script = script
        self._ended = False
        self.is_cut = False

    def read(self, size: int) -> bytes:
        """The next rows, at least `size` bytes; empty at the end."""
        lines: list[bytes] = []
        length = 0
        while not self._ended and length < size:
            try:
                line = self._script.next_line()
            except (OSError, EOFError, zlib.error):
                # A damaged compressed file. The driver would hide the exception.
                line = b""
            if line[:2] == b"\\." and line.rstrip() == b"\\.":
                self._ended = True
            elif not line:
                self._ended = self.is_cut = True
            else:
                lines.append(line)
                length += len(line)
        return b"".join(lines)


class DumpScript:
    """A dump in plain SQL. Iterate over its statements and commands; read the rows of a COPY before the next one.

    `written_by` is the version of pg_dump in the header. The iteration raises
    CutDumpError when the dump ends in the middle of a statement, or without the end mark of pg_dump although it has the
    header of pg_dump.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.line = 0
        self.written_by: str | None = None
        # SET standard_conforming_strings = off: a backslash in any string is an escape.
        self.all_strings_have_escapes = False
        # The headers of pg_dump and pg_dumpall whose end marks are expected.
        self._open: set[bytes] = set()

    def next_line(self) -> bytes:
        """The next line with its line ending; empty at the end."""
        line = self._stream.readline()
        if self.line == 0:
            line = line.removeprefix(BYTE_ORDER_MARK)
        self.line += 1
        return line

    def copy_rows(self) -> CopyRows:
        """The rows of the COPY statement that was the last one."""
        return CopyRows(self)

    def __iter__(self) -> Iterator[Statement | MetaCommand]:
        statement = bytearray()
        quote: bytes | None = None
        has_escapes = False
        brackets = comments = 0
        while line := self.next_line():
            at = 0
            while at < len(line):
                if comments:
                    mark = _COMMENT_MARK.search(line, at)
                    comments += 0 if mark is None else 1 if mark.group() == b"/*" else -1
                    at = len(line) if mark is None else mark.end()
                    continue
                if quote is not None:
                    end = _end_of_quote(line, at, quote, has_escapes)
                    statement += line[at : len(line) if end is None else end]
                    if end is None:
                        at = len(line)
                    else:
                        at, quote = end, None
                    continue
                mark = _MARK.search(line, at)
                if mark is None:
                    statement += line[at:]
                    break
                statement += line[at : mark.start()]
                at, found = mark.end(), mark.group()
                if found == b"--":
                    self._note(line[mark.start() :])
                    statement += b"\n"
                    break
                if found == b"/*":
                    comments = 1
                    statement += b" "
                elif found == b"\\":
                    yield self._meta_command(line[mark.start() :], statement)
                    statement.clear()
                    break
                elif found == b";" and brackets <= 0 and not _is_in_function_body(statement):
                    text = bytes(statement).strip()
                    statement.clear()
                    brackets = 0
                    if text:
                        yield Statement(text, self.line)
                else:
                    statement += found
                    brackets += (found == b"(") - (found == b")")
                    before = line[max(mark.start() - 2, 0) : mark.start()]
                    if found in (b"'", b'"') or (found[:1] == b"$" and not _WORD_END.fullmatch(before)):
                        quote = found
                        is_escape = _ESCAPE_PREFIX.fullmatch(before) is not None
                        has_escapes = found == b"'" and (is_escape or self.all_strings_have_escapes)
            if len(statement) > MAX_STATEMENT_BYTES:
                raise CutDumpError(
                    f"a statement has not ended in line {self.line} after {len(statement):,} bytes: ask for it again"
                )
        if statement.strip() or comments:
            raise CutDumpError(
                f"it ends in the middle of a statement (line {self.line}): its transfer was cut, ask for it again"
            )
        if self._open:
            raise CutDumpError(
                f"the end mark of pg_dump is missing behind line {self.line}: its transfer was cut, ask for it again"
            )

    def _note(self, comment: bytes) -> None:
        """Take what pg_dump says about the dump in its comments."""
        if written := _WRITTEN_BY.match(comment):
            self.written_by = written[1].decode("ascii", "replace")
        elif begin := _BEGIN.match(comment):
            self._open.add(begin[1])
        elif complete := _COMPLETE.match(comment):
            self._open.discard(complete[1])

    def _meta_command(self, text: bytes, before: bytearray) -> MetaCommand:
        name, arguments = _META.match(text).groups()  # type: ignore[union-attr]
        if before.strip():
            # As \g or \gexec behind a query: no dump has these.
            arguments = b""
        return MetaCommand((name or b"").decode("ascii", "replace"), arguments.strip(), self.line)


def _end_of_quote(line: bytes, at: int, quote: bytes, has_escapes: bool) -> int | None:
    """The position behind the end of a quoted part; None if it does not end in this line."""
    if not has_escapes:
        # A doubled quote ends the part and begins another one.
        end = line.find(quote, at)
        return None if end < 0 else end + len(quote)
    return next((m.end() for m in _ESCAPED.finditer(line, at) if m.group() == b"'"), None)


def _is_in_function_body(statement: bytearray) -> bool:
    """Whether a semicolon at the end of this text belongs to a body with BEGIN ATOMIC that is not closed."""
    if not _FUNCTION.match(bytes(statement).lstrip()):
        return False
    depth = 0
    for word in _BLOCK.findall(_NOT_CODE.sub(b"", bytes(statement))):
        is_end = word.upper() == b"END"
        depth += -1 if is_end and depth else 0 if is_end or (word.upper() == b"CASE" and not depth) else 1
    return depth > 0
