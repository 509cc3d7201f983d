"""Numbers, dates, periods and lists as French text.

They have the French data of the Unicode CLDR, from Babel. Python formats numbers with the signs of Babel: the patterns
of Babel take ten times as long, and a page has hundreds of numbers. Four things differ on purpose: the minus sign is
the typographic one, minus zero is zero, a percent sign follows a no-break space of full width as every other unit does,
and the first day of a month is "1er". Numbers are rounded from their exact binary value, as Python rounds them.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import get_decimal_symbol, get_group_symbol

FRENCH: Final = Locale("fr")
# A no-break space of full width stands before a unit (Lexique des règles typographiques en usage à l'Imprimerie
# nationale).
NO_BREAK: Final = "\u00a0"
MINUS: Final = "\u2212"
SIGNS: Final = str.maketrans({",": get_group_symbol(FRENCH), ".": get_decimal_symbol(FRENCH), "-": MINUS})
BEFORE: Final = re.compile(r" (?=[;:!?»%‰·](?:[\s<.,;)]|$))")
# Before a unit in letters: "48 h", "15 à 19 ans".
UNIT: Final = re.compile(r"(?<=\d) (?=(?:h|ans)\b)")
THOUSANDS: Final = re.compile(r"(?<=\d) (?=\d{3}(?:\D|$))")
UNIT_NUMBER: Final = re.compile(r"(?:(?<=\bpour)|(?<=\bsur)) (?=\d)")
# A page has a number several times: in charts of two widths and in a table.
CACHED_NUMBERS: Final = 50_000
# Those of all tables are a few hundred.
CACHED_PERIODS: Final = 5_000
MASKED: Final = "masqué"
SEXES: Final = {"F": "Femmes", "M": "Hommes", "all": "Femmes et hommes"}


@lru_cache(maxsize=CACHED_NUMBERS)
def number(value: float, digits: int = 0) -> str:
    """A number with `digits` after the comma: 1234.5 as "1 234,5", the space narrow and unbreakable."""
    return f"{value:z,.{digits}f}".translate(SIGNS)


def measured(value: float) -> str:
    """A number of unknown scale: four significant digits below 1000, at most six after the comma, no trailing zeros."""
    written = f"{float(f'{value:.4g}') if abs(value) < 1000 else value:z,.6f}"
    return written.rstrip("0").rstrip(".").translate(SIGNS)


def amount(value: float, unit: str, digits: int = 1) -> str:
    """A number and its unit: "8,4 ‰", "73,7 / 100"; they stay on one line."""
    return f"{number(value, digits)}{NO_BREAK}{unit.replace(' ', NO_BREAK)}" if unit else number(value, digits)


def percent(share: float, digits: int = 1) -> str:
    """A share of 1: 0.084 as "8,4 %"."""
    return amount(100 * share, "%", digits)


def interval(low: float, high: float, unit: str = "", digits: int = 1) -> str:
    """Limits as "7,2 à 9,8 ‰"."""
    return f"{number(low, digits)} à {amount(high, unit, digits)}"


def counted(n: float, one: str, several: str) -> str:
    """A count with its noun: "1 patient", "1,5 patient", "2 patients"."""
    shown = number(n, 0 if float(n).is_integer() else 1)
    return f"{shown}{NO_BREAK}{one if FRENCH.plural_form(abs(n)) == 'one' else several}"


def ordinal(n: int) -> str:
    """1 as "1er", others as "2e"."""
    return "1er" if n == 1 else f"{n}e"


def listed(parts: Sequence[str]) -> str:
    """A list in words: "a, b et c"."""
    return format_list(parts, locale=FRENCH)


def day(when: date) -> str:
    """A day: "1er janvier 2019"."""
    return format_date(when, "'1er' MMMM y" if when.day == 1 else "d MMMM y", FRENCH)


def month(when: date) -> str:
    """A month: "janvier 2019"."""
    return format_date(when, "MMMM y", FRENCH)


@lru_cache(maxsize=CACHED_PERIODS)
def period(grain: str, start: date, end: date) -> str:
    """A period, `end` excluded: "mars 2019", "1er trimestre 2019", "2019", "juin 2015 à mars 2023"."""
    if grain == "month":
        return month(start)
    if grain == "quarter":
        return format_date(start, "QQQQ y", FRENCH)
    if grain == "year":
        return str(start.year)
    return f"{month(start)} à {month(end - timedelta(days=1))}"


def in_period(grain: str, start: date, end: date) -> str:
    """A period at the start of a sentence: "En 2019", "Au 1er trimestre 2019", "De juin 2015 à mars 2023"."""
    text = period(grain, start, end)
    if grain == "quarter":
        return f"Au {text}"
    if grain == "all":
        return f"D{'’' if text[0] in 'ao' else 'e '}{text}"
    return f"En {text}"


def age_band(band: str) -> str:
    """An age band in words: "85+" as "85 ans et plus", "0-4" as "0 à 4 ans"."""
    if band == "all":
        return "Tous âges"
    if band == "unknown":
        return "Âge inconnu"
    if band.endswith("+"):
        return f"{band[:-1]} ans et plus"
    return f"{band.replace('-', ' à ')} ans"


def moment(when: datetime) -> str:
    """A moment in its own zone: "27 novembre 2026 à 16:55"."""
    return f"{day(when)} à {when:%H:%M}"


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def small(text: str) -> str:
    """The text with its first letter in lower case."""
    return text[:1].lower() + text[1:]


def unbroken(text: str) -> str:
    """The text without a place to break a line within a number, or before one that a unit refers to ("sur 100")."""
    return UNIT_NUMBER.sub(NO_BREAK, THOUSANDS.sub("\u202f", text))


def typeset(text: str) -> str:
    """The text with no-break spaces before high punctuation and units, and after an opening guillemet."""
    return UNIT.sub(NO_BREAK, BEFORE.sub(NO_BREAK, text.replace("« ", f"«{NO_BREAK}")))


def sex(code: str) -> str:
    """A code of sex in words: "F" as "Femmes"."""
    return SEXES[code]
