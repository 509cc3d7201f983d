"""Fragments of Spark SQL that several tables share, so that each definition stands once.

Patterns hold no braces, which stand for inputs in a declared query.

Here: functions from SQL text to SQL text. Not here: whole queries.
"""

from typing import Final

# Key and label of the member of a dimension that takes what does not match.
UNKNOWN: Final = "inconnu"
UNKNOWN_LABEL: Final = "Inconnu"
# Five-year bands of age, as published; `unknown` where there is no age.
AGE_BANDS: Final = (*(f"{age}-{age + 4}" for age in range(0, 85, 5)), "85+")
UNKNOWN_BAND: Final = "unknown"
ALL: Final = "all"


def spark_text(text: str) -> str:
    """A text as a literal for both engines. Raises ValueError for an apostrophe, which Sail has no way to quote."""
    if "'" in text:
        raise ValueError(f"{text!r} holds an apostrophe: write ’")
    return f"'{text}'"


def completed_years(birth: str, event: str) -> str:
    """Age in completed years at `event`; null when a date is null, or when the event comes before the birth.

    Compares month and day: who was born on a 29 February completes the year on 1 March of a common year.
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
    """Date of US text without padding (7/25/2013); null when it is none."""
    part = f"split_part({text}, '/', {{}})"
    month, day, year = part.format(1), part.format(2), part.format(3)
    return (
        f"CASE WHEN {text} RLIKE '^[0-9][0-9]?/[0-9][0-9]?/[0-9][0-9][0-9][0-9]$' "
        f"THEN try_cast(concat({year}, '-', lpad({month}, 2, '0'), '-', lpad({day}, 2, '0')) AS DATE) END"
    )


def partial_date(text: str) -> str:
    """Date of `YYYY-MM-DD` text of which parts may be 00 or absent; null when it is none.

    An unknown day counts as the 15th, an unknown month as 1 July. An impossible date is no date. Lengths and parts are
    compared instead of patterns: of 25 million dates, patterns take most of the time.
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
