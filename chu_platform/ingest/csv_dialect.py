"""How a delivered CSV file is written, and the exact splitting of one record into fields."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from chu_platform.ingest.glued_records import GluedRecords

SEPARATORS: Final = ";,\t|"
NUL: Final = b"\x00"
LF: Final = b"\n"
CR: Final = b"\r"
# Blanks, and what old programs write after the last line.
PADDING: Final = b" \t\r\x00\x1a"
# Reason codes of a line that ends too early.
CUT_REASONS: Final = ("too_few_fields", "unterminated_quote")
# How Python writes bytes that are no UTF-8 when it decodes with `surrogateescape`.
STRAY_BYTES: Final = re.compile("[\udc80-\udcff]+")


def separator_of(header: bytes) -> str:
    """The separator of fields in a header: the most frequent of `SEPARATORS`."""
    return max(SEPARATORS, key=header.decode("latin-1").count)


def decoded(text: bytes, fallback: str) -> str:
    """The text of bytes: what is valid UTF-8 as UTF-8, and every other byte in the encoding `fallback`.

    A stray byte of another encoding is one character, so that it does not change how the rest of its line is read.
    Raises UnicodeDecodeError for a byte that the fallback does not have.
    """
    return STRAY_BYTES.sub(
        lambda found: found[0].encode("ascii", "surrogateescape").decode(fallback),
        text.decode("utf-8", "surrogateescape"),
    )


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    `separator` and `quote` (b"": no quoting), `fallback` (encoding of bytes that are not UTF-8), `ending` (line
    ending), `width` (fields per record). In files of fixed width, only the first `max_length` characters of a line are
    significant; the rest is ignored, unless it is another record (`glued`). Every line has at least `min_length`.
    """

    separator: bytes
    quote: bytes
    fallback: str
    ending: bytes
    width: int
    max_length: int | None = None
    min_length: int = 0
    glued: GluedRecords | None = None

    @cached_property
    def record_pattern(self) -> re.Pattern[bytes]:
        """Pattern of a record of the right width with correct quoting, without its line ending."""
        separator, quote = re.escape(self.separator), re.escape(self.quote)
        value = b"[^%b%b\r\n\x00]*+" % (separator, quote)
        if quote:
            inner = b"(?:[^%b\x00]|%b)*+" % (quote, quote * 2)
            value = b"(?:%b%b%b|%b)" % (quote, inner, quote, value)
        return re.compile(b"%b(?:%b%b){%d}" % (value, separator, value, self.width - 1))

    @cached_property
    def blank_lines_pattern(self) -> re.Pattern[bytes]:
        """Pattern of any number of blank lines with their line endings."""
        blanks = re.escape(b" \t\r\v\f".replace(self.separator, b""))
        return re.compile(b"(?:(?:%b*|[%b]*)\r?\n)*+" % (re.escape(self.separator), blanks))

    def is_blank(self, line: bytes) -> bool:
        """Whether a line has no visible character, or only separators: a row without any value."""
        return (not line.strip() and self.separator not in line) or not line.rstrip(CR).strip(self.separator)

    def are_blank(self, lines: bytes) -> bool:
        """Whether it is plain to see that all lines are blank (`is_blank`), without a look at each of them."""
        if self.max_length is not None or lines[:1] not in (b"\r", b"\n", b" ", self.separator):
            return False
        plain = lines.replace(CR + LF, LF)
        return not plain.strip(LF + self.separator) or (self.separator not in plain and not plain.strip())

    def fields(self, text: bytes) -> "list[bytes] | str":
        """The fields of a record without its line ending, or a reason code when the text is not a record."""
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

    def significant_part(self, text: bytes) -> bytes:
        """The significant start of a line: the first `max_length` characters, or the whole line.

        In a file of fixed width, a NUL byte is a blank: it separates nothing.
        """
        if self.max_length is None:
            return text
        characters = text.replace(NUL, b" ").decode("utf-8", "surrogateescape")
        return characters[: self.max_length].encode("utf-8", "surrogateescape")

    def glued_records(self, line: bytes) -> Sequence[bytes] | None:
        """The records of a line of fixed width that holds several; None if they cannot be told apart for certain.

        A line that holds one record at most is returned as it is.
        """
        if self.glued is None or len(line) <= self.glued.max_length:
            return [line]
        text = line.replace(NUL, b" ").decode("utf-8", "surrogateescape")
        if not self.glued.are_in(text):
            return [line]
        records = self.glued.split(text)
        return None if records is None else [record.encode("utf-8", "surrogateescape") for record in records]

    def _closing(self, text: bytes, start: int) -> int:
        while (end := text.find(self.quote, start)) >= 0 and text.startswith(self.quote, end + 1):
            start = end + 2
        return end

    def reject_reason(self, text: bytes) -> str | None:
        """Reason code of a text that is not a record of the right width; None when it is one."""
        if self.record_pattern.fullmatch(text):
            return None
        fields = self.fields(text)
        if isinstance(fields, str):
            return fields
        if len(fields) != self.width:
            return "too_few_fields" if len(fields) < self.width else "too_many_fields"
        return None

    def is_cut(self, text: bytes, reason: str | None) -> bool:
        """Whether the last line of a file, which has no line ending, is only the start of a record.

        `reason` is the reason code of a malformed line. Control characters alone, such as the end mark of DOS, are not
        the start of a record. NUL bytes behind its start are space that was reserved.
        """
        if not text.strip(PADDING):
            return False
        written = text.rstrip(NUL)
        is_reserved = written != text and self.max_length is None
        return is_reserved or reason in CUT_REASONS or len(written.decode("utf-8", "replace")) < self.min_length

    def leaves_field_open(self, line: bytes) -> bool:
        """Whether a quoted field is open at the end of a line that starts in a quoted field.

        False for a line that is a complete record.
        """
        if self.record_pattern.fullmatch(line):
            return False
        return self.quote not in line or self.fields(self.quote + line) == "unterminated_quote"

    def closes_field(self, line: bytes) -> bool:
        """Whether a line that starts in a quoted field ends it, and its record."""
        return not self.record_pattern.fullmatch(line) and not isinstance(self.fields(self.quote + line), str)

    def quote_all(self, values: Sequence[bytes]) -> bytes:
        """A record with all its fields in quotes."""
        return self.separator.join(self.quote + v.replace(self.quote, self.quote * 2) + self.quote for v in values)
