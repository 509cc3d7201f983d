"""Steps of care: the fact and the query by hand: which steps count, of which patient, speciality and period."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from chu_platform.facts.fact_cycle import BETWEEN, LENGTH, TO_STAY, fact_cycle
from chu_platform.indicators.rounded_counts import are_few, at_least, is_nearly_all
from chu_platform.kpis.kpi_cycle import EXACT, FEWEST_PATIENTS, kpi_cycle
from chu_platform.sdc.primary_rules import Reason
from chu_platform.tables.period_sql import MonthRange
from chu_platform.tables.spark_sql import UNKNOWN

pytestmark = pytest.mark.unit

# Day, patient, professional, diagnosis.
Visit = tuple[date, str, str, str]
# Day of entry, patient, length, diagnosis.
Stay = tuple[date, str, int, str]
# The first consultation: what is before its anniversary does not count.
FIRST = date(2016, 1, 1)
MARCH = date(2018, 3, 5)
# The speciality of doctor x changes on this day.
MOVED = date(2018, 3, 1)
SPECIALITIES = [
    ("x@1800-01-01", "x", "Cardiologie", date(1800, 1, 1), MOVED),
    ("x@2018-03-01", "x", "Gériatrie", MOVED, date(9999, 12, 31)),
    ("y@1800-01-01", "y", "Cardiologie", date(1800, 1, 1), date(9999, 12, 31)),
    ("z@1800-01-01", "z", "Pédiatrie", date(1800, 1, 1), date(9999, 12, 31)),
]


# Three rows of each one, in Spark and in DuckDB.
STACK = re.compile(
    r"stack\(3, ('total'), ('total'), ('chapter'), (\S+), ('speciality'),\s+(CASE .+? END)\) AS \(level, code\)",
    re.DOTALL,
)
UNNEST = r"unnest([{'level': \1, 'code': \2}, {'level': \3, 'code': \4}, {'level': \5, 'code': \6}], recursive := true)"


def days(n: int) -> timedelta:
    return timedelta(days=n)


def figures(visits: Sequence[Visit], stays: Sequence[Stay] = ()) -> Mapping[tuple[str, str, str], Mapping[str, Any]]:
    """The rows of March 2018, by step and group, by the queries of the fact and of the indicator on DuckDB."""
    visits = [(FIRST, "first", "z", "A00"), *visits]
    with duckdb.connect() as connection:
        # As in Spark.
        connection.execute(
            """
            CREATE MACRO datediff(later, earlier) AS later - earlier;
            CREATE MACRO date_add(day, n) AS day + n::INTEGER;
            CREATE TABLE consultation(date DATE, patient_key VARCHAR, professional_key VARCHAR, diagnosis_key VARCHAR);
            CREATE TABLE stay(date DATE, patient_key VARCHAR, days INTEGER, diagnosis_key VARCHAR);
            CREATE TABLE professional(professional_version VARCHAR, professional_key VARCHAR, speciality_label VARCHAR,
                valid_from DATE, valid_to DATE);
            CREATE TABLE diagnosis AS FROM (VALUES ('A00', 'I', 'Infections'), ('I10', 'IX', 'Circulation'))
                d(diagnosis_key, chapter_code, chapter_label);
            CREATE TABLE period AS
                SELECT unnest(['consultation', 'hospitalisation']) AS domain, 'range' AS period_grain,
                DATE '2018-03-01' AS period_start, DATE '2018-04-01' AS period_end, false AS is_partial
            """
        )
        connection.executemany("INSERT INTO consultation VALUES (?, ?, ?, ?)", visits)
        if stays:
            connection.executemany("INSERT INTO stay VALUES (?, ?, ?, ?)", stays)
        connection.executemany("INSERT INTO professional VALUES (?, ?, ?, ?, ?)", SPECIALITIES)
        connection.execute(
            """
            CREATE VIEW visited AS SELECT c.*, row_number() OVER () AS consultation_key, p.professional_version
            FROM consultation c JOIN professional p USING (professional_key)
            WHERE c.date >= valid_from AND c.date < valid_to;
            CREATE VIEW stayed AS SELECT *, row_number() OVER () AS stay_key FROM stay
            """
        )
        steps = fact_cycle.rows.declaration["query"].format(consultation="visited", stay="stayed")
        connection.execute(f"CREATE TABLE cycle AS {steps}")
        query = EXACT.rows.in_periods(MonthRange(date(2018, 3, 1), date(2018, 4, 1)))
        inputs = {name: name for name in ("cycle", "diagnosis", "professional", "period")}
        counted = connection.sql(STACK.sub(UNNEST, query.sql.format(**inputs))).to_arrow_table()
    assert query.finish
    return {(r["cycle"], r["level"], r["code"]): r for r in query.finish(counted).to_pylist()}


def visit(day: date, who: str = "a", by: str = "y", code: str = "A00") -> Visit:
    return day, who, by, code


def test_days_between_consultations_of_one_patient() -> None:
    """The two consultations of the later day have the same days; those of others, and of nobody known, do not count."""
    found = figures(
        [
            *(visit(MARCH - days(40)), visit(MARCH - days(10))),
            *(visit(MARCH), visit(MARCH, by="z", code="I10"), visit(MARCH, "b")),
            *(visit(MARCH - days(2), UNKNOWN), visit(MARCH, UNKNOWN)),
        ]
    )
    whole = found[BETWEEN, "total", "total"]
    assert (whole["events"], whole["n"], whole["patients"], whole["median"], whole["p90"]) == (3, 2, 1, 10, 10)
    assert {key[1:] for key in found} == {
        *(("total", "total"), ("chapter", "I"), ("chapter", "IX")),
        *(("speciality", "Cardiologie"), ("speciality", "Pédiatrie")),
    }
    assert found[BETWEEN, "chapter", "I"]["events"] == 2, "with the first consultation of b"


@pytest.mark.parametrize(("gap", "counts"), [(1, True), (365, True), (366, False)])
def test_a_step_of_more_than_a_year_begins_a_new_cycle(gap: int, counts: bool) -> None:
    found = figures([visit(MARCH - days(gap)), visit(MARCH)], [(MARCH, "a", 3, "I10")])
    assert ((BETWEEN, "total", "total") in found) is counts
    # On the day of the entry.
    assert found[TO_STAY, "total", "total"]["median"] == 0
    before = figures([visit(MARCH - days(gap)), visit(MARCH + days(90))], [(MARCH, "a", 3, "I10")])
    assert ((TO_STAY, "total", "total") in before) is counts
    if counts:
        assert before[TO_STAY, "total", "total"]["median"] == gap


def test_the_first_year_of_the_data_and_stays_after_them_do_not_count() -> None:
    first = [(MARCH - days(364), "first", "z", "A00"), visit(MARCH - days(3)), visit(MARCH)]
    assert figures(first)[BETWEEN, "total", "total"]["n"] == 1
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE MACRO datediff(later, earlier) AS later - earlier; "
            "CREATE MACRO date_add(day, n) AS day + n::INTEGER"
        )
        columns = ("date", "patient_key", "consultation_key", "professional_version", "diagnosis_key")
        made = [(MARCH - days(364), "a"), (MARCH, "a"), (MARCH + days(1), "a")]
        rows = [dict(zip(columns, (day, who, n, "v", "A00"), strict=True)) for n, (day, who) in enumerate(made)]
        connection.register("visited", pa.Table.from_pylist(rows))
        of_a_stay = {"patient_key": "a", "days": 2, "diagnosis_key": "A00"}
        stays = [{"date": MARCH + days(n), "stay_key": n, **of_a_stay} for n in (0, 1, 2)]
        connection.register("stayed", pa.Table.from_pylist(stays))
        steps = fact_cycle.rows.declaration["query"].format(consultation="visited", stay="stayed")
        found = connection.sql(f"SELECT cycle, date FROM ({steps})").fetchall()
    # A year after the first consultation, and not after the last one.
    assert {day for cycle, day in found if cycle == BETWEEN} == {MARCH + days(1)}
    assert {day for cycle, day in found if cycle == TO_STAY} == {MARCH + days(1)}
    assert {day for cycle, day in found if cycle == LENGTH} == {MARCH, MARCH + days(1), MARCH + days(2)}


def test_the_speciality_is_that_of_the_day_of_the_consultation() -> None:
    """Doctor x was a cardiologist until March: a stay in March after a consultation in February is of cardiology."""
    found = figures(
        [visit(MOVED - days(1), by="x"), visit(MARCH, "c", by="x"), visit(MARCH + days(2), "c", by="x")],
        [(MARCH, "a", 4, "I10")],
    )
    specialities = {(cycle, code) for cycle, level, code in found if level == "speciality"}
    assert specialities == {(TO_STAY, "Cardiologie"), (BETWEEN, "Gériatrie")}


def test_a_stay_counts_once_in_each_speciality_of_the_last_day() -> None:
    last = MARCH - days(20)
    before = [visit(last - days(5), by="z"), visit(last), visit(last, by="x"), visit(last, by="z")]
    # Consultations are delivered until after the stay.
    found = figures([*before, visit(MARCH, "b")], [(MARCH, "a", 4, "I10")])
    whole = found[TO_STAY, "total", "total"]
    assert (whole["events"], whole["n"], whole["median"]) == (1, 1, 20)
    for speciality in ("Cardiologie", "Pédiatrie"):
        row = found[TO_STAY, "speciality", speciality]
        assert (row["events"], row["n"]) == (None, 1), "two cardiologists of one stay"
    assert found[LENGTH, "total", "total"]["median"] == found[LENGTH, "chapter", "IX"]["median"] == 4
    assert (LENGTH, "speciality", "Cardiologie") not in found


@pytest.mark.parametrize(
    ("lengths", "few"),
    [
        ({"a": 60, **{f"p{n}": 1 for n in range(99)}}, False),
        # Each is one of two patients beyond the 90th percentile.
        ({"a": 60, "b": 70, **{f"p{n}": 1 + n / 100 for n in range(18)}}, True),
    ],
)
def test_few_patients_beyond_the_90th_percentile(lengths: Mapping[str, float], few: bool) -> None:
    found = figures([], [(MARCH, who, round(length * 10), "A00") for who, length in lengths.items()])
    assert found[LENGTH, "total", "total"]["by_few"] is few


def test_a_stay_of_an_unknown_patient_has_a_length_and_no_patient() -> None:
    found = figures([], [(MARCH, UNKNOWN, 7, "A00"), (MARCH, "a", 3, "A00")])
    row = found[LENGTH, "total", "total"]
    assert (row["n"], row["patients"], row["median"]) == (2, 1, 5)


@pytest.mark.parametrize(
    ("events", "few"), [([5, 5], True), ([34, 33, 33], False), ([86, 7, 7], True), ([85, 8, 7], False)]
)
def test_few_contributors(events: Sequence[int], few: bool) -> None:
    assert are_few([np.repeat(np.arange(len(events)), events)]) is few


def test_counts_are_rounded_down_and_what_they_leave_is_judged() -> None:
    with duckdb.connect() as connection:
        for count, whole, rounded, nearly in (
            *((59, 70, 40, False), (59, 50, 40, True)),
            *((40, 51, 40, False), (19, None, 0, False)),
        ):
            rows = f"(SELECT {count} AS n, {whole if whole else 'NULL::BIGINT'} AS whole)"
            sql = f"SELECT {at_least('n')}, {is_nearly_all('n', 'whole')} FROM {rows}"
            assert connection.sql(sql).fetchall() == [(rounded, nearly)]


def test_rows_of_few_patients_or_contributors_are_masked() -> None:
    assert kpi_cycle.release and FEWEST_PATIENTS == 30
    row = "SELECT 60 AS n, 40 AS patients, {} AS is_small, {} AS by_few, {} AS is_nearly_all"
    for flags, expected in (
        (("false", "false", "false"), None),
        (("true", "false", "false"), Reason.SIZE),
        (("false", "true", "false"), Reason.CONTRIBUTORS),
        (("false", "false", "true"), Reason.COMPLEMENT),
    ):
        sql = f"SELECT {kpi_cycle.release.rules.reason} FROM ({row.format(*flags)})"
        assert duckdb.connect().sql(sql).fetchall() == [(expected,)]
