"""How a delivered CSV file is written, and the exact splitting of one record into fields."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

NUL: Final = b"\x00"
LF: Final = b"\n"
CR: Final = b"\r"


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    `separator` and `quote` (b"": no quoting), `fallback` (encoding of lines that are not UTF-8; None: all lines must
    be UTF-8), `ending` (line ending), `width` (fields per record). In files of fixed width, only the first
    `max_length` characters of a line are significant; the rest is ignored.
    """

    separator: bytes
    quote: bytes
    fallback: str | None
    ending: bytes
    width: int
    max_length: int | None = None

    @cached_property
    def record_pattern(self) -> re.Pattern[bytes]:
        """Pattern of a record of the right width with correct quoting, without its line ending."""
        separator, quote = re.escape(self.separator), re.escape(self.quote)
        value = b"[^%b%b\r\n\x00]*+" % (separator, quote)
        if quote:
            inner = b"(?:[^%b\x00]|%b)*+" % (quote, quote * 2)
            value = b"(?:%b%b%b|%b)" % (quote, inner, quote, value)
        return re.compile(b"%b(?:%b%b){%d}" % (value, separator, value, self.width - 1))

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
        text = text.replace(NUL, b" ")
        try:
            return text.decode()[: self.max_length].encode()
        except UnicodeDecodeError as error:
            start = text[: error.start].decode()
            # An invalid UTF-8 byte inside the record means the fallback encoding, which has one byte per character.
            return start[: self.max_length].encode() if len(start) >= self.max_length else text[: self.max_length]

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

    def quote_all(self, values: Sequence[bytes]) -> bytes:
        """A record with all its fields in quotes."""
        return self.separator.join(self.quote + v.replace(self.quote, self.quote * 2) + self.quote for v in values)
