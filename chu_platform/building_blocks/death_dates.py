"""Dates of births and deaths in the form of a file, however they are spelled.

Every format reads the spellings of the others: `2019`, `2019-05`, `2019-5`, `2019-05-17`, `2019/05/17`, `2019.05.17`,
`20190517`, `201905`, also with a time, and `2019.0` or `20190517.0`. `17/05/2019` and `05/17/2019` have one meaning;
`01/02/2019` has two, and stays. Zeros only, and words for an unknown date, are `0000-00-00`. Programs remove zeros
before a number: `510` is `00000510`, of which the year is unknown. The constants are DuckDB SQL of the text `{text}`,
for `Delivered.typing`. Other texts stay as they are: `is_date` is false for them.
"""

from typing import Final

# What spreadsheet programs add to a number.
_DECIMALS: Final = r"([.,]0+)?"
# The marks of a text that spreadsheet programs leave: ="20190501", '20190501.
_WITHOUT_QUOTES: Final = "regexp_replace({text}, '^=?[\"'']+|\"$', '', 'g')"
_MONTH: Final = r"(0\d|1[0-2]|[1-9])"
_DAY: Final = r"([0-2]\d|3[01]|[1-9])"
# A time of another time zone may be of another day, except midnight, which programs add to a date.
_TIME: Final = r"([ T](([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d+)?)?|00:00(:00([.,]0+)?)? ?(Z|UTC|[+]0[0-2]:?00)))?"
_ABOVE_12: Final = r"(1[3-9]|2\d|3[01])"
_MONTH_12: Final = r"(0?[1-9]|1[0-2])"
_UNKNOWN_WORDS: Final = (
    r"(?i)(non |date )?(inconnue?|connue?|renseign[ée]e?|communiqu[ée]e?|unknown)|n[./]?[rcd][.]?|n[ée]ant|absente?|vide|"
    r"sans( date)?|aucune?|[-–—?.*_x#/ ]+"
)


def _in_order(*order: int) -> str:
    """SQL of a date t of which the parts with these numbers are the year, the month and the day."""
    year, month, day = (f"p[{number}]" for number in order)
    parts = f"concat({year}, '-', lpad({month}, 2, '0'), '-', lpad({day}, 2, '0'))"
    return f"[{parts} FOR p IN [string_split_regex(t, '[-/. T]')]][1]"


def _separated(first: str, second: str, third: str) -> str:
    """Pattern of a date with one separator between its parts, and perhaps a time."""
    return f"({'|'.join(f'{first}{s}{second}{s}{third}' for s in ('-', '/', '[.]'))}){_TIME}"


