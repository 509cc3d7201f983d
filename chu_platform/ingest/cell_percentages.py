"""Numbers of workbook cells that are shown as percentages.

A cell that a reader sees as 75.5 % holds the number 0.755 and a number format with a percent sign.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Final

# Parts of a format that are shown as they are: texts in quotes, escaped characters, fillers, blanks of a width.
_LITERAL: Final = re.compile(r'"[^"]*"|[\\_*].')
_CONDITION: Final = re.compile(r"\[(<=|>=|<>|<|>|=)(-?\d+(?:\.\d+)?)\]")
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}


def as_percentage(number: float, number_format: str) -> str:
    """The text of a number: `75.5 %` of 0.755 if its number format shows a percentage, otherwise the number."""
    # Its shortest decimal form, so that 0.5512 is 55.12 % and not 55.120000000000005 %.
    exact = Decimal(repr(number))
    if math.isfinite(number) and "%" in _shown_by(number_format, number):
        return f"{_plain(exact * 100)} %"
    return _plain(exact) if math.isfinite(number) else str(number)


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _shown_by(number_format: str, number: float) -> str:
    """The section of a number format that shows a number, without literal text.

    Sections are those of positive numbers, of negative ones, of zero and of texts, or have conditions in brackets.
    """
    sections = _sections(number_format)
    conditions = [_CONDITION.search(section) for section in sections]
    if not any(conditions):
        place = 1 if number < 0 else 2 if number == 0 else 0
        return sections[place if place < min(len(sections), 3) else 0]
    for section, condition in zip(sections, conditions, strict=True):
        if condition is None or _COMPARISONS[condition[1]](number, float(condition[2])):
            return section
    return sections[-1]


@cache
def _sections(number_format: str) -> list[str]:
    return _LITERAL.sub("", number_format).split(";")
