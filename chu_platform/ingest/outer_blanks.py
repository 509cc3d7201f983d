"""Blanks around the values of delivered text. To know that a file has none costs less than to remove none."""

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from typing import Final

from chu_platform.ingest.csv_dialect import CR, LF, Dialect
from chu_platform.ingest.identifiers import BLANKS

SPACE: Final = b" "
# Line breaks at the start or the end of a quoted value stay.
_REMOVED: Final = BLANKS.replace("\r\n", "")
_OTHERS: Final = [blank.encode() for blank in _REMOVED if blank != " "]


class OuterBlanks(IntEnum):
    """Blanks that may be around the values of a file; a greater number includes the smaller ones."""

    NONE = 0
    SPACES = 1
    # Tabs, no-break blanks and others too.
    ANY = 2

    def removed(self, text: str) -> str:
        """SQL of a text without the blanks around it; null if nothing else is in it."""
        if self is OuterBlanks.NONE:
            return text
        if self is OuterBlanks.SPACES:
            has_blanks, bare = f"{text} LIKE ' %' OR {text} LIKE '% '", f"trim({text})"
        else:
            has_blanks = f"regexp_matches({text}, '^[{_REMOVED}]|[{_REMOVED}]$')"
            bare = f"trim({text}, '{_REMOVED}')"
        return f"CASE WHEN {has_blanks} THEN nullif({bare}, '') ELSE {text} END"


def blanks_in_csv(text: bytes, spaced: Sequence[bytes], dialect: Dialect) -> OuterBlanks:
    """The blanks around the values of whole lines.

    `spaced` are the lines in which a space is beside a separator, a quote or a line ending.
    """
    is_other = any(lead in text for lead in _leads(dialect.separator))
    if is_other and _others_beside(dialect.separator, dialect.quote).search(LF + text):
        return OuterBlanks.ANY
    return OuterBlanks.SPACES if any(_has_space(line, dialect) for line in spaced) else OuterBlanks.NONE


def blanks_in_fixed_width(text: bytes) -> OuterBlanks:
    """The blanks around the values of lines of fixed width, from which spaces are removed anyway."""
    is_other = any(lead in text for lead in _leads(b""))
    return OuterBlanks.ANY if is_other and any(blank in text for blank in _OTHERS) else OuterBlanks.NONE


@cache
def _leads(separator: bytes) -> frozenset[bytes]:
    """The first bytes of blanks that are no spaces: to look for one byte is fast."""
    return frozenset(blank[:1] for blank in _OTHERS if blank != separator)


@cache
def _others_beside(separator: bytes, quote: bytes) -> re.Pattern[bytes]:
    """Pattern of a blank that is no space beside a separator, a quote or a line ending."""
    edge = b"[%b%b\r\n]" % (re.escape(separator), re.escape(quote))
    blank = b"|".join(re.escape(blank) for blank in _OTHERS if blank != separator)
    return re.compile(b"%b *(?:%b)|(?:%b) *%b" % (edge, blank, blank, edge))


def _has_space(line: bytes, dialect: Dialect) -> bool:
    """Whether a field of a line has a space at its start or end. True too for a line that is no record by itself."""
    fields = dialect.fields(line.removesuffix(CR))
    return isinstance(fields, str) or any(field != field.strip(SPACE) for field in fields)