_YEAR_FIRST: Final = (_separated(r"\d{4}", _MONTH, _DAY), _in_order(1, 2, 3))
_DAY_FIRST: Final = (_separated(_DAY, _MONTH, r"\d{4}"), _in_order(3, 2, 1))
# Dates whose order of day and month is certain: one of the two is above 12, they are equal, or the day is unknown.
_SAME: Final = f"({'|'.join(f'0?{n}[-/.]0?{n}' for n in range(1, 13))})"
_CERTAIN: Final = (
    (_separated(f"({_ABOVE_12}|00?)", _MONTH, r"\d{4}"), _in_order(3, 2, 1)),
    (_separated("00?", "00?", "0+"), "'0000-00-00'"),
    (rf"{_SAME}[-/.]\d{{4}}{_TIME}", _in_order(3, 2, 1)),
    (_separated(_MONTH_12, _ABOVE_12, r"\d{4}"), _in_order(3, 1, 2)),
)
# Pattern of a text t, and the same date with the year, the month and the day as far as they are known.
_SPELLINGS: Final = (
    (rf"0+{_DECIMALS}", "'0000-00-00'"),
    # Numbers without the zeros of an unknown year, and perhaps month. Nobody was born before the year 1300.
    (rf"0*([1-9]|[12]\d|3[01]){_DECIMALS}", "concat('0000-00-', lpad(ltrim(regexp_extract(t, '^\\d+'), '0'), 2, '0'))"),
    (
        rf"0*([1-9]|1[0-2])(0\d|[12]\d|3[01]){_DECIMALS}",
        "[concat('0000-', n[1:2], '-', n[3:4]) FOR n IN [lpad(ltrim(regexp_extract(t, '^\\d+'), '0'), 4, '0')]][1]",
    ),
    (rf"\d{{4}}{_DECIMALS}", "left(t, 4)"),
    (rf"\d{{4}}[-/]?00{_DECIMALS}", "concat(left(t, 4), '-00-00')"),
    (rf"\d{{4}}(0[1-9]|1[0-2]){_DECIMALS}", "concat(left(t, 4), '-', t[5:6])"),
    # Day, month and year: such a year and month do not exist.
    (
        rf"{_ABOVE_12}(0[1-9]|1[0-2])(1[89]|20)\d\d{_DECIMALS}",
        "concat(t[5:8], '-', t[3:4], '-', t[1:2])",
    ),
    (rf"\d{{8}}{_DECIMALS}", "concat(left(t, 4), '-', t[5:6], '-', t[7:8])"),
    (rf"\d{{4}}[-/]{_MONTH}", "concat(left(t, 4), '-', lpad(t[6:], 2, '0'))"),
    (rf"{_MONTH_12}[-/]\d{{4}}", "concat(right(t, 4), '-', lpad(regexp_extract(t, '^\\d+'), 2, '0'))"),
    _YEAR_FIRST,
)
_WORDS: Final = (_UNKNOWN_WORDS, "'0000-00-00'")


def _rewritten(*spellings: tuple[str, str]) -> str:
    """SQL of a date in one of these spellings; null for another text."""
    branches = " ".join(f"WHEN regexp_full_match(t, '{pattern}') THEN {form}" for pattern, form in spellings)
    # A list of one text names it. Braces are doubled for `str.format`.
    return (
        f"[CASE {branches} END FOR t IN [text]][1]".replace("{", "{{")
        .replace("}", "}}")
        .replace("[text]", f"[{_WITHOUT_QUOTES}]")
    )


def _compact(rewritten: str) -> str:
    return (
        "CASE WHEN strlen({text}) = 8 AND try_cast({text} AS INTEGER) IS NOT NULL AND {text}[5:6] < '13' THEN {text} "
        f"ELSE coalesce(replace({rewritten}, '-', ''), {{text}}) END"
    )


_OF_REGISTER: Final = _rewritten(*_SPELLINGS, *_CERTAIN, _WORDS)
# YYYY-MM-DD, YYYY-MM or YYYY. The first branch is for speed: DuckDB evaluates it for each check of the date.
ISO_DATE: Final = f"CASE WHEN {{text}} LIKE '____-__-__' THEN {{text}} ELSE coalesce({_OF_REGISTER}, {{text}}) END"
# YYYYMMDD, YYYYMM or YYYY.
COMPACT_DATE: Final = _compact(_OF_REGISTER)
# The same in the opposition list, in which the day comes before the month: French programs save it so.
COMPACT_DATE_DAY_FIRST: Final = _compact(_rewritten(*_SPELLINGS, _DAY_FIRST))


def is_date(text: str) -> str:
    """SQL that is true for a valid date YYYY-MM-DD. An unknown day or month is 00 or absent; the year is there.

    A day that the month does not have is not a date.
    """
    # The cast to DATE also accepts the years '-123' and ' 123': >= '0' excludes texts that start with a sign, a dash or
    # a space. The regular expression runs only if the cast fails, because it costs four times more. DuckDB would run it
    # for every row if it were behind OR: only CASE leaves branches out.
    return (
        f"CASE WHEN {text} >= '0' AND {text} LIKE '____-__-__' AND try_cast({text} AS DATE) IS NOT NULL THEN true "
        f"ELSE {text} >= '0' AND regexp_full_match({text}, '\\d{{4}}(-00-[0-3]\\d|-(0[1-9]|1[0-2])(-00)?)?') END"
    )
