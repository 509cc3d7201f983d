"""Dates of births and deaths in the form of a file, however they are spelled.

Every format reads the spellings of the others: `2019`, `2019-05`, `2019-5`, `2019-05-17`, `2019/05/17`, `2019.05.17`,
`20190517`, `201905`, also with a time, and `2019.0` or `20190517.0`. The constants are DuckDB SQL of the text `{text}`,
for `Delivered.typing`. Other texts stay as they are: `is_date` is false for them.
"""

from typing import Final

# What spreadsheet programs add to a number.
_DECIMALS: Final = r"([.,]0+)?"
_MONTH: Final = r"(0\d|1[0-2]|[1-9])"
_DAY: Final = r"([0-2]\d|3[01]|[1-9])"
# A time of another time zone may be of another day, except midnight, which programs add to a date.
_TIME: Final = r"([ T](([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d+)?)?|00:00(:00([.,]0+)?)? ?(Z|UTC|[+]0[0-2]:?00)))?"
# Pattern of a text t, and the same date with the year, the month and the day as far as they are known.
_SPELLINGS: Final = (
    (rf"\d{{4}}{_DECIMALS}", "left(t, 4)"),
    (rf"\d{{4}}-?00{_DECIMALS}", "concat(left(t, 4), '-00-00')"),
    (rf"\d{{4}}(0[1-9]|1[0-2]){_DECIMALS}", "concat(left(t, 4), '-', t[5:6])"),
    (rf"\d{{8}}{_DECIMALS}", "concat(left(t, 4), '-', t[5:6], '-', t[7:8])"),
    (rf"\d{{4}}[-/]{_MONTH}", "concat(left(t, 4), '-', lpad(t[6:], 2, '0'))"),
    (
        rf"\d{{4}}(-{_MONTH}-{_DAY}|/{_MONTH}/{_DAY}|[.]{_MONTH}[.]{_DAY}){_TIME}",
        "[concat(p[1], '-', lpad(p[2], 2, '0'), '-', lpad(p[3], 2, '0')) "
        "FOR p IN [string_split_regex(t, '[-/. T]')]][1]",
    ),
)


def _rewritten() -> str:
    """SQL of a date as `_SPELLINGS` writes it; null for another text."""
    branches = " ".join(f"WHEN regexp_full_match(t, '{pattern}') THEN {form}" for pattern, form in _SPELLINGS)
    # A list of one text names it. Braces are doubled for `str.format`.
    return (
        f"[CASE {branches} END FOR t IN [text]][1]".replace("{", "{{").replace("}", "}}").replace("[text]", "[{text}]")
    )


# YYYY-MM-DD, YYYY-MM or YYYY. The first branch is for speed: DuckDB evaluates it for each check of the date.
ISO_DATE: Final = f"CASE WHEN {{text}} LIKE '____-__-__' THEN {{text}} ELSE coalesce({_rewritten()}, {{text}}) END"
# YYYYMMDD, YYYYMM or YYYY.
COMPACT_DATE: Final = (
    "CASE WHEN strlen({text}) = 8 AND try_cast({text} AS INTEGER) IS NOT NULL THEN {text} "
    f"ELSE coalesce(replace({_rewritten()}, '-', ''), {{text}}) END"
)


def is_date(text: str) -> str:
    """SQL that is true for a valid date YYYY-MM-DD. An unknown day or month is 00 or absent; the year is there.

    A day that the month does not have is not a date.
    """
    # The cast to DATE also accepts the years '-123' and ' 123': >= '0' excludes texts that start with a sign, a dash or
    # a space. The regular expression runs only if the cast fails, because it costs four times more.
    return (
        f"{text} >= '0' AND ({text} LIKE '____-__-__' AND try_cast({text} AS DATE) IS NOT NULL "
        f"OR regexp_full_match({text}, '\\d{{4}}(-00-[0-3]\\d|-(0[1-9]|1[0-2])(-00)?)?'))"
    )
