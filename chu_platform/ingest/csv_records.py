"""Splitting a delivered CSV file into records, before anything reads it: how many there are, where each one
lies, and which lines are no record at all.

DuckDB reads what this lets through and must find exactly as many rows. Lines that are not a record are set
aside with their bytes and their line number, one by one, so that a stray quote costs one line and not the
rest of the file. Where lines were set aside, or are written in another way than the rest (encoding, line
ending, quoting), a normalised temporary copy takes the place of the file; otherwise the file is read where
it lies.

The file passes in blocks. What a block holds besides separators, quotes and line ends is dropped first
(bytes.translate): where the rest is the one pattern of a well-formed line, repeated, no line is looked at in
Python.

Here: bytes to records. Not here: the header (csv_format), and what the text means.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import Malformed

BLOCK = 1 << 20
MAX_RECORD_LENGTH = 1 << 21
LOOKS_LIKE_UTF8 = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
NUL, LF, CR = b"\x00", b"\n", b"\r"
# What a blank line may hold, as `bytes.strip` has it, but for the line feed.
BLANKS = b" \t\r\x0b\x0c"


@dataclass(frozen=True)
class Writing:
    """How a file is written: separator and quote (b"": none), encoding of lines that are not UTF-8 (None:
    there are none), line ending, and number of fields of a record.

    Of lines of fixed width, only the first `longest` characters mean something; what follows may be anything.
    """

    separator: bytes
    quote: bytes
    fallback: str | None
    ending: bytes
    width: int
    longest: int | None = None

    @cached_property
    def plain(self) -> bytes:
        """What is left of a good line without quotes, its line feed aside, when its values are dropped."""
        return self.separator * (self.width - 1) + self.ending[:-1]

    @cached_property
    def dropped(self) -> bytes:
        """All bytes that say nothing about the structure of a line."""
        kept = {*self.separator, *self.quote, *LF, *CR, *NUL}
        return bytes(b for b in range(256) if b not in kept)

    @cached_property
    def proper(self) -> re.Pattern[bytes]:
        """A record of the right width in which every quote has its place, without its line ending."""
        separator, quote = re.escape(self.separator), re.escape(self.quote)
        value = b"[^%b%b\r\n\x00]*+" % (separator, quote)
        if quote:
            inner = b"(?:[^%b\x00]|%b)*+" % (quote, quote * 2)
            value = b"(?:%b%b%b|%b)" % (quote, inner, quote, value)
        return re.compile(b"%b(?:%b%b){%d}" % (value, separator, value, self.width - 1))

    def fields(self, text: bytes) -> "list[bytes] | str":
        """The fields of a record without its line ending, or the reason why it is none."""
        if not self.quote:
            return text.split(self.separator)
        values: list[bytes] = []
        start = 0
        while True:
            if text.startswith(self.quote, start):
                end = self._closing(text, start + 1)
                if end < 0:
                    return "unterminated_quote"
                values.append(text[start + 1 : end].replace(self.quote * 2, self.quote))
                end += 1
                if end < len(text) and not text.startswith(self.separator, end):
                    return "text_after_quote"
            else:
                end = text.find(self.separator, start)
                end = len(text) if end < 0 else end
                values.append(text[start:end])
            if end >= len(text):
                return values
            start = end + 1

    def meaningful(self, text: bytes) -> bytes:
        """The start of a line that means something."""
        if self.longest is None:
            return text
        try:
            return text.decode()[: self.longest].encode()
        except UnicodeDecodeError as error:
            start = text[: error.start].decode()
            # What is not UTF-8 before the end of the record is of the encoding that has a byte a character.
            return start[: self.longest].encode() if len(start) >= self.longest else text[: self.longest]

    def _closing(self, text: bytes, start: int) -> int:
        while (end := text.find(self.quote, start)) >= 0 and text.startswith(self.quote, end + 1):
            start = end + 2
        return end

    def misfit(self, text: bytes) -> str | None:
        """Why a text is no record of the right width; None when it is one."""
        if self.proper.fullmatch(text):
            return None
        found = self.fields(text)
        if isinstance(found, str):
            return found
        if len(found) != self.width:
            return "too_few_fields" if len(found) < self.width else "too_many_fields"
        return None

    def quoted(self, values: Sequence[bytes]) -> bytes:
        """A record with all its fields in quotes."""
        return self.separator.join(self.quote + v.replace(self.quote, self.quote * 2) + self.quote for v in values)


@dataclass(frozen=True)
class Odd:
    """Lines of a block that are not simply one plain record each: `count` lines from line `index` on.

    They are one record, or, with a `reason`, none. `rewritten` is the normal form of a record that is not
    read as it stands. Blank lines have neither text nor reason.
    """

    index: int
    count: int
    reason: str | None = None
    rewritten: bytes | None = None
    blank: bool = False

    @property
    def is_record(self) -> bool:
        """Whether the lines are a record."""
        return self.reason is None and not self.blank

    @property
    def as_it_stands(self) -> bool:
        """Whether the lines may be read as they were delivered."""
        return self.is_record and self.rewritten is None


class Block:
    """Whole lines of a file, and which of them are odd.

    `taken` is the number of bytes that could be judged: a record that is still open at the end of the block
    is left to the next one, unless the file ends with the block.
    """

    def __init__(self, writing: Writing, text: bytes, final: bool) -> None:
        self._writing = writing
        self._delivered = text[: text.rfind(LF) + 1]
        self._text = self._delivered
        self._final = final
        self.odd: list[Odd] = []
        is_utf8 = _is_utf8(self._delivered)
        self.says_utf8 = not self._delivered.isascii() and bool(LOOKS_LIKE_UTF8.search(self._delivered))
        self.in_fallback = False
        if not is_utf8:
            self._text = self._converted() or self._delivered
        self.converted = self.in_fallback = self._text is not self._delivered
        self._ends = np.flatnonzero(np.frombuffer(self._text, np.uint8) == LF[0])
        self.lines = len(self._ends)
        candidates: set[int] = set() if is_utf8 or self.converted else self._not_utf8()
        skeleton = self._text.translate(None, writing.dropped)
        plain = writing.plain
        if skeleton != (plain + LF) * self.lines:
            candidates |= {i for i, s in enumerate(skeleton.split(LF)[:-1]) if s != plain}
        if writing.width == 1:
            # Without their values, a line of one field and a blank one look the same.
            filled = np.frombuffer(self._text.translate(None, BLANKS), np.uint8)
            lengths = np.diff(np.flatnonzero(filled == LF[0]), prepend=-1)
            candidates |= set(np.flatnonzero(lengths == 1).tolist())
        self._judge(sorted(candidates))
        self.taken = self._taken()

    @property
    def records(self) -> int:
        """Number of records."""
        return self.lines - sum(o.count for o in self.odd) + sum(o.is_record for o in self.odd)

    @property
    def as_it_stands(self) -> bool:
        """Whether the block may be read as it was delivered."""
        return not self.converted and all(o.as_it_stands for o in self.odd)

    def line(self, index: int, count: int = 1) -> bytes:
        """The bytes of lines, without the last line feed."""
        return self._text[self._start(index) : self._start(index + count) - 1]

    def places(self) -> list[tuple[int, int]]:
        """Line index and number of lines of each record."""
        found: list[tuple[int, int]] = []
        at = 0
        for odd in self.odd:
            found += ((i, 1) for i in range(at, odd.index))
            if odd.is_record:
                found.append((odd.index, odd.count))
            at = odd.index + odd.count
        return found + [(i, 1) for i in range(at, self.lines)]

    def normal(self) -> Iterator[bytes]:
        """The records in normal form, line endings included."""
        at = 0
        for odd in self.odd:
            if odd.as_it_stands:
                continue
            yield self._text[self._start(at) : self._start(odd.index)]
            if odd.rewritten is not None:
                yield odd.rewritten
            at = odd.index + odd.count
        yield self._text[self._start(at) : self._start(self.lines)]

    def _start(self, index: int) -> int:
        return int(self._ends[index - 1]) + 1 if index else 0

    def _taken(self) -> int:
        if not self.converted:
            return self._start(self.lines)
        ends = np.flatnonzero(np.frombuffer(self._delivered, np.uint8) == LF[0])
        return int(ends[self.lines - 1]) + 1 if self.lines else 0

    def _converted(self) -> bytes | None:
        """The block in UTF-8 when all of it is in the fallback encoding: nothing in it looks like UTF-8."""
        if self._writing.fallback is None or LOOKS_LIKE_UTF8.search(self._delivered):
            return None
        try:
            return self._delivered.decode(self._writing.fallback).encode()
        except UnicodeDecodeError:
            return None

    def _not_utf8(self) -> set[int]:
        high = np.flatnonzero(np.frombuffer(self._text, np.uint8) >= 0x80)
        lines = np.unique(np.searchsorted(self._ends, high)).tolist()
        return {i for i in lines if not _is_utf8(self.line(i))}

    def _judge(self, candidates: Sequence[int]) -> None:
        after = 0
        for index in candidates:
            if index < after:
                continue
            odd = self._odd(index)
            if odd is None:
                self.lines = index
                return
            after = index + odd.count
            self.odd.append(odd)

    def _odd(self, index: int) -> Odd | None:
        """What the lines from `index` on are; None when the block ends before that is known."""
        writing = self._writing
        line = self.line(index)
        text = writing.meaningful(line)
        if not text.strip() and writing.separator not in text:
            return Odd(index, 1, blank=True)
        reason = writing.misfit(_bare(text))
        count = 1
        if reason == "unterminated_quote":
            joined = self._joined(index)
            if joined is None:
                return None
            count, reason = joined
            text = self.line(index, count)
        if NUL in text:
            reason = "nul_byte"
        if reason:
            return Odd(index, count, reason)
        return self._record(index, count, text, rewrite=count == 1 and text != line)

    def _joined(self, index: int) -> tuple[int, str | None] | None:
        """How many lines a record with an open quote takes, and why it is none; None when it is still open
        at the end.

        A quoted field may hold line breaks, but no line that is a record by itself: then the quote is a
        stray one, and only its own line is lost.
        """
        writing = self._writing
        stray = 1, "unterminated_quote"
        for last in range(index + 1, self.lines):
            line = _bare(self.line(last))
            if writing.proper.fullmatch(line) or self._start(last) - self._start(index) > MAX_RECORD_LENGTH:
                return stray
            if writing.quote not in line:
                continue
            count = last - index + 1
            reason = writing.misfit(_bare(self.line(index, count)))
            if reason == "text_after_quote":
                return stray
            if reason != "unterminated_quote":
                return count, reason
        if self._final:
            return self.lines - index, "unterminated_quote"
        return None

    def _record(self, index: int, count: int, text: bytes, rewrite: bool) -> Odd:
        writing = self._writing
        bare = _bare(text)
        rewrite |= (text + LF).endswith(CR + LF) != (writing.ending == CR + LF)
        if not _is_utf8(bare):
            try:
                bare = bare.decode(writing.fallback or "utf-8").encode()
                self.in_fallback = True
            except UnicodeDecodeError:
                return Odd(index, count, f"not_{(writing.fallback or 'utf-8').replace('-', '')}")
            rewrite = True
        if not writing.proper.fullmatch(bare):
            # A quote or a carriage return in a field without quotes: DuckDB takes them for its own unless
            # quoted.
            if not writing.quote:
                return Odd(index, count, "carriage_return")
            fields = writing.fields(bare)
            assert isinstance(fields, list)
            bare, rewrite = writing.quoted(fields), True
        return Odd(index, count, rewritten=bare + writing.ending if rewrite else None)


@dataclass(frozen=True)
class _Extent:
    """Where a block lies: its bytes, and the numbers of its first line (from 1 on) and record (from 0 on)."""

    offset: int
    size: int
    final: bool
    line: int
    record: int


class Survey:
    """What a file holds: `records`, the `malformed` lines, and the file that DuckDB can `read`.

    `body` is the number of bytes before the first record, `line` the number of its line, `header` the header
    line, empty where a file has none.
    """

    def __init__(self, file: Path, name: str, writing: Writing, header: bytes, body: int, line: int) -> None:
        self._file = file
        self._name = name
        self._writing = writing
        self._header = header
        self._body = body
        self._line = line
        self._extents: list[_Extent] = []
        self._says_utf8 = self._in_fallback = False
        self.read = file
        self.records = 0
        self.malformed: list[Malformed] = []

    def run(self, copy: Path, most_malformed: int) -> None:
        """Go through the file once. Raises ChuError for a file that is no CSV.

        `copy` is written when the file cannot be read as it stands.
        """
        target: IO[bytes] | None = None
        try:
            for extent, block in self._blocks():
                self._extents.append(extent)
                self._set_aside(extent, block, most_malformed)
                self._says_utf8 |= block.says_utf8
                self._in_fallback |= block.in_fallback
                # What stands before the header would be taken for it.
                if target is None and (self._line > 2 or not block.as_it_stands):
                    target = copy.open("wb")
                    self.read = copy
                    if self._header:
                        target.write(self._header + self._writing.ending)
                    _append(self._file, self._body, extent.offset, target)
                if target is not None:
                    target.writelines(block.normal())
                self.records += block.records
        finally:
            if target is not None:
                target.close()

    @property
    def encoding(self) -> str:
        """The encoding of the records, or both where there are lines of each."""
        if not self._in_fallback:
            return "utf-8"
        return f"utf-8, {self._writing.fallback}" if self._says_utf8 else f"{self._writing.fallback}"

    def locate(self, numbers: Sequence[int]) -> list[tuple[int, str]]:
        """Line and text of records, given by their numbers (from 1 on, ascending)."""
        firsts = [e.record for e in self._extents]
        found: list[tuple[int, str]] = []
        opened: _Extent | None = None
        with self._file.open("rb") as stream:
            for number in numbers:
                extent = self._extents[bisect_right(firsts, number - 1) - 1]
                if extent is not opened:
                    opened = extent
                    stream.seek(extent.offset)
                    text = stream.read(extent.size)
                    block = Block(self._writing, _ended(text, self._writing) if extent.final else text, extent.final)
                    places = block.places()
                index, count = places[number - 1 - extent.record]
                found.append((extent.line + index, self._shown(block.line(index, count))))
        return found

    def _blocks(self) -> Iterator[tuple[_Extent, Block]]:
        offset, line, rest = self._body, self._line, b""
        with self._file.open("rb") as stream:
            stream.seek(offset)
            final = False
            while not final:
                more = stream.read(BLOCK)
                final = not more
                text = rest + more
                block = Block(self._writing, _ended(text, self._writing) if final else text, final)
                yield _Extent(offset, len(text), final, line, self.records), block
                line += block.lines
                offset += block.taken
                rest = text[block.taken :]
                if len(rest) > 2 * MAX_RECORD_LENGTH:
                    raise ChuError(
                        f"{self._name}: line {line} is longer than {MAX_RECORD_LENGTH >> 20} MB: this is no CSV "
                        "file, or its transfer was damaged; ask for it again"
                    )

    def _set_aside(self, extent: _Extent, block: Block, most_malformed: int) -> None:
        for odd in block.odd:
            if odd.reason:
                text = self._shown(block.line(odd.index, odd.count))
                self.malformed.append(Malformed(extent.line + odd.index, odd.reason, text))
        if len(self.malformed) > most_malformed:
            first = self.malformed[0]
            raise ChuError(
                f"{self._name}: more than {most_malformed} lines are no rows, first line {first.line} "
                f"({first.reason}); nothing was published, ask for the file again"
            )

    def _shown(self, text: bytes) -> str:
        """Bytes of a line as text: in UTF-8, else in the fallback, else with the other bytes escaped."""
        text = _bare(text)
        for encoding in filter(None, ("utf-8", self._writing.fallback)):
            try:
                return text.decode(encoding).replace("\x00", "\\x00")
            except UnicodeDecodeError:
                continue
        return text.decode("utf-8", "backslashreplace").replace("\x00", "\\x00")


def _bare(text: bytes) -> bytes:
    """A line without the carriage return of its ending."""
    return text[:-1] if text.endswith(CR) else text


def _ended(text: bytes, writing: Writing) -> bytes:
    """The end of a file, with the line ending that its last line may lack."""
    if not text or text.endswith(LF):
        return text
    return text + (LF if text.endswith(CR) else writing.ending)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _append(file: Path, start: int, end: int, target: IO[bytes]) -> None:
    """Append the bytes of `file` from `start` to `end`."""
    with file.open("rb") as source:
        source.seek(start)
        while start < end and (piece := source.read(min(BLOCK, end - start))):
            target.write(piece)
            start += len(piece)
