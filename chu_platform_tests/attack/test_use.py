"""What the attackers make of use over time: small zones by hand, with one leak each."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from chu_platform.attack import Inputs
from chu_platform_tests.attack.zone import PLACES, USE, attacked, consultations, place, table, year, zone

pytestmark = pytest.mark.unit


def months(*new: int | None, total: int = 100) -> Inputs:
    """The months of 2019 with their new patients, None where they are masked, and those of the quarter."""
    places, use = [], []
    for number, value in enumerate(new, 1):
        end = date(2019, number + 1, 1)
        month = {"period_grain": "month", "period_start": date(2019, number, 1), "period_end": end}
        places.append(place("total", "total", patients=total, **month))
        use += [
            place("patients", "new", patients=value, **month),
            place("patients", "returning", patients=None if value is None else total - value, **month),
        ]
    return zone((PLACES, table(PLACES, *places)), (USE, table(USE, *use)))


def test_a_total_gives_the_returning_patients_beside_the_new_ones() -> None:
    inputs = zone(
        (PLACES, table(PLACES, place("total", "total", patients=100, **year(2019)))),
        (
            USE,
            table(
                USE, place("patients", "new", patients=93, **year(2019)), place("patients", "returning", **year(2019))
            ),
        ),
    )
    assert ("year", "2019-01-01", "patients", "returning", "patients has one possible value") in attacked(1, inputs)


def test_new_patients_of_a_quarter_give_those_of_its_masked_month() -> None:
    inputs = months(40, 30, None)
    quarter = {"period_grain": "quarter", "period_start": date(2019, 1, 1), "period_end": date(2019, 4, 1)}
    use = pa.concat_tables([inputs.published[USE], table(USE, place("patients", "new", patients=77, **quarter))])
    hidden = ("month", "2019-03-01", "patients", "new", "patients has one possible value")
    assert hidden in attacked(1, zone((PLACES, inputs.published[PLACES]), (USE, use)))
    assert attacked(1, inputs) == set()


def test_all_patients_are_the_new_ones_of_the_years() -> None:
    places = table(PLACES, place("total", "total", patients=150))
    use = table(USE, place("patients", "new", patients=143, **year(2019)), place("patients", "new", **year(2020)))
    found = attacked(1, zone((PLACES, places), (USE, use)))
    assert found == {("year", "2020-01-01", "patients", "new", "patients has one possible value")}


def test_rows_repeat_what_is_masked_of_the_total() -> None:
    places = table(PLACES, place("total", "total", **year(2019)))
    use = table(USE, place("patients", "new", patients=60, period_patients=100, period_consultations=130, **year(2019)))
    found = attacked(1, zone((PLACES, places), (USE, use)))
    of_total = {
        ("year", "2019-01-01", "total", "total", f"{m} from visible rates") for m in ("patients", "consultations")
    }
    assert of_total <= found


@pytest.mark.parametrize(("evening", "is_found"), [(92, True), (80, False)])
def test_few_consultations_of_the_day_follow_from_those_of_the_evening(evening: int, is_found: bool) -> None:
    places = table(PLACES, place("total", "total", events=100, consultations=100))
    use = table(USE, place("slot", "evening", consultations=evening))
    found = attacked(1, zone((PLACES, places), (USE, use)))
    assert found == ({("slot", "day", "consultations has one possible value")} if is_found else set())


def frequent(*percents: float, patients: int = 1000, events: int = 2000) -> Inputs:
    """Shares of the 1, 5 and 10 % of the patients of all periods who come most often."""
    rows = [
        place("most_frequent", str(q), percent=percent, period_patients=patients, period_consultations=events)
        for q, percent in zip((1, 5, 10), percents, strict=False)
    ]
    return zone((USE, table(USE, *rows)))


def test_shares_of_many_patients_disclose_nobody() -> None:
    assert attacked(6, frequent(3, 12, 21, patients=1100)) == set()
    assert attacked(6, frequent(3.2, 11.9, 20.8, patients=9000, events=12_000)) == set()


def test_a_group_of_ten_is_found() -> None:
    assert attacked(6, frequent(3, 12)) == {("most_frequent", "1", "patients of a group, or between two")}


def test_a_share_that_is_rounded_too_little_is_found() -> None:
    """1 % of 900 consultations is nine of them: the sum is known but for nine."""
    found = attacked(6, frequent(4, 15, patients=850, events=900))
    assert {("most_frequent", q, "sum of consultations") for q in "15"} <= found


def test_a_count_of_one_patient_that_follows_from_shares_is_found() -> None:
    """1 % of 151 consultations, but for a half, are at most two: each of the two most frequent patients came once."""
    found = attacked(6, frequent(1, 5, patients=150, events=151))
    assert ("most_frequent", "1", "consultations of the patient with the most") in found


def test_professionals_behind_patients_and_slots_are_counted() -> None:
    """Of patient a, new in 2019, two doctors know 14 visits; the evening is the work of one."""
    made: list[tuple[Any, ...]] = [("a", "x", 480)] * 8 + [("a", "y", 480)] * 6
    made += [(f"p{n}", f"d{n % 4}", 1200 if n % 4 == 0 else 480) for n in range(40)]
    visits = consultations({"x": len(made)})
    columns = {"patient_key": 0, "professional_key": 1, "start_minute": 2}
    for name, number in columns.items():
        values = pa.array([visit[number] for visit in made])
        present = visits.column_names
        visits = (
            visits.set_column(present.index(name), name, values)
            if name in present
            else visits.append_column(name, values)
        )
    visits = visits.append_column("is_night_slot", pa.array([False] * len(made)))
    earlier = visits.filter(pa.compute.not_equal(visits["patient_key"], "a"))
    earlier = earlier.set_column(0, "date", pa.array([date(2018, 5, 1)] * len(earlier), pa.date32()))
    use = table(
        USE,
        place("patients", "new", patients=11, **year(2019)),
        place("patients", "returning", patients=40, **year(2019)),
        place("slot", "evening", consultations=11, **year(2019)),
    )
    exact = {"fact_consultation": pa.concat_tables([visits, earlier])}
    doctors = dict.fromkeys(("x", "y", "d0", "d1", "d2", "d3"), "A")
    assert attacked(2, zone((USE, use), doctors=doctors, exact=exact)) == {
        ("year", "2019-01-01", level, code, "professionals")
        for level, code in (("patients", "new"), ("slot", "evening"))
    }


def test_the_night_of_a_year_is_unknown_beside_evenings_of_months() -> None:
    """Months have no row of the night: the evenings of months are not without it."""
    months = [
        {"period_grain": "month", "period_start": date(2019, n, 1), "period_end": date(2019, n + 1, 1)} for n in (1, 2)
    ]
    places = table(PLACES, place("total", "total", events=300, consultations=300, **year(2019)))
    use = table(
        USE,
        place("slot", "evening", consultations=60, **year(2019)),
        place("slot", "night", **year(2019)),
        *(place("slot", "evening", consultations=30, **month) for month in months),
    )
    inputs = zone(
        (PLACES, places), (USE, use), exact={USE: table(USE, place("slot", "night", consultations=4, **year(2019)))}
    )
    assert attacked(1, inputs) == attacked(7, inputs) == set()
