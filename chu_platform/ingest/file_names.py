"""Names of delivered files: what a name means, however people and programs have changed it.

A source declares a pattern, a regular expression in which words are separated by `-`, `_` or `[-_]`. A name has the
pattern as it is, or in its plain form: without accents, in small letters, words separated by `-`, without the marks of
copies and versions at its end, and with its suffix once. A day before the name is always left out, a day behind it if
the name means nothing otherwise.
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final
from unicodedata import combining, normalize

TEXT_SUFFIXES: Final = (".csv", ".txt", ".xlsx")
# What browsers, file managers and people add: (1), " - Copie (2)", -v2, "Copie de".
COPY_MARKS: Final = re.compile(r"(?:[-_. ]*\(\d+\)|[-_. ]+(?:copie|copy|v\d+(?:\.\d+)?|version[-_ ]?\d+))+[-_ ]*$")
COPY_OF: Final = re.compile(r"^(?:copie[-_ ]de|copy[-_ ]of)[-_ ]+")
# A day, perhaps with a time, that senders add: 20261128, 2026-11-28-1530, 28-11-2026. A year alone is a campaign.
_DAY: Final = r"(?:(?:19|20)\d\d-?[01]\d-?[0-3]\d|[0-3]\d-[01]\d-(?:19|20)\d\d)(?:-?(?:t)?\d\d-?\d\d(?:-?\d\d)?)?"
DAY_BEFORE: Final = re.compile(rf"^{_DAY.replace('-?', '[-_. ]?')}[-_. ]+")
DAY_BEHIND: Final = re.compile(rf"-{_DAY}(?=\.[a-z]+$)")
# Documents and settings that come with data.
DOCUMENT: Final = re.compile(
    r".*\.(?:pdf|docx?|odt|rtf|md|html?|png|jpe?g|gif|pptx?|log|ini|lnk|url)|(?:readme|lisez[-_ ]?moi)\b.*|thumbs\.db",
    re.IGNORECASE,
)
# The forms of so many names are kept: those of a large pack.
MAX_KEPT_NAMES: Final = 20_000


def match_name(pattern: str, name: str) -> re.Match[str] | None:
    """The match of a pattern with a name, or with its plain form, or with that without a day behind it."""
    if match := match_exactly(pattern, name):
        return match
    plain_pattern, plain = _compiled_plain(pattern), plain_name(_without_day_before(name))
    return plain_pattern.fullmatch(plain) or plain_pattern.fullmatch(DAY_BEHIND.sub("", plain))


def match_exactly(pattern: str, name: str) -> re.Match[str] | None:
    """The match of a pattern with a name as it is. Neither the letter case matters nor a day before the name."""
    return _compiled(pattern).fullmatch(_without_day_before(name))


# Every sensor tick compares every name with every pattern.
@lru_cache(maxsize=MAX_KEPT_NAMES)
def plain_name(name: str) -> str:
    """The plain form of a name."""
    text = "".join(c for c in normalize("NFKD", name) if not combining(c)).lower()
    stem, suffix = _parts(text)
    while True:
        bare = COPY_MARKS.sub("", stem)
        inner, inner_suffix = _parts(bare)
        if inner_suffix and suffix in (inner_suffix, ".txt"):
            bare, suffix = inner, inner_suffix
        if bare == stem:
            break
        stem = bare
    return re.sub(r"[\W_]+", "-", COPY_OF.sub("", stem)).strip("-") + suffix


def plain_groups(values: Iterable[str | None]) -> tuple[str, ...]:
    """The values of the groups of a name in their plain form: names with the same ones mean the same delivery."""
    return tuple(plain_name(value or "") for value in values)


def _parts(name: str) -> tuple[str, str]:
    """A name without its suffix, and the suffix if it is one of a table."""
    suffix = next((s for s in TEXT_SUFFIXES if name.endswith(s)), "")
    return name.removesuffix(suffix), suffix


@lru_cache(maxsize=MAX_KEPT_NAMES)
def _without_day_before(name: str) -> str:
    return DAY_BEFORE.sub("", name)


@cache
def _compiled_plain(pattern: str) -> re.Pattern[str]:
    """The pattern of plain names, from a declared one."""
    return _compiled(pattern.replace("[-_]", "-").replace(r"\w", r"[\w-]").replace("_", "-"))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
