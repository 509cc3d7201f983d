"""DuckDB macros for months and ages: numbers of months, birthdays, completed years, bands of five years."""

from typing import Final

import duckdb

# Bands are numbered from 0 (0 to 4 years); the last one, 17, has no upper limit (85+).
LAST_BAND: Final = 17

MACROS: Final = f"""
    -- Months are numbered without a gap (12 x year + month - 1), so that periods and years are numbers of months.
    CREATE MACRO month_number(date) AS 12 * year(date) + month(date) - 1;
    CREATE MACRO month_begin(number) AS make_date(number // 12, number % 12 + 1, 1);
    -- The day on which so many years are completed. Days are added to the first of the month: who was born on a
    -- 29 February completes a year on 1 March of a common year.
    CREATE MACRO birthday(birth, years) AS
        month_begin(month_number(birth) + 12 * years) + (day(birth) - 1)::INTEGER;
    -- Null without a date of birth, or before it.
    CREATE MACRO completed_years(birth, event) AS if(birth <= event,
        year(event) - year(birth) - (birthday(birth, year(event) - year(birth)) > event)::INTEGER, NULL);
    CREATE MACRO band_label(band) AS if(band < {LAST_BAND}, concat(5 * band, '-', 5 * band + 4), '85+');
    CREATE MACRO band_of_age(age) AS if(age IS NULL, 'unknown', band_label(least(age // 5, {LAST_BAND})));
    -- The age on the middle day of a period; 0 for a later birth in the period, null for a birth after it. A period
    -- begins on `since` and ends before `until`.
    CREATE MACRO age_in_period(birth, since, until) AS if(birth < until,
        coalesce(completed_years(birth, since + (date_diff('day', since, until) // 2)::INTEGER), 0), NULL);
    """


def create_date_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros of months, birthdays, ages and bands."""
    connection.execute(MACROS)
