"""Shared SQL fragments, tested on inputs with known results.

Expected dates are written by hand; expected ages are computed with Python's datetime. In the unit tier, each fragment
runs on DuckDB, except `us_date`: DuckDB has no RLIKE. In the integration tier, all fragments run on the embedded engine
in one query.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from chu_platform.engine.engine import Engine
from chu_platform.settings import Settings
from chu_platform.tables.spark_sql import (
    AGE_BANDS,
    age_band,
    completed_years,
    date_parts,
    minutes,
    partial_date,
    spark_text,
    us_date,
)

JULY_1: Final = date(1950, 7, 1)

PARTIAL_DATES: Final[Mapping[str | None, date | None]] = {
    # Complete dates. 29 February exists in 2000 and 2020, not in 1900 and 2019.
    "1950-03-08": date(1950, 3, 8),
    "2020-02-29": date(2020, 2, 29),
    "2000-02-29": date(2000, 2, 29),
    "1900-02-29": None,
    "2019-02-29": None,
    "2019-02-30": None,
    "2019-04-31": None,
    "2019-13-01": None,
    "2019-12-32": None,
    "2019-12-31": date(2019, 12, 31),
    # The day is unknown: the 15th.
    "1950-03-00": date(1950, 3, 15),
    "1950-02-00": date(1950, 2, 15),
    "1950-13-00": None,
    "1950-03": date(1950, 3, 15),
    "1950-13": None,
    # The month is unknown: 1 July, whatever the day is.
    "1950-00-00": JULY_1,
    "1950-00-12": JULY_1,
    "1950-00-99": JULY_1,
    "1950-00": JULY_1,
    "1950": JULY_1,
    # No year.
    "0000-00-00": None,
    "0000-03-08": None,
    "0000-03": None,
    "0000": None,
    # Other lengths, and texts that are not dates.
    "": None,
    "195": None,
    "19500": None,
    "1950-3": None,
    "1950-03-1": None,
    "1950-03-081": None,
    "195a": None,
    "1950-ab": None,
    "1950-ab-01": None,
    "1950/03/08": None,
    "1950-1 -02": None,
    "1950-01-+2": None,
    " 950-01-02": None,
    "195 ": None,
    "1950-03-ab": None,
    "DUPONT": None,
    None: None,
}

US_DATES: Final[Mapping[str | None, date | None]] = {
    "7/25/2013": date(2013, 7, 25),
    "07/05/2013": date(2013, 7, 5),
    "1/1/1950": date(1950, 1, 1),
    "12/31/1999": date(1999, 12, 31),
    "2/29/2020": date(2020, 2, 29),
    "2/29/2019": None,
    "2/29/1900": None,
    "4/31/2013": None,
    "25/7/2013": None,
    "13/1/2013": None,
    "0/10/2013": None,
    "1/0/2013": None,
    "7/25/13": None,
    "7/25/20130": None,
    "7/25": None,
    "007/25/2013": None,
    "2013-07-25": None,
    " 7/25/2013": None,
    "7/25/2013 ": None,
    "": None,
    None: None,
}

MINUTES: Final[Mapping[str | None, int | None]] = {
    "00:00:00": 0,
    "00:59:59": 59,
    "01:00:00": 60,
    "08:05:30": 485,
    "23:59:59": 1439,
    "12:30": 750,
    "ab:30:00": None,
    "12:cd:00": None,
    "": None,
    None: None,
}

BANDS: Final[Mapping[int | None, str]] = {
    0: "0-4",
    1: "0-4",
    4: "0-4",
    5: "5-9",
    9: "5-9",
    10: "10-14",
    79: "75-79",
    80: "80-84",
    84: "80-84",
    85: "85+",
    86: "85+",
    120: "85+",
    None: "unknown",
}

# Births and events around the end of February, of a month and of the year.
BIRTHS: Final = (date(1948, 2, 29), date(1999, 12, 31), date(2000, 1, 1), date(2000, 2, 28), date(2000, 2, 29))
EVENTS: Final = tuple(
    day + timedelta(days=shift)
    for day in (date(2000, 1, 1), date(2000, 2, 29), date(2001, 2, 28), date(2004, 2, 29), date(2019, 12, 31))
    for shift in (-1, 0, 1)
)


def years_by_counting(birth: date, event: date) -> int | None:
    """Count the birthdays up to an event. A birthday on 29 February is on 1 March in a common year."""
    if event < birth:
        return None
    birthdays = 0
    for year in range(birth.year + 1, event.year + 1):
        try:
            birthday = birth.replace(year=year)
        except ValueError:
            birthday = date(year, 3, 1)
        birthdays += birthday <= event
    return birthdays


AGES: Final[Mapping[tuple[date | None, date | None], int | None]] = {
    **{(birth, event): years_by_counting(birth, event) for birth in BIRTHS for event in EVENTS},
    (None, date(2020, 1, 1)): None,
    (date(2020, 1, 1), None): None,
    (None, None): None,
}

# Each fragment, the type of its inputs, and inputs with their answers.
FRAGMENTS: Final[Mapping[str, tuple[Callable[..., str], str, Mapping[Any, object]]]] = {
    "partial_date": (lambda text: partial_date(text, "its"), "STRING", PARTIAL_DATES),
    "us_date": (us_date, "STRING", US_DATES),
    "minutes": (minutes, "STRING", MINUTES),
    "age_band": (age_band, "INT", BANDS),
    "completed_years": (completed_years, "DATE", AGES),
}
ON_DUCKDB: Final = [name for name in FRAGMENTS if name != "us_date"]


def query_of(name: str) -> str:
    """A query that returns the result of a fragment for each of its inputs, with the number of the input."""
    fragment, type_, cases = FRAGMENTS[name]
    rows = [value if isinstance(value, tuple) else (value,) for value in cases]
    columns = [f"x{n}" for n in range(len(rows[0]))]
    literals = ", ".join(f"({n}, {', '.join(map(_literal, row))})" for n, row in enumerate(rows))
    typed = ", ".join(f"CAST({c} AS {type_}) AS {c}" for c in columns)
    parts = f", {date_parts('x0', 'its')}" if name == "partial_date" else ""
    # The inputs are columns of a subquery, because a fragment repeats each input several times.
    return (
        f"SELECT '{name}' AS fragment, n, CAST({fragment(*columns)} AS STRING) AS answer "
        f"FROM (SELECT *{parts} FROM (SELECT n, {typed} FROM (VALUES {literals}) AS given(n, {', '.join(columns)}))"
        " AS inputs)"
        " AS inputs_with_parts"
    )


def _literal(value: object) -> str:
    return "NULL" if value is None else f"'{value}'"


def wrong_answers(found: Sequence[tuple[str, int, str | None]]) -> dict[tuple[str, object], tuple[object, object]]:
    """The inputs with a wrong answer: what was found, and what was expected."""
    wrong: dict[tuple[str, object], tuple[object, object]] = {}
    for name, number, answer in found:
        given, expected = list(FRAGMENTS[name][2].items())[number]
        if answer != (None if expected is None else str(expected)):
            wrong[name, given] = answer, expected
    return wrong


@pytest.mark.unit
@pytest.mark.parametrize("name", ON_DUCKDB)
def test_the_fragment_returns_the_expected_results_on_duckdb(name: str) -> None:
    with duckdb.connect() as connection:
        found = connection.execute(query_of(name)).fetchall()
    assert len(found) == len(FRAGMENTS[name][2]) >= 10
    assert wrong_answers(found) == {}


@pytest.mark.integration
def test_every_fragment_returns_the_expected_results_on_the_embedded_engine(tmp_path: Path) -> None:
    engine = Engine(Settings(_env_file=None, home=tmp_path, engine="embedded"))
    try:
        table = engine.arrow(engine.query(" UNION ALL ".join(map(query_of, FRAGMENTS)), {}))
    finally:
        engine.close()
    found = [(str(r["fragment"]), int(r["n"]), r["answer"]) for r in table.to_pylist()]
    assert len(found) == sum(len(cases) for _, _, cases in FRAGMENTS.values()) > 150
    assert wrong_answers(found) == {}


@pytest.mark.unit
def test_every_age_up_to_130_is_in_a_declared_band() -> None:
    with duckdb.connect() as connection:
        query = f"SELECT age, {age_band('age')} FROM (SELECT range AS age FROM range(131)) ORDER BY age"
        found = dict(connection.execute(query).fetchall())
    bands = [f"{age // 5 * 5}-{age // 5 * 5 + 4}" if age < 85 else "85+" for age in range(131)]
    assert [found[age] for age in range(131)] == bands
    assert tuple(dict.fromkeys(bands)) == AGE_BANDS


@pytest.mark.unit
def test_a_text_with_an_apostrophe_is_refused() -> None:
    assert spark_text("Île-de-France") == "'Île-de-France'"
    with pytest.raises(ValueError, match="apostrophe"):
        spark_text("Côte d'Or")
