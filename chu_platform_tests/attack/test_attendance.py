"""What the attackers make of attendance: small zones by hand, with one leak each."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from chu_platform.attack import Inputs
from chu_platform_tests.attack.zone import ATTENDANCE, PLACES, USE, attacked, place, table, year, zone

pytestmark = pytest.mark.unit

Y2019 = year(2019)
MADE = (150, 130, 120, 110, 100, 60, 30)


def day(number: int, consultations: int | None, region: str = "all", **more: Any) -> dict[str, Any]:
    """A row of a day of the week."""
    return place("weekday", str(number), region_code=region, consultations=consultations, **{**Y2019, **more})


def days(*made: int | None, region: str = "all", **more: Any) -> list[dict[str, Any]]:
    return [day(n, value, region, **more) for n, value in enumerate(made, 1)]


def total(consultations: int | None, code: str = "total", **more: Any) -> dict[str, Any]:
    level = "total" if code == "total" else "region"
    return place(level, code, events=consultations, consultations=consultations, **{**Y2019, **more})


def of(rows: Sequence[dict[str, Any]], *totals: dict[str, Any], **more: Any) -> Inputs:
    return zone((PLACES, table(PLACES, *totals)), (ATTENDANCE, table(ATTENDANCE, *rows)), **more)


def test_all_days_of_a_place_or_none_disclose_nothing() -> None:
    for made in (MADE, [None] * 7):
        assert attacked(1, of(days(*made), total(sum(MADE)))) == set()


def test_six_days_give_the_seventh() -> None:
    found = attacked(1, of(days(*MADE[:6], None), total(sum(MADE))))
    assert found == {("year", "2019-01-01", "weekday", "7", "all", "consultations has one possible value")}


def test_the_days_of_a_region_give_its_masked_total() -> None:
    found = attacked(1, of(days(*MADE, region="84"), total(sum(MADE)), total(None, "84")))
    assert ("year", "2019-01-01", "region", "84", "consultations has one possible value") in found


def test_a_row_repeats_the_masked_total_of_its_period_and_of_its_year() -> None:
    january: dict[str, Any] = {
        "period_grain": "month",
        "period_start": date(2019, 1, 1),
        "period_end": date(2019, 2, 1),
    }
    row = day(1, 20, period_consultations=60, year_consultations=700, **january)
    found = attacked(1, of([row], total(None), total(None, **january)))
    for grain in ("year", "month"):
        assert (grain, "2019-01-01", "total", "total", "consultations from visible rates") in found


def test_a_year_gives_the_day_of_its_only_masked_month() -> None:
    months: list[dict[str, Any]] = [
        {"period_grain": "month", "period_start": date(2019, n, 1), "period_end": date(2019, n + 1, 1)}
        for n in range(1, 4)
    ]
    rows = [day(1, 100), *(day(1, value, **month) for value, month in zip((40, 52, None), months, strict=True))]
    found = attacked(1, of(rows, total(500)))
    assert found == {("month", "2019-03-01", "weekday", "1", "all", "consultations has one possible value")}


def test_the_slots_give_the_evening_of_use_over_time() -> None:
    slots = [
        place("slot", code, region_code="all", consultations=value, **Y2019)
        for code, value in (("06-13", 50), ("13-20", 40), ("20-06", 14))
    ]
    use = table(USE, place("slot", "evening", **Y2019))
    places = table(PLACES, total(104))
    found = attacked(1, zone((PLACES, places), (USE, use), (ATTENDANCE, table(ATTENDANCE, *slots))))
    assert ("year", "2019-01-01", "slot", "evening", "consultations has one possible value") in found


def test_saturday_and_sunday_give_the_weekend() -> None:
    week = place("week", "weekend", region_code="all", **Y2019)
    found = attacked(1, of([*days(*MADE), week], total(sum(MADE))))
    assert found == {("year", "2019-01-01", "week", "weekend", "all", "consultations has one possible value")}


@pytest.mark.parametrize(("mine", "is_found"), [(144, True), (100, False)])
def test_few_consultations_outside_of_a_region(mine: int, is_found: bool) -> None:
    found = attacked(5, of([day(1, 150), day(1, mine, "84")], total(700), total(650, "84")))
    assert bool(found) is is_found


def visits(*made: tuple[str, str, int]) -> pa.Table:
    """Consultations of the first Monday of 2019, in the morning: patient, doctor, how many."""
    listed = [(who, by) for who, by, number in made for _ in range(number)]
    return pa.table(
        {
            "date": pa.array([date(2019, 1, 7)] * len(listed), pa.date32()),
            "patient_key": pa.array([who for who, _ in listed], pa.string()),
            "professional_key": pa.array([by for _, by in listed], pa.string()),
            "diagnosis_key": pa.array(["A000"] * len(listed), pa.string()),
            "start_minute": pa.array([480] * len(listed), pa.int32()),
            "is_night_slot": [False] * len(listed),
        }
    )


MANY = [(f"p{n}", f"d{n % 4}", 1) for n in range(40)]


@pytest.mark.parametrize(
    ("visited", "what"),
    [
        (MANY, set()),
        ([(who, f"d{n % 2}", 1) for n, (who, _, _) in enumerate(MANY)], {"contributors"}),
        ([*MANY[:6], ("q", "d0", 60)], {"patients", "contributors"}),
    ],
)
def test_who_makes_the_consultations_of_a_day(visited: Sequence[tuple[str, str, int]], what: set[str]) -> None:
    facts = visits(*visited)
    inputs = of(
        [day(1, len(facts))],
        total(len(facts)),
        exact={"fact_consultation": facts},
        doctors={f"d{n}": "A" for n in range(4)},
    )
    assert {found[-1] for found in attacked(2, inputs) if found[2] == "weekday"} == what


@pytest.mark.parametrize(("own", "is_found"), [(33, True), (25, False)])
def test_the_head_of_a_house_and_the_few_others_of_a_region(own: int, is_found: bool) -> None:
    """The doctor of house A makes `own` of forty consultations of a Monday in region 84; C and D make the rest."""
    facts = visits(*((f"p{n}", "a" if n < own else "c" if n % 2 else "d", 1) for n in range(40)))
    exact = {
        "fact_consultation": facts,
        PLACES: table(
            PLACES, *(place("establishment", house, events=1, consultations=1, patients=1) for house in "ACD")
        ),
    }
    doctors = {"a": "A", "c": "C", "d": "D"}
    inputs = of([day(1, 40, "84")], total(900), total(300, "84"), exact=exact, doctors=doctors, insiders=3)
    found = {one for one in attacked(10, inputs) if one[2] == "weekday"}
    told = ("year", "2019-01-01", "weekday", "1", "84", "consultations outside of A")
    assert found == ({told} if is_found else set())
