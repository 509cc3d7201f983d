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
ALL: Final = "all"


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


def us_date(text: str) -> str:
    """Date of a text in US format, with or without leading zeros (7/25/2013). Null if the text is not a date."""
    part = f"split_part({text}, '/', {{}})"
    month, day, year = part.format(1), part.format(2), part.format(3)
    return (
        f"CASE WHEN {text} RLIKE '^[0-9][0-9]?/[0-9][0-9]?/[0-9][0-9][0-9][0-9]$' "
        f"THEN try_cast(concat({year}, '-', lpad({month}, 2, '0'), '-', lpad({day}, 2, '0')) AS DATE) END"
    )


def partial_date(text: str) -> str:
    """Date of a `YYYY-MM-DD` text in which month and day may be 00 or absent. Null if the text is not a date.

    An unknown day becomes the 15th, an unknown month 1 July. The SQL compares lengths and substrings instead of regular
    expressions, which would take most of the time for 25 million dates.
    """
    year = f"substr({text}, 1, 4)"
    july = f"try_cast(concat({year}, '-07-01') AS DATE)"
    middle = f"try_cast(concat(substr({text}, 1, 7), '-15') AS DATE)"
    return (
        f"CASE WHEN {year} = '0000' THEN NULL "
        f"WHEN length({text}) = 4 OR (length({text}) IN (7, 10) AND substr({text}, 5, 3) = '-00') THEN {july} "
        f"WHEN length({text}) = 7 OR (length({text}) = 10 AND substr({text}, 8, 3) = '-00') THEN {middle} "
        f"WHEN length({text}) = 10 THEN try_cast({text} AS DATE) END"
    )


def minutes(time: str) -> str:
    """Minutes since midnight of `HH:MM:SS` text."""
    return f"try_cast(substr({time}, 1, 2) AS INT) * 60 + try_cast(substr({time}, 4, 2) AS INT)"
