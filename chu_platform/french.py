"""Numbers, dates and lists as French readers write them.

Here: values to text. Not here: which value is shown, or what a sentence says of it.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

# Neither breaks a line: the narrow one between groups of three digits, the other before a unit (Lexique des règles
# typographiques en usage à l'Imprimerie nationale).
NARROW: Final = "\u202f"
NO_BREAK: Final = "\u00a0"
MINUS: Final = "\u2212"
BEFORE: Final = re.compile(r" (?=[;:!?»%‰·](?:[\s<.,;)]|$))")
AFTER: Final = re.compile(r"(?<=«) ")
MASKED: Final = "masqué"
MONTHS: Final = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
SEXES: Final = {"F": "Femmes", "M": "Hommes", "all": "Femmes et hommes"}


def number(value: float, digits: int = 0) -> str:
    """1234.5 as "1 234,5", the space being narrow and unbreakable; minus zero is zero."""
    text = f"{value:,.{digits}f}".replace(",", NARROW).replace(".", ",")
    if text.startswith("-"):
        text = text[1:] if not text.strip("-0,") else MINUS + text[1:]
    return text


def measured(value: float) -> str:
    """A number of which nobody knows how many digits it needs: at most four that count, none that says nothing."""
    text = number(float(f"{value:.4g}") if abs(value) < 1000 else value, 6)
    return text.rstrip("0").rstrip(",")


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
    """As "1 patient", "2 patients": French has the singular below two."""
    shown = number(n, 0 if float(n).is_integer() else 1)
    return f"{shown}{NO_BREAK}{one if abs(n) < 2 else several}"


def ordinal(n: int) -> str:
    """1 as "1er", others as "2e"."""
    return "1er" if n == 1 else f"{n}e"


def listed(parts: Sequence[str]) -> str:
    """As "a, b et c"."""
    return " et ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def day(when: date) -> str:
    """As "1er janvier 2019"."""
    return f"{ordinal(when.day) if when.day == 1 else when.day} {MONTHS[when.month - 1]} {when.year}"


def month(when: date) -> str:
    """As "janvier 2019"."""
    return f"{MONTHS[when.month - 1]} {when.year}"


def period(grain: str, start: date, end: date) -> str:
    """A period, `end` excluded: "mars 2019", "1er trimestre 2019", "2019", "juin 2015 à mars 2023"."""
    if grain == "month":
        return month(start)
    if grain == "quarter":
        return f"{ordinal((start.month + 2) // 3)} trimestre {start.year}"
    if grain == "year":
        return str(start.year)
    return f"{month(start)} à {month(end - timedelta(days=1))}"


def in_period(grain: str, start: date, end: date) -> str:
    """The same where a sentence begins: "En 2019", "Au 1er trimestre 2019", "De juin 2015 à mars 2023"."""
    text = period(grain, start, end)
    if grain == "quarter":
        return f"Au {text}"
    if grain == "all":
        return f"D{'’' if text[0] in 'ao' else 'e '}{text}"
    return f"En {text}"


def age_band(band: str) -> str:
    """Of "85+", "85 ans et plus", of "0-4", "0 à 4 ans"."""
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
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def small(text: str) -> str:
    """The text as a sentence goes on."""
    return text[:1].lower() + text[1:]


def typeset(text: str) -> str:
    """The same text whose lines do not begin with high punctuation, nor end with an opening guillemet."""
    return BEFORE.sub(NO_BREAK, AFTER.sub(NO_BREAK, text))


def sex(code: str) -> str:
    """Of "F", "Femmes"."""
    return SEXES[code]
