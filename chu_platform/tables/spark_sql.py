"""Fragments of Spark SQL that several tables share: functions that take and return SQL text.

Regular expressions contain no braces, because braces mark the inputs of a declared query.
"""

from typing import Final

# Key and label of the dimension member for unknown values.
UNKNOWN: Final = "inconnu"
UNKNOWN_LABEL: Final = "Inconnu"
# Five-year age bands of the released indicators. UNKNOWN_BAND is the band of a null age.
AGE_BANDS: Final = (*(f"{age}-{age + 4}" for age in range(0, 85, 5)), "85+")
UNKNOWN_BAND: Final = "unknown"
# First ages of the groups by which the population is known: five years each, and 90 and over.
POPULATION_AGES: Final = tuple(range(0, 95, 5))
ALL: Final = "all"
# Code of the places outside the 18 regions, or unknown.
ELSEWHERE: Final = "99"
# The speciality of the rows of a whole profession.
WHOLE_PROFESSION: Final = "Ensemble"


def spark_text(text: str) -> str:
    """A text as a string literal for both engines. Raises ValueError for an apostrophe, which Sail cannot escape."""
    if "'" in text:
        raise ValueError(f"{text!r} holds an apostrophe: write ’")
    return f"'{text}'"


def completed_years(birth: str, event: str) -> str:
    """Age in completed years at `event`. Null if a date is null or the event is before the birth.

    Compares month and day. In a common year, a person born on 29 February completes the year on 1 March.
    """
    years = (
        f"(year({event}) - year({birth}) - CASE WHEN month({event}) * 100 + day({event}) "
        f"< month({birth}) * 100 + day({birth}) THEN 1 ELSE 0 END)"
    )
    return f"CASE WHEN {event} >= {birth} THEN {years} END"


def age_band(age: str) -> str:
    """Five-year band of an age in completed years."""
    lower = f"CAST(floor({age} / 5) * 5 AS INT)"
    return (
        f"CASE WHEN {age} IS NULL THEN '{UNKNOWN_BAND}' WHEN {age} >= 85 THEN '85+' "
        f"ELSE concat(CAST({lower} AS STRING), '-', CAST({lower} + 4 AS STRING)) END"
    )


def middle_day(start: str, end: str) -> str:
    """Middle day of a period: the day after the first half of its days, rounded down (2 July of every year).

    `start` is the first day of the period, `end` the day after its last.
    """
    return f"date_add({start}, CAST(floor(datediff({end}, {start}) / 2) AS INT))"


def sex_of(delivered: str) -> str:
    """Sex as F, M or unknown, of the text in the care database."""
    return f"CASE {delivered} WHEN 'female' THEN 'F' WHEN 'male' THEN 'M' ELSE 'unknown' END"


def us_date(text: str) -> str:
    """Date of a text in US format, with or without leading zeros (7/25/2013). Null if the text is not a date."""
    part = f"split_part({text}, '/', {{}})"
    month, day, year = part.format(1), part.format(2), part.format(3)
    return (
        f"CASE WHEN {text} RLIKE '^[0-9][0-9]?/[0-9][0-9]?/[0-9][0-9][0-9][0-9]$' "
        f"THEN try_cast(concat({year}, '-', lpad({month}, 2, '0'), '-', lpad({day}, 2, '0')) AS DATE) END"
    )


def date_parts(text: str, name: str) -> str:
    """Numbers in a `YYYY-MM-DD` text as the columns `name_year`, `name_month` and `name_day`, and its form `name_form`.

    The form has 9 instead of each digit. A number is null if its place is empty or has no number.
    """
    places = {"year": (1, 4), "month": (6, 2), "day": (9, 2)}
    parts = (
        f"try_cast(substr({text}, {first}, {size}) AS INT) AS {name}_{part}" for part, (first, size) in places.items()
    )
    return ", ".join((f"translate({text}, '0123456789', '9999999999') AS {name}_form", *parts))


def partial_date(text: str, name: str) -> str:
    """Date of a `YYYY-MM-DD` text in which month and day may be 00 or absent. Null if the text is not a date.

    `name` is that of its `date_parts`. An unknown day becomes the 15th, an unknown month 1 July. The SQL makes most
    dates from their parts: of 25 million texts, that takes half the time of a cast.
    """
    form, year, month, day = (f"{name}_{part}" for part in ("form", "year", "month", "day"))
    return (
        f"CASE WHEN {year} = 0 OR {form} NOT IN ('9999-99-99', '9999-99', '9999') THEN NULL "
        f"WHEN {form} = '9999-99-99' AND {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND 28 "
        f"THEN make_date({year}, {month}, {day}) "
        f"WHEN {form} = '9999' OR {month} = 0 THEN make_date({year}, 7, 1) "
        f"WHEN ({form} = '9999-99' OR {day} = 0) AND {month} BETWEEN 1 AND 12 THEN make_date({year}, {month}, 15) "
        f"WHEN {form} = '9999-99-99' THEN try_cast({text} AS DATE) END"
    )


def minutes(time: str) -> str:
    """Minutes since midnight of `HH:MM:SS` text."""
    return f"try_cast(substr({time}, 1, 2) AS INT) * 60 + try_cast(substr({time}, 4, 2) AS INT)"
