"""Structure of many lines of a CSV file at once, with operations on whole arrays instead of a loop over lines.

The positions of separators, quotes and line ends of a block become arrays of bits, 64 positions in a word. The running
exclusive or of the quotes tells which positions are inside quotes. The rules of quoting, line endings and numbers of
fields are then a few operations on words, whose cost hardly depends on how the file is quoted.

A line is regular when it is a record by itself. A quoted field with line breaks makes a record of several lines, from
a line with an odd number of quotes to the next such line. Lines that break a rule are left to `Dialect`, one by one.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chu_platform.ingest.csv_dialect import CR, LF, NUL, Dialect

MAX_RECORD_LENGTH: Final = 1 << 21

Bits = NDArray[np.uint64]
Numbers = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class _Supposition:
    """Each line, if it starts outside quotes, or inside: does it break a rule; its separators outside quotes."""

    faulty: Flags
    separators: Numbers


class LineStructure:
    """Structure of the lines of `text`, which ends with a line feed.

    `ends` are the positions of the line feeds, at least one. `doubtful` are lines that have to be examined in any case.
    """

    def __init__(self, text: bytes, ends: Numbers, dialect: Dialect, doubtful: Sequence[int]) -> None:
        self._dialect = dialect
        self._ends = ends
        self._words = ends >> 6
        self._shifts = (ends & 63).astype(np.uint64)
        data = np.frombuffer(text, np.uint8)
        self._feeds = _bits(data == LF[0])
        self._returns = _bits_of(text, data, CR)
        self._nuls = _bits_of(text, data, NUL)
        self._separators = _bits_of(text, data, dialect.separator)
        self._quotes = _bits_of(text, data, dialect.quote)
        self._spaces = _bits_of(text, data, b" ")
        # Lengths of the lines without their endings.
        self._lengths = np.diff(ends, prepend=-1) - 1 - (data[ends - 1] == CR[0])
        doubts = np.zeros(len(self._ends), bool)
        doubts[doubtful] = True
        if dialect.width == 1 and not _is_visible(data[np.append(0, ends[:-1] + 1)]).all():
            # A blank line has no separator either.
            doubts |= self._count(_bits(_is_visible(data))) == 0
        # The lines with an odd number of quotes; which of them do not begin a record of several lines; other lines that
        # are not regular.
        self._odd: Numbers = np.empty(0, np.intp)
        self._without_record: Numbers = np.empty(0, np.intp)
        self._irregular: Numbers = np.empty(0, np.intp)
        self._examined: dict[int, Numbers] = {}
        self._examine(doubts)

    def next_examined(self, line: int) -> int:
        """The first line to examine from `line` on, if a record starts there; the number of lines if there is none."""
        parity = bisect_left(self._odd, line) % 2
        if parity not in self._examined:
            self._examined[parity] = self._examined_from(parity)
        examined = self._examined[parity]
        index = bisect_left(examined, line)
        return int(examined[index]) if index < len(examined) else len(self._ends)

    def _examined_from(self, parity: int) -> Numbers:
        """The lines to examine, if an even (0) or odd (1) number of odd lines precedes the starts of records."""
        irregular = self._irregular[np.searchsorted(self._odd, self._irregular) % 2 == parity]
        without_record = self._odd[self._without_record[self._without_record % 2 == parity]]
        return np.sort(np.concatenate((irregular, without_record)))

    def long_records(self, start: int, stop: int) -> Sequence[tuple[Numbers, Numbers]]:
        """First and last lines of the records of several lines from `start` on, where a record starts.

        `stop` is the next line to examine, or the number of lines. The answer is empty when there are none.
        """
        first, after = bisect_left(self._odd, start), bisect_left(self._odd, stop)
        return [(self._odd[first:after:2], self._odd[first + 1 : after : 2])] if first < after else []

    def spaced_lines(self) -> Numbers:
        """The lines in which a space is beside a separator, a quote or a line ending."""
        if self._spaces is None:
            return np.empty(0, np.intp)
        edges = self._feeds
        for bits in (self._separators, self._quotes, self._returns):
            edges = edges if bits is None else edges | bits
        beside = self._spaces & (_shifted_up(edges, first=1) | _shifted_down(edges))
        return np.flatnonzero(self._count(beside)) if beside.any() else np.empty(0, np.intp)

    def _examine(self, doubts: Flags) -> None:
        fields = self._dialect.width - 1
        inside = open_ends = np.zeros_like(self._feeds)
        is_odd = np.zeros(len(self._ends), bool)
        if self._quotes is not None:
            inside = _running_parity(self._quotes)
            parity = (inside[self._words] >> self._shifts) & np.uint64(1)
            is_odd[0] = parity[0]
            is_odd[1:] = parity[1:] != parity[:-1]
        self._odd = odd = np.flatnonzero(is_odd)
        if self._quotes is not None and len(odd):
            # Each line is supposed to start outside quotes.
            is_open_end = np.zeros(self._ends[-1] + 1, bool)
            is_open_end[self._ends[odd]] = True
            open_ends = _bits(is_open_end)
            inside = _running_parity(self._quotes ^ open_ends)
        outside = self._suppose(inside, open_ends)
        has_all_fields = outside.separators == fields
        # A line of separators only is blank.
        is_filled = self._lengths != fields
        self._irregular = np.flatnonzero((outside.faulty | ~(has_all_fields & is_filled) | doubts) & ~is_odd)
        if not len(odd):
            return
        # A line after a line break in quotes starts inside quotes. It must not be a record by itself.
        continued = self._suppose(~inside, self._feeds & ~open_ends)
        obstacles = np.cumsum(continued.faulty | has_all_fields & ~is_odd | doubts)
        separators = np.cumsum(continued.separators)
        first, last = odd[:-1], odd[1:]
        starts = np.append(0, self._ends + 1)
        is_record = np.zeros(len(odd), bool)
        is_record[:-1] = (
            ~(outside.faulty | doubts)[first]
            & (obstacles[last] == obstacles[first])
            & (outside.separators[first] + separators[last] - separators[first] == fields)
            & (self._ends[last] - starts[first] <= MAX_RECORD_LENGTH)
        )
        self._without_record = np.flatnonzero(~is_record)

    def _suppose(self, inside: Bits, open_ends: Bits) -> _Supposition:
        """The lines, if the quotes and what is between them are `inside`, and `open_ends` the line feeds in quotes."""
        separators = np.zeros(len(self._ends), np.intp)
        if self._separators is not None:
            separators = self._count(self._separators & ~inside)
        faults = self._faults(inside, open_ends)
        faulty = self._count(faults) > 0 if faults.any() else np.zeros(len(self._ends), bool)
        return _Supposition(faulty, separators)

    def _faults(self, inside: Bits, open_ends: Bits) -> Bits:
        """Positions where a line breaks a rule.

        An opening quote follows a separator, a line feed or a closing quote (both are then one quote of a value). A
        closing quote precedes a separator, a line ending or an opening quote. Outside quotes, carriage returns are in
        line endings of the file only.
        """
        nothing = np.zeros_like(inside)
        returns = nothing if self._returns is None else self._returns
        faults = nothing if self._nuls is None else self._nuls
        if self._quotes is not None:
            opening, closing = self._quotes & inside, self._quotes & ~inside
            before = self._feeds if self._separators is None else self._separators | self._feeds
            faults = faults | opening & ~_shifted_up(before | closing, first=1)
            faults |= closing & ~_shifted_down(before | returns | opening)
        if self._dialect.ending != LF:
            faults = faults | self._feeds & ~open_ends & ~_shifted_up(returns)
            faults |= returns & ~inside & ~_shifted_down(self._feeds)
        elif self._returns is not None:
            faults = faults | returns & ~inside
        return faults

    def _count(self, bits: Bits) -> Numbers:
        """Number of set bits of each line."""
        until = np.cumsum(np.bitwise_count(bits), dtype=np.intp)[self._words]
        until -= np.bitwise_count(bits[self._words] >> self._shifts >> np.uint64(1))
        counts: Numbers = np.diff(until, prepend=0)
        return counts


def _is_visible(data: NDArray[np.uint8]) -> Flags:
    """Which bytes are none of those that `bytes.strip` removes."""
    is_visible: Flags = (data != ord(" ")) & (data - np.uint8(ord("\t")) > ord("\r") - ord("\t"))
    return is_visible


def _bits_of(text: bytes, data: NDArray[np.uint8], byte: bytes) -> Bits | None:
    """Where a byte is, as bits; None when it is nowhere, or there is no byte to look for."""
    return _bits(data == byte[0]) if byte and byte in text else None


def _bits(flags: Flags) -> Bits:
    """Flags as bits: the lowest bit of a word is the first."""
    words = np.zeros(-(-len(flags) // 64), "<u8")
    packed = np.packbits(flags, bitorder="little")
    words.view(np.uint8)[: len(packed)] = packed
    return words


def _running_parity(bits: Bits) -> Bits:
    """Bits that tell whether an odd number of bits is set up to here, including it."""
    parity = bits.copy()
    for distance in (1, 2, 4, 8, 16, 32):
        parity ^= parity << np.uint64(distance)
    carried = np.bitwise_xor.accumulate(parity >> np.uint64(63))
    parity[1:] ^= np.uint64(0) - carried[:-1]
    return parity


def _shifted_up(bits: Bits, first: int = 0) -> Bits:
    """Bits moved to the next position; `first` is the bit of the first position."""
    moved = bits << np.uint64(1)
    moved[1:] |= bits[:-1] >> np.uint64(63)
    moved[0] |= np.uint64(first)
    return moved


def _shifted_down(bits: Bits) -> Bits:
    """Bits moved to the previous position."""
    moved = bits >> np.uint64(1)
    moved[:-1] |= bits[1:] << np.uint64(63)
    return moved
