"""Numbers, dates and lists as the French write them; the expected texts are written by hand."""

import random
from datetime import date
from decimal import Decimal

import pytest
from babel.numbers import format_decimal

from chu_platform import french

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0, 0, "0"),
        (999, 0, "999"),
        (1234567.891, 1, "1\u202f234\u202f567,9"),
        (-12.34, 1, "\u221212,3"),
        (-0.04, 1, "0,0"),
        (0.005, 2, "0,01"),
        (2.5, 2, "2,50"),
    ],
)
def test_numbers_have_a_comma_and_narrow_spaces(value: float, digits: int, text: str) -> None:
    assert french.number(value, digits) == text


def test_numbers_are_those_of_babel_except_for_the_minus_sign_and_minus_zero() -> None:
    draw = random.Random(1)
    for _ in range(2000):
        value, digits = draw.uniform(-1, 1) * 10 ** draw.randint(-4, 9), draw.randint(0, 4)
        rounded = round(Decimal(value), digits) + 0
        shown = format_decimal(rounded, f"#,##0.{'0' * digits}", "fr").replace("-", "\u2212")
        assert french.number(value, digits) == shown, (value, digits)


def test_a_unit_never_leaves_its_number() -> None:
    assert french.amount(8.42, "‰") == "8,4\u00a0‰"
    assert french.amount(73.73, "/ 100") == "73,7\u00a0/\u00a0100"
    assert french.percent(0.084) == "8,4\u00a0%"
    assert french.interval(7.24, 9.81, "‰") == "7,2 à 9,8\u00a0‰"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (31, "31"),
        (12000, "12\u202f000"),
        (-0.1, "\u22120,1"),
        (0.05, "0,05"),
        (1 / 3, "0,3333"),
        (1.5, "1,5"),
    ],
)
def test_a_measure_has_the_digits_it_needs(value: float, text: str) -> None:
    assert french.measured(value) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0 patient"), (1, "1 patient"), (1.5, "1,5 patient"), (2, "2 patients"), (1200, "1\u202f200 patients")],
)
def test_the_plural_begins_at_two(n: float, text: str) -> None:
    assert french.counted(n, "patient", "patients").replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("grain", "start", "end", "text", "sentence"),
    [
        ("month", date(2019, 8, 1), date(2019, 9, 1), "août 2019", "En août 2019"),
        ("quarter", date(2019, 1, 1), date(2019, 4, 1), "1er trimestre 2019", "Au 1er trimestre 2019"),
        ("quarter", date(2019, 10, 1), date(2020, 1, 1), "4e trimestre 2019", "Au 4e trimestre 2019"),
        ("year", date(2019, 1, 1), date(2020, 1, 1), "2019", "En 2019"),
        ("all", date(2015, 6, 1), date(2023, 4, 1), "juin 2015 à mars 2023", "De juin 2015 à mars 2023"),
        ("all", date(2015, 8, 1), date(2016, 1, 1), "août 2015 à décembre 2015", "D’août 2015 à décembre 2015"),
    ],
)
def test_periods(grain: str, start: date, end: date, text: str, sentence: str) -> None:
    assert french.period(grain, start, end) == text
    assert french.in_period(grain, start, end) == sentence


def test_days_lists_and_bands() -> None:
    assert french.day(date(2019, 3, 1)) == "1er mars 2019"
    assert french.day(date(2019, 3, 22)) == "22 mars 2019"
    assert french.listed([]) == ""
    assert french.listed(["Corse"]) == "Corse"
    assert french.listed(["Corse", "Bretagne", "Mayotte"]) == "Corse, Bretagne et Mayotte"
    assert french.age_band("85+") == "85 ans et plus"
    assert french.age_band("0-4") == "0 à 4 ans"


def test_no_line_begins_with_high_punctuation() -> None:
    text = 'Où ? Ici : « là » ; <a href="/x?a=1">oui !</a>'
    assert french.typeset(text) == 'Où\u00a0? Ici\u00a0: «\u00a0là\u00a0»\u00a0; <a href="/x?a=1">oui\u00a0!</a>'
