"""Scan of a delivered CSV file before DuckDB reads it: count the records, locate them, find malformed lines.

DuckDB then reads the well-formed records and must return the same number of rows. Malformed lines are collected one by
one with their text and line number, so that a stray quote rejects one line and not the rest of the file. If the file
has malformed lines, or lines with another encoding, line ending or quoting, DuckDB reads a normalised temporary copy;
otherwise it reads the delivered file.

The file is processed in blocks. `LineStructure` finds the records of a block with operations on whole arrays. Python
examines only the lines that it leaves.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import IO

import numpy as np

from chu_platform.errors import ChuError
from chu_platform.ingest.csv_dialect import CR, LF, NUL, PADDING, Dialect, decoded
from chu_platform.ingest.delivered import Malformed
from chu_platform.ingest.file_kinds import BYTE_ORDER_MARK
from chu_platform.ingest.line_structure import MAX_RECORD_LENGTH, LineStructure, Numbers
from chu_platform.ingest.outer_blanks import OuterBlanks, blanks_in_csv, blanks_in_fixed_width

BLOCK = 1 << 20
# Reason code of a line of fixed width with a second record that nothing separates from the first for certain.
GLUED = "glued_records"
POWER = re.compile(rb"\dE\+\d", re.IGNORECASE)
# A letter with an accent of which UTF-8 has two bytes, each taken for a character of Windows and encoded again: Ã©.
DOUBLY_ENCODED = re.compile(
    rb"\xc3[\x82-\x85](?:\xc2[\x80-\xbf]|\xe2\x82\xac|\xe2\x80[\x93-\xba]|\xe2\x84\xa2|\xc6\x92|\xcb[\x86\x9c]"
    rb"|\xc5[\x92\x93\xa0\xa1\xb8\xbd\xbe])|\xc3\xa2\xe2\x82\xac"
)
DOUBLED_RETURN = re.compile(rb"\r{2,}\n")
# Lines of a block that are split to see whether a space beside a separator is in quotes.
MAX_EXAMINED = 200
# Control characters in UTF-8 of which CP1252 has a letter or a sign in the same place: a file in CP1252 was taken for
# ISO-8859-1. NEL is not among them: it is a blank.
CONTROLS = re.compile(rb"\xc2([\x80\x82-\x84\x86-\x8c\x8e\x91-\x9c\x9e\x9f])")
# What CP1252 has for letters of CP850 and MacRoman: signs in or at a word, letters between capitals that no French name
# has, capitals with accents behind small letters.
_LETTER = r"[^\W\d_]"
OTHER_ENCODING = re.compile(
    rf"{_LETTER}[‚ƒ„†‡ˆ‰‹•˜™€·×¶¤¥¡¢£“”]{_LETTER}|[‚ƒ†‡ˆ‰]{_LETTER}|{_LETTER}[‚ƒ†‡ˆ‰]"
    r"|[A-Z]{2}[åæìíóòú][A-Z]|[a-z][À-ÞŒŠŽŸ]+(?:[a-z]|\b)"
)
# So many NUL bytes at the end of a file are no padding of an old program: its space was reserved, and never written.
RESERVED = NUL * 128
# So many in its middle are a part that was not written.
HOLE = NUL * 4096
LOOKS_LIKE_UTF8 = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")


@dataclass(frozen=True)
class IrregularLines:
    """`count` lines of a block, from line `index` on, that were examined one by one.

    Together they are one record, a malformed record (`reason`), or a blank line (`blank`). `rewritten` is the
    normalised form of a record that cannot be read as delivered. A line of fixed width may be `glued` records.
    """

    index: int
    count: int
    reason: str | None = None
    rewritten: bytes | None = None
    blank: bool = False
    glued: int = 1

    @property
    def records(self) -> int:
        """Number of records."""
        return self.glued if self.is_record else 0

    @property
    def is_record(self) -> bool:
        """Whether the lines are one record."""
        return self.reason is None and not self.blank

    @property
    def is_unchanged(self) -> bool:
        """Whether the lines are a record that can be read as delivered."""
        return self.is_record and self.rewritten is None


@dataclass(frozen=True)
class _ClosingLine:
    """The line `index` ends a quoted field that is open at the start of line `start`, or of any line in between.

    It is the number of lines of the block when no line ends the field. `is_impossible`: the line is a complete record,
    or has text after the closing quote, so that the opening quote was a stray one.
    """

    start: int
    index: int
    is_impossible: bool


class Block:
    """Complete lines of a file, their records, and which of them are irregular.

    `consumed` is the number of delivered bytes that were classified. A record that is still open at the end of the
    block is left to the next block, unless the file ends with this block (`final`). A line that repeats the `header` is
    malformed. `lines_in_fallback` is the number of lines that were read in the fallback encoding, `garbled` that of
    those that were probably written in a third one.
    """

    def __init__(self, dialect: Dialect, header: bytes, text: bytes, final: bool) -> None:
        self._dialect = dialect
        self._header = header
        self._delivered = text[: text.rfind(LF) + 1]
        self._text = _with_characters_of_windows(_with_single_returns(self._delivered))
        self._final = final
        self._closing: _ClosingLine | None = None
        self.irregular: list[IrregularLines] = []
        is_ascii = self._delivered.isascii()
        is_utf8 = is_ascii or _is_utf8(self._delivered)
        self.has_utf8 = not is_ascii and bool(LOOKS_LIKE_UTF8.search(self._delivered))
        converted = None if is_utf8 else self._converted()
        self.converted = converted is not None
        self.lines_in_fallback = self.garbled = 0
        if converted is not None:
            self._text = converted
            self._header = header.decode(dialect.fallback, "replace").encode()
        self._ends = np.flatnonzero(np.frombuffer(self._text, np.uint8) == LF[0])
        self.lines = len(self._ends)
        # First and last lines of the regular records of several lines.
        self._long_records: list[tuple[Numbers, Numbers]] = []
        self._structure: LineStructure | None = None
        if self.lines and dialect.are_blank(self._text):
            self.irregular.append(IrregularLines(0, self.lines, blank=True))
        elif self.lines:
            doubtful = [*self._not_utf8(is_utf8), *self._header_lines(), *self._glued_lines()]
            self._structure = LineStructure(self._text, self._ends, dialect, doubtful)
            self._classify(self._structure)
        if self.converted:
            lines = [line for line in self._not_ascii() if line < self.lines]
            self.lines_in_fallback = len(lines)
            self.garbled = sum(_is_garbled(self.line(line).decode()) for line in lines)
        self.consumed = self._consumed()

    @property
    def records(self) -> int:
        """Number of records."""
        long = sum(int((last - first).sum()) for first, last in self._long_records)
        return self.lines - long - sum(i.count - i.records for i in self.irregular)

    @property
    def has_powers(self) -> bool:
        """Whether it has a text such as 8.1E+10."""
        text = self._text
        # To look for one byte is fastest, and it is rare.
        return b"+" in text and (b"E+" in text or b"e+" in text) and bool(POWER.search(text))

    def doubly_encoded(self) -> int:
        """Number of lines with letters that were encoded twice in UTF-8."""
        if not self.has_utf8:
            return 0
        positions = [found.start() for found in DOUBLY_ENCODED.finditer(self._text)]
        return len(np.unique(np.searchsorted(self._ends[: self.lines], positions)))

    def outer_blanks(self) -> OuterBlanks:
        """The blanks that may be around values."""
        if self._dialect.max_length is not None:
            return blanks_in_fixed_width(self._text)
        if self._structure is None:
            return OuterBlanks.NONE
        # The blanks of lines in the fallback encoding are other bytes.
        if self.lines_in_fallback and not self.converted:
            return OuterBlanks.ANY
        spaced = self._structure.spaced_lines()
        if len(spaced) > MAX_EXAMINED:
            return max(OuterBlanks.SPACES, blanks_in_csv(self._text, [], self._dialect))
        return blanks_in_csv(self._text, [self.line(line) for line in spaced.tolist()], self._dialect)

    @property
    def is_unchanged(self) -> bool:
        """Whether the block can be read as delivered."""
        return self._text is self._delivered and all(i.is_unchanged for i in self.irregular)

    def line(self, index: int, count: int = 1) -> bytes:
        """The bytes of `count` lines from line `index` on, without the last line feed."""
        return self._text[self._start(index) : self._start(index + count) - 1]

    def record_lines(self) -> tuple[Numbers, Numbers]:
        """Index of the first line and number of lines of each record."""
        counts = np.ones(self.lines, np.intp)
        records = np.ones(self.lines, np.intp)
        # How much more often a line is inside a record or between records than the line before.
        steps = np.zeros(self.lines + 1, np.intp)
        for first, last in self._long_records:
            counts[first] = last - first + 1
            steps[first + 1] += 1
            steps[last + 1] -= 1
        for lines in self.irregular:
            counts[lines.index] = lines.count
            records[lines.index] = lines.glued
            steps[lines.index + lines.is_record] += 1
            steps[lines.index + lines.count] -= 1
        starts = np.flatnonzero(np.cumsum(steps[:-1]) == 0)
        starts = np.repeat(starts, records[starts])
        return starts, counts[starts]

    def normalised(self) -> Iterator[bytes]:
        """The records in normalised form, line endings included."""
        at = 0
        for lines in self.irregular:
            if lines.is_unchanged:
                continue
            yield self._text[self._start(at) : self._start(lines.index)]
            if lines.rewritten is not None:
                yield lines.rewritten
            at = lines.index + lines.count
        yield self._text[self._start(at) : self._start(self.lines)]

    def _start(self, index: int) -> int:
        return int(self._ends[index - 1]) + 1 if index else 0

    def _consumed(self) -> int:
        if self._text is self._delivered:
            return self._start(self.lines)
        ends = np.flatnonzero(np.frombuffer(self._delivered, np.uint8) == LF[0])
        return int(ends[self.lines - 1]) + 1 if self.lines else 0

    def _converted(self) -> bytes | None:
        """The block converted to UTF-8 if all of it is in the fallback encoding; None if some bytes look like UTF-8."""
        if LOOKS_LIKE_UTF8.search(self._delivered):
            return None
        try:
            return self._text.decode(self._dialect.fallback).encode()
        except UnicodeDecodeError:
            return None

    def _not_utf8(self, is_utf8: bool) -> Sequence[int]:
        """The lines that are not UTF-8."""
        if is_utf8 or self.converted:
            return []
        return [i for i in self._not_ascii() if not _is_utf8(self.line(i))]

    def _not_ascii(self) -> Sequence[int]:
        """The lines with a character that is not ASCII."""
        high = np.flatnonzero(np.frombuffer(self._text, np.uint8) >= 0x80)
        lines: list[int] = np.unique(np.searchsorted(self._ends, high)).tolist()
        return lines

    def _header_lines(self) -> Sequence[int]:
        """The lines that may repeat the header: those that are as long, or longer by the mark and the ending."""
        if not self._header:
            return []
        data = np.frombuffer(self._text, np.uint8)
        longer = np.diff(self._ends, prepend=-1) - 1 - len(self._header)
        # The last byte of the header is before the line feed, or before a carriage return.
        is_last = (data[self._ends - 1] == self._header[-1]) | (data[self._ends - 1] == CR[0])
        candidates = np.flatnonzero((longer >= 0) & (longer <= len(BYTE_ORDER_MARK + CR)) & is_last).tolist()
        return [line for line in candidates if self._is_header(self.line(line))]

    def _glued_lines(self) -> Sequence[int]:
        """The lines of fixed width that may hold more than a record."""
        glued = self._dialect.glued
        if glued is None:
            return []
        longer: list[int] = np.flatnonzero(np.diff(self._ends, prepend=-1) > glued.max_length).tolist()
        return [line for line in longer if self._dialect.glued_records(self.line(line)) != [self.line(line)]]

    def _is_header(self, line: bytes) -> bool:
        """Whether a line repeats the header, as in files that were joined."""
        return bool(self._header) and _without_carriage_return(line).removeprefix(BYTE_ORDER_MARK) == self._header

    def _classify(self, structure: LineStructure) -> None:
        after = 0
        while after < self.lines:
            index = structure.next_examined(after)
            self._long_records += structure.long_records(after, index)
            if index == self.lines:
                return
            lines = self._classify_lines(index)
            if lines is None:
                self.lines = index
                return
            self.irregular.append(lines)
            after = index + lines.count

    def _classify_lines(self, index: int) -> IrregularLines | None:
        """Classify the lines from `index` on. None when the block ends inside an open record."""
        dialect = self._dialect
        line = self.line(index)
        text = dialect.significant_part(line)
        if dialect.is_blank(text):
            return IrregularLines(index, max(1, self._first_filled_line(index) - index), blank=True)
        if self._is_header(line):
            return IrregularLines(index, 1, "repeated_header")
        records = dialect.glued_records(line)
        if records is None:
            return IrregularLines(index, 1, GLUED)
        if len(records) > 1:
            return self._glued(index, records)
        reason = dialect.reject_reason(_without_carriage_return(text))
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
            return IrregularLines(index, count, reason)
        return self._record(index, count, text, rewrite=count == 1 and text != line)

    def _glued(self, index: int, records: Sequence[bytes]) -> IrregularLines:
        """The line `index`, which holds several records."""
        texts = [self._dialect.significant_part(record) for record in records]
        lines = [self._record(index, 1, text, rewrite=True) for text in texts]
        if reason := next((line.reason for line in lines if line.reason), None):
            return IrregularLines(index, 1, reason)
        return IrregularLines(index, 1, rewritten=b"".join(line.rewritten or b"" for line in lines), glued=len(lines))

    def _first_filled_line(self, index: int) -> int:
        """The first line from `index` on that is not blank; the number of lines if there is none."""
        blank_lines = self._dialect.blank_lines_pattern.match(self._text, self._start(index))
        assert blank_lines
        return int(np.searchsorted(self._ends, blank_lines.end()))

    def _joined(self, index: int) -> tuple[int, str | None] | None:
        """Number of lines of a record with an open quote, and the reason code if it is malformed.

        None when the quote is still open at the end of the block. A quoted field may contain line breaks, but not a
        line that is a complete record: in that case the quote is a stray one, and only its line is rejected. It is also
        a stray one if the lines up to the closing quote are no record, and a record starts after its line.
        """
        closing = self._closing_line(index + 1)
        length = self._start(min(closing.index, self.lines - 1)) - self._start(index)
        if closing.is_impossible or length > MAX_RECORD_LENGTH:
            return 1, "unterminated_quote"
        if closing.index < self.lines:
            reason = self._reason(index, closing.index)
            is_stray = reason is not None and self._starts_record(index + 1)
            if is_stray is None:
                return None
            return (1, "unterminated_quote") if is_stray else (closing.index - index + 1, reason)
        return (self.lines - index, "unterminated_quote") if self._final else None

    def _starts_record(self, index: int) -> bool | None:
        """Whether a record of several lines starts at line `index`; None if the block ends inside it."""
        if index >= self.lines:
            return False
        if self._reason(index, index) != "unterminated_quote":
            return False
        closing = self._closing_line(index + 1)
        if closing.index >= self.lines:
            return False if self._final else None
        length = self._start(closing.index) - self._start(index)
        return not closing.is_impossible and length <= MAX_RECORD_LENGTH and not self._reason(index, closing.index)

    def _reason(self, first: int, last: int) -> str | None:
        """Reason code of these lines if they are not a record."""
        return self._dialect.reject_reason(_without_carriage_return(self.line(first, last - first + 1)))

    def _closing_line(self, start: int) -> "_ClosingLine":
        """Where a quoted field ends that is open at the start of line `start`.

        The answer is the same for all lines from there up to the closing one, so that each line is examined once.
        """
        known = self._closing
        if known is None or not known.start <= start <= known.index:
            index = start
            while index < self.lines and self._dialect.leaves_field_open(_without_carriage_return(self.line(index))):
                index += 1
            is_impossible = index < self.lines and not self._dialect.closes_field(
                _without_carriage_return(self.line(index))
            )
            known = self._closing = _ClosingLine(start, index, is_impossible)
        return known

    def _record(self, index: int, count: int, text: bytes, rewrite: bool) -> IrregularLines:
        dialect = self._dialect
        bare = _without_carriage_return(text)
        rewrite |= (text + LF).endswith(CR + LF) != (dialect.ending == CR + LF)
        if not _is_utf8(bare):
            try:
                characters = decoded(bare, dialect.fallback)
            except UnicodeDecodeError:
                self.garbled += 1
                return IrregularLines(index, count, f"not_{dialect.fallback.replace('-', '')}")
            self.garbled += _is_garbled(characters)
            bare = characters.encode()
            self.lines_in_fallback += sum(not _is_utf8(line) for line in text.split(LF))
            rewrite = True
        if not dialect.record_pattern.fullmatch(bare):
            # DuckDB misreads a quote or a carriage return in an unquoted field, so quote all fields.
            if not dialect.quote:
                return IrregularLines(index, count, "carriage_return")
            fields = dialect.fields(bare)
            assert isinstance(fields, list)
            bare, rewrite = dialect.quote_all(fields), True
        return IrregularLines(index, count, rewritten=bare + dialect.ending if rewrite else None)


@dataclass(frozen=True)
class _BlockPosition:
    """Position of a block: its bytes, and the numbers of its first line (from 1) and first record (from 0)."""

    offset: int
    size: int
    final: bool
    line: int
    record: int


class RecordScan:
    """Scan of one file. Results: the number of `records`, the `malformed` lines and the `readable_file` for DuckDB.

    `has_powers`, `doubly_encoded`, `garbled`, `outer_blanks`, `is_unended`: see `RawRows`.

    `body` is the offset of the first record in bytes, `line` its line number. `header` is the header line, empty for
    files without a header.
    """

    def __init__(self, file: Path, name: str, dialect: Dialect, header: bytes, body: int, line: int) -> None:
        self._file = file
        self._name = name
        self._dialect = dialect
        self._header = header
        self._body = body
        self._line = line
        self._positions: list[_BlockPosition] = []
        self._has_utf8 = False
        self._lines_in_fallback = 0
        self._cut_line: int | None = None
        self.readable_file = file
        self.records = 0
        self.has_powers = False
        self.doubly_encoded = 0
        self.garbled = 0
        self.outer_blanks = OuterBlanks.NONE
        self.is_unended = False
        self.malformed: list[Malformed] = []

    def run(self, copy: Path, max_malformed: int) -> None:
        """Scan the file once. Raises ChuError when the file is not a CSV file, or was not written completely.

        `copy` is written when the file cannot be read as delivered.
        """
        if _end(self._file, len(RESERVED)) == RESERVED:
            raise ChuError(
                f"{self._name} ends in NUL bytes: its space was reserved, and its transfer was cut; nothing was "
                "committed, ask for it again"
            )
        target: IO[bytes] | None = None
        try:
            for position, block in self._blocks():
                self._positions.append(position)
                if position.final:
                    self._examine_end(position, block)
                self._collect_malformed(position, block, max_malformed)
                self._has_utf8 |= block.has_utf8
                self._lines_in_fallback += block.lines_in_fallback
                self.has_powers = self.has_powers or block.has_powers
                self.doubly_encoded += block.doubly_encoded()
                self.garbled += block.garbled
                if self.outer_blanks < OuterBlanks.ANY:
                    self.outer_blanks = max(self.outer_blanks, block.outer_blanks())
                # DuckDB would take a line before the header for the header.
                if target is None and (self._line > 2 or not block.is_unchanged):
                    target = copy.open("wb")
                    self.readable_file = copy
                    if self._header:
                        target.write(self._header + self._dialect.ending)
                    _append(self._file, self._body, position.offset, target)
                if target is not None:
                    target.writelines(block.normalised())
                self.records += block.records
        finally:
            if target is not None:
                target.close()

    def require_whole(self) -> None:
        """Raise ChuError when the file ends in the middle of a line."""
        if self._cut_line is not None:
            raise ChuError(
                f"{self._name} ends in the middle of line {self._cut_line}: its transfer was cut; nothing was "
                "committed, ask for it again"
            )

    @property
    def encoding(self) -> str:
        """Encoding of the records: utf-8, the fallback, or both, separated by a comma."""
        if not self._lines_in_fallback:
            return "utf-8"
        return f"utf-8, {self._dialect.fallback}" if self._has_utf8 else self._dialect.fallback

    @property
    def lines_in_fallback(self) -> int:
        """See `RawRows`."""
        return self._lines_in_fallback if self._has_utf8 else 0

    def locate(self, numbers: Sequence[int]) -> list[tuple[int, str]]:
        """Line number and text of the records with these numbers (from 1, ascending)."""
        first_records = [p.record for p in self._positions]
        located: list[tuple[int, str]] = []
        current: _BlockPosition | None = None
        with self._file.open("rb") as stream:
            for number in numbers:
                position = self._positions[bisect_right(first_records, number - 1) - 1]
                if position is not current:
                    current = position
                    stream.seek(position.offset)
                    text = stream.read(position.size)
                    block = Block(
                        self._dialect,
                        self._header,
                        _with_final_line_ending(text, self._dialect) if position.final else text,
                        position.final,
                    )
                    first_lines, line_counts = block.record_lines()
                of_block = number - 1 - position.record
                index, count = int(first_lines[of_block]), int(line_counts[of_block])
                located.append((position.line + index, self._as_text(block.line(index, count))))
        return located

    def _blocks(self) -> Iterator[tuple[_BlockPosition, Block]]:
        offset, line, rest = self._body, self._line, b""
        with self._file.open("rb") as stream:
            stream.seek(offset)
            final = False
            while not final:
                more = stream.read(BLOCK)
                final = not more
                text = rest + more
                if NUL in more and HOLE in text:
                    hole = line + text.count(LF, 0, text.index(HOLE))
                    raise ChuError(
                        f"{self._name} has {len(HOLE)} or more NUL bytes in line {hole}: a part of it was not written; "
                        "nothing was committed, ask for it again"
                    )
                whole = _with_final_line_ending(text, self._dialect) if final else text
                block = Block(self._dialect, self._header, whole, final)
                yield _BlockPosition(offset, len(text), final, line, self.records), block
                line += block.lines
                offset += block.consumed
                rest = text[block.consumed :]
                if len(rest) > 2 * MAX_RECORD_LENGTH:
                    raise ChuError(
                        f"{self._name}: line {line} is longer than {MAX_RECORD_LENGTH >> 20} MB: it is not a "
                        "CSV file, or its transfer failed; ask for it again"
                    )

    def _examine_end(self, position: _BlockPosition, block: Block) -> None:
        """Find out whether the file was cut in a line, or may have been. `block` is the last one."""
        if not block.lines or _end(self._file, 1) == LF:
            return
        last = block.irregular[-1] if block.irregular else None
        if last is None or last.index + last.count < block.lines:
            last = IrregularLines(block.lines - 1, 1)
        text = block.line(last.index, last.count)
        line = position.line + last.index
        if self._dialect.is_cut(text, last.reason):
            self._cut_line = line
        self.is_unended = line > 1 and bool(text.strip(PADDING))

    def _collect_malformed(self, position: _BlockPosition, block: Block, max_malformed: int) -> None:
        for lines in block.irregular:
            if lines.reason:
                text = self._as_text(block.line(lines.index, lines.count))
                self.malformed.append(Malformed(position.line + lines.index, lines.reason, text))
        if len(self.malformed) > max_malformed:
            first = self.malformed[0]
            raise ChuError(
                f"{self._name}: more than {max_malformed} lines are malformed, first line {first.line} "
                f"({first.reason}); nothing was committed, ask for the file again"
            )

    def _as_text(self, text: bytes) -> str:
        """Decode a line; bytes that neither UTF-8 nor the fallback encoding has are escaped."""
        text = _without_carriage_return(text)
        try:
            characters = decoded(text, self._dialect.fallback)
        except UnicodeDecodeError:
            characters = text.decode("utf-8", "backslashreplace")
        return characters.replace("\x00", "\\x00")


def _without_carriage_return(text: bytes) -> bytes:
    """A line without the carriage return of its ending."""
    return text[:-1] if text.endswith(CR) else text


def _with_single_returns(text: bytes) -> bytes:
    """Lines with one carriage return before the line feed, of which a transfer in text mode makes two."""
    return DOUBLED_RETURN.sub(CR + LF, text) if CR in text and CR + CR + LF in text else text


def _with_characters_of_windows(text: bytes) -> bytes:
    """Lines in UTF-8 with the letters and signs of CP1252 in place of control characters."""
    if b"\xc2" not in text or not CONTROLS.search(text):
        return text
    return CONTROLS.sub(lambda found: found[1].decode("cp1252").encode(), text)


def _with_final_line_ending(text: bytes, dialect: Dialect) -> bytes:
    """The end of a file, with a line ending added if the last line has none."""
    if not text or text.endswith(LF):
        return text
    return text + (LF if text.endswith(CR) else dialect.ending)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_garbled(text: str) -> bool:
    """Whether a line in CP1252 was probably written in another encoding."""
    return OTHER_ENCODING.search(text) is not None


def _end(file: Path, size: int) -> bytes:
    """The last bytes of a file, at most `size`."""
    with file.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, SEEK_END) - size))
        return stream.read()


def _append(file: Path, start: int, end: int, target: IO[bytes]) -> None:
    """Append the bytes of `file` from `start` to `end`."""
    with file.open("rb") as source:
        source.seek(start)
        while start < end and (piece := source.read(min(BLOCK, end - start))):
            target.write(piece)
            start += len(piece)
