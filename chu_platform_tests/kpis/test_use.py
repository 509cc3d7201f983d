"""Use over time: the query on consultations by hand, the flags of few contributors counted again, and the rounding."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.kpis.kpi_use_concentration import (
    EXACT,
    MOST_FREQUENT,
    _Contributors,
    _rounded,
    kpi_use_concentration,
    use_by_group,
)
from chu_platform.recomputation.use_figures import recomputed_use
from chu_platform.sdc.primary_rules import Reason
from chu_platform.tables.period_sql import MonthRange
from chu_platform.tables.spark_sql import UNKNOWN
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

Visit = tuple[date, str, str, int | None, bool | None]
GROUPS = ("new", "returning", "evening", "night", *(f"top_{q}" for q in MOST_FREQUENT))
MARCH = date(2019, 3, 5)


def of_march(visits: Sequence[Visit]) -> Mapping[str, Any]:
    """The figures of March 2019, by the query of the table on DuckDB."""
    names = ("date", "patient_key", "professional_key", "start_minute", "is_night_slot")
    columns = list(zip(*visits, strict=True))
    query = EXACT.rows.in_periods(MonthRange(date(2019, 3, 1), date(2019, 4, 1)))
    with duckdb.connect() as connection:
        # As in Spark.
        connection.execute("CREATE MACRO trunc(day, unit) AS date_trunc(unit, day)")
        connection.register("consultation", pa.table(dict(zip(names, map(list, columns), strict=True))))
        connection.execute(
            "CREATE TABLE period AS SELECT 'consultation' AS domain, 'range' AS period_grain, "
            "DATE '2019-03-01' AS period_start, DATE '2019-04-01' AS period_end, false AS is_partial"
        )
        counted = connection.sql(query.sql.format(consultation="consultation", period="period")).to_arrow_table()
    assert query.finish
    result: Mapping[str, Any] = query.finish(counted).to_pylist()[0]
    return result


def visit(who: str, day: date = MARCH, by: str = "x", start: int | None = 480, night: bool | None = False) -> Visit:
    return day, who, by, start, night


@pytest.mark.unit
def test_a_share_is_displayed_with_the_decimals_that_it_is_published_with() -> None:
    """From so many consultations on, shares of the most frequent patients are rounded to 0.1 %, below to 1 %."""
    measure = kpi_use_concentration.question.measure("concentration")
    assert measure
    for events in (1_100, 10_999, 11_000, 200_000):
        with duckdb.connect() as connection:
            counts = f"SELECT {events}::BIGINT AS events, {events * 2234 // 10_000} AS top_10_events"
            # DuckDB has no suffix of doubles.
            share = re.sub(r"(?<=\d)D\b", ".0", _rounded(10))
            ((rounded,),) = connection.sql(f"SELECT {share} FROM ({counts})").fetchall()
        shown = measure.displayed_for([200_000, None, events]).decimals
        assert rounded == pytest.approx(22.3 if shown == 1 else 22) and shown == (1 if events >= 11_000 else 0)


@pytest.mark.unit
@pytest.mark.parametrize("most", [2, 5, 40])
def test_a_group_that_cannot_be_of_few_is_not_of_few(seed: int, most: int) -> None:
    """What the busiest ones of a period say of a group agrees with a look at the group."""
    draw = np.random.default_rng(seed + most)
    told = 0
    for _ in range(300):
        size = int(draw.integers(1, 200))
        who, by_whom = (
            draw.integers(0, draw.integers(1, most) + 1, size),
            draw.integers(1, draw.integers(1, most) + 1, size),
        )
        inside = draw.random(size) < draw.random()
        of_known = int(np.count_nonzero(inside & (who > 0)))
        busiest = (int(np.bincount(who[who > 0], minlength=1).max()), int(np.bincount(by_whom).max()))
        contributors = _Contributors(who, by_whom, *busiest)
        if contributors.must_be_many(int(inside.sum()), of_known):
            told += 1
            assert not contributors.are_few(inside)
    assert told > 0 or most == 2


@pytest.mark.unit
def test_a_share_of_few_has_no_decimals() -> None:
    share = kpi_use_concentration.question.measure("consultations")
    assert share and [share.displayed_for([n]).decimals for n in (99, 100)] == [0, 1]
    assert replace(share, unit="‰").displayed_for([5]).decimals == share.decimals


@pytest.mark.unit
def test_who_came_before_the_period_is_not_new() -> None:
    before, after = MARCH - timedelta(days=60), MARCH + timedelta(days=60)
    found = of_march(
        [visit("a"), visit("a"), visit("b", before), visit("b"), visit("c", after), visit(UNKNOWN, before)]
    )
    assert (found["events"], found["patients"], found["new_patients"], found["returning_patients"]) == (3, 2, 1, 1)


@pytest.mark.unit
def test_consultations_of_unknown_patients_count_among_all_only() -> None:
    found = of_march([visit("a"), visit("a"), visit("b"), *[visit(UNKNOWN)] * 5])
    assert (found["events"], found["patients"], found["new_patients"]) == (8, 2, 2)
    assert (found["top_50_patients"], found["top_50_events"], found["top_50_share"]) == (1, 2, 0.25)


@pytest.mark.unit
def test_the_number_of_the_most_frequent_patients_is_rounded_up() -> None:
    """Of 101 patients, 1 % are two: those with five and four consultations; equal ones do not matter."""
    found = of_march([*[visit("a")] * 5, *[visit("b")] * 4, *(visit(f"p{n}") for n in range(99))])
    assert (found["top_1_patients"], found["top_1_events"], found["events"]) == (2, 9, 108)
    assert (found["top_10_patients"], found["top_10_events"]) == (11, 18)
    assert found["top_50_share"] == pytest.approx((9 + 49) / 108)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("start", "night", "evening"),
    [
        *((480, False, 0), (1199, False, 0), (1200, False, 1), (359, False, 1), (360, False, 0), (1200, True, 1)),
        *((1080, True, 1), (None, None, 0)),
    ],
)
def test_slots_of_the_evening_and_of_the_night(start: int | None, night: bool | None, evening: int) -> None:
    found = of_march([visit("a", start=start, night=night), visit("b")])
    assert (found["evening_events"], found["night_events"]) == (evening, int(bool(night)))
    assert (found["evening_patients"], found["night_share"]) == (evening, bool(night) / 2)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("doctors", "largest", "expected"), [(2, 5, True), (3, 85, False), (3, 86, True), (30, 5, False)]
)
def test_few_professionals_behind_a_group(doctors: int, largest: int, expected: bool) -> None:
    """Each visit is of another patient; the first doctor has `largest` of a hundred."""
    by = ["d0"] * largest + [f"d{1 + n % (doctors - 1)}" for n in range(100 - largest)]
    found = of_march([visit(f"p{n}", by=doctor) for n, doctor in enumerate(by)])
    assert found["new_by_few"] is expected and found["returning_by_few"] is False, "an empty group is of nobody"


@pytest.mark.unit
def test_one_patient_with_nearly_all_consultations_of_a_group() -> None:
    others = [visit(f"p{n}", by=f"d{n % 7}") for n in range(1099)]
    for own, expected in ((56, False), (57, True)):
        found = of_march([*others, *(visit("a", by=f"d{n % 7}") for n in range(own))])
        assert found["top_1_patients"] == 11
        # Ten others of the first group have one consultation each.
        assert found["top_1_by_few"] is expected is (own > 0.85 * (own + 10))


def can_be_few(consultations: Sequence[Mapping[str, Any]], number: int) -> bool:
    """Whether so many of the patients who consult most often can be a group of few: by trying every choice that counts.

    A choice is good for one professional, or for two, if it takes the tied patients who saw these most.
    """
    seen: dict[str, Counter[str]] = {}
    for c in consultations:
        if c["patient_key"] != UNKNOWN:
            seen.setdefault(c["patient_key"], Counter())[c["professional_key"]] += 1
    ranked = sorted(seen, key=lambda p: -seen[p].total())
    if not number:
        return False
    last = seen[ranked[number - 1]].total()
    certain = [p for p in ranked if seen[p].total() > last]
    tied = [p for p in ranked if seen[p].total() == last]
    needed = number - len(certain)
    touched = Counter(d for p in tied for d in seen[p])
    doctors = sorted({d for p in (*certain, *tied) for d in seen[p]})
    # Two professionals can have all tied patients of a group only if so many saw one of them.
    pairs = [(one, other) for one, other in combinations(doctors, 2) if touched[one] + touched[other] >= needed]
    for kept in [*pairs, *((one,) for one in doctors)]:
        chosen = certain + sorted(tied, key=lambda p: -sum(seen[p][d] for d in kept))[:needed]
        total = sum((seen[p] for p in chosen), Counter())
        most = max(*total.values(), *(seen[p].total() for p in chosen))
        if len(total) < 3 or most > 0.85 * total.total():
            return True
    return False


@pytest.mark.unit
def test_whether_a_group_is_of_few_does_not_depend_on_the_order_of_pseudonyms() -> None:
    """Of forty patients with one consultation each, twelve see one doctor, and the others one of their own."""
    found = []
    for names in (range(40), reversed(range(40))):
        of_patients = [visit(f"p{name:02}", by="d0" if n < 12 else f"d{n}") for n, name in enumerate(names)]
        found.append({k: v for k, v in of_march(of_patients).items() if k.endswith("by_few")})
    assert found[0] == found[1]
    # Four or ten of them may all see this doctor, twenty may not.
    expected = {"top_5_by_few": True, "top_10_by_few": True, "top_25_by_few": True, "top_50_by_few": False}
    assert {k: found[0][k] for k in expected} == expected


@pytest.mark.unit
def test_the_recomputation_rounds_as_the_release_does() -> None:
    def share(events: int, consultations: int) -> float:
        counts = {"is_slot": 0, "is_rounded": 1, "events": events, "persons": 20}
        counts |= {"period_patients": 2000, "period_consultations": consultations}
        return float(recomputed_use({n: np.array([float(v)]) for n, v in counts.items()})["percent"][0])

    assert [share(n, 10_999) for n in (384, 385, 494)] == [3, 4, 4]
    assert [share(n, 11_000) for n in (384, 385, 390, 396)] == [3.5, 3.5, 3.5, 3.6]


@pytest.mark.unit
def test_small_and_dominated_rows_are_masked() -> None:
    rules = kpi_use_concentration.release.rules if kpi_use_concentration.release else None
    assert rules
    period = "60 AS period_patients, 70 AS period_consultations"
    row = f"SELECT {{}} AS patients, {{}} AS consultations, {{}} AS is_small, {{}} AS by_few, {period}"
    for values, expected in (
        ((11, "NULL", "false", "false"), None),
        ((0, "NULL", "false", "false"), None),
        ((10, "NULL", "false", "false"), Reason.SIZE),
        (("NULL", 10, "false", "false"), Reason.SIZE),
        (("NULL", 11, "true", "false"), Reason.SIZE),
        ((40, "NULL", "false", "true"), Reason.CONTRIBUTORS),
    ):
        found = duckdb.connect().sql(f"SELECT {rules.reason} FROM ({row.format(*values)})").fetchall()
        assert found == [(expected,)], values


@pytest.mark.integration
def test_few_contributors_are_counted_again(made: Home) -> None:
    """By plain counting of all consultations of each period, for months, quarters and years."""
    starts = {"month": 1, "quarter": 3, "year": 12}
    made_by: dict[tuple[str, date], list[dict[str, Any]]] = defaultdict(list)
    first: dict[str, date] = {}
    for c in rows(made.lake, fact_consultation).to_pylist():
        first[c["patient_key"]] = min(first.get(c["patient_key"], date.max), c["date"])
        for grain, months in starts.items():
            day: date = c["date"]
            made_by[grain, day.replace(month=(day.month - 1) // months * months + 1, day=1)].append(c)
    seen = Counter[bool]()
    for row in rows(made.lake, EXACT).to_pylist():
        if row["period_grain"] not in starts:
            continue
        inside = made_by[row["period_grain"], row["period_start"]]
        visits = Counter(c["patient_key"] for c in inside if c["patient_key"] != UNKNOWN)
        ranked = sorted(visits, key=lambda who: (-visits[who], who))
        members: dict[str, list[dict[str, Any]]] = {
            "new": [c for c in inside if c["patient_key"] in visits and first[c["patient_key"]] >= row["period_start"]],
            "returning": [
                c for c in inside if c["patient_key"] in visits and first[c["patient_key"]] < row["period_start"]
            ],
            "evening": [c for c in inside if c["is_night_slot"] or not 6 <= c["start_minute"] // 60 < 20],
            "night": [c for c in inside if c["is_night_slot"]],
        }
        for q in MOST_FREQUENT:
            top = {*ranked[: -(-len(ranked) * q // 100)]}
            members[f"top_{q}"] = [c for c in inside if c["patient_key"] in top]
        for group in GROUPS:
            doctors = Counter(c["professional_key"] for c in members[group])
            guests = Counter(c["patient_key"] for c in members[group] if c["patient_key"] != UNKNOWN)
            most = max([*doctors.values(), *guests.values()], default=0)
            few = bool(members[group]) and (len(doctors) < 3 or most > 0.85 * len(members[group]))
            if group.startswith("top_"):
                few = can_be_few(inside, len({c["patient_key"] for c in members[group]}))
            assert row[f"{group}_by_few"] is few, (row["period_grain"], row["period_start"], group)
            seen[few] += 1
    assert min(seen[True], seen[False]) > 20


@pytest.mark.integration
def test_rounded_shares_stand_for_more_than_ten_consultations(made: Home) -> None:
    exact = {(r["period_grain"], r["period_start"]): r for r in rows(made.lake, EXACT).to_pylist()}
    looked_at = 0
    for row in rows(made.lake, use_by_group).to_pylist():
        if row["level"] != "most_frequent":
            continue
        share = 100 * exact[row["period_grain"], row["period_start"]][f"top_{row['code']}_share"]
        step = 0.1 if row["period_consultations"] >= 11_000 else 1.0
        assert abs(row["percent"] - share) <= step / 2 + 1e-9
        few = exact[row["period_grain"], row["period_start"]][f"top_{row['code']}_patients"] <= 10
        assert row["is_small"] is (few or step / 100 * row["period_consultations"] < 11)
        assert row["percent_low"] is row["percent_high"] is None
        looked_at += 1
    assert looked_at > 100
