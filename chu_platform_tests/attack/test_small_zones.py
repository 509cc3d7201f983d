"""Each attack finds a leak in a small zone, and nothing in one without: right answers are by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest

from chu_platform.attack import run_attacks
from chu_platform.attack.hierarchies import Hierarchies
from chu_platform.attack.intervals import propagate
from chu_platform.attack.knowledge import Knowledge
from chu_platform_tests.attack.zone import (
    AGES,
    DIAGNOSES,
    PLACES,
    SPECIALITIES,
    STAY_DIAGNOSES,
    STAYS,
    attacked,
    consultations,
    place,
    registers,
    table,
    year,
    zone,
)

pytestmark = pytest.mark.unit

LEAVES = [f"A00{n}" for n in range(12)]


def diagnoses(events: float, leaves: int = 12) -> tuple[str, pa.Table]:
    """A visible category with masked leaves."""
    return DIAGNOSES, table(
        DIAGNOSES,
        place("chapter", "I", events=events),
        place("category", "A00", events=events),
        *(place("leaf", code) for code in LEAVES[:leaves]),
    )


# 1: the system.


def half_establishment() -> tuple[str, pa.Table]:
    """A masked establishment with half a consultation: once, it made all counts of its family fractional."""
    return PLACES, table(
        PLACES,
        place("total", "total", events=12, consultations=12),
        place("unattached", "unattached", events=11, consultations=11),
        place("region", "84", events=1, consultations=1),
        place("department", "01", events=0.5, consultations=1),
        place("establishment", "A"),
    )


def test_twelve_leaves_of_one_beside_a_half_establishment() -> None:
    found = attacked(1, zone(half_establishment(), diagnoses(12), doctors={"d": "AB"}))
    assert {("leaf", leaf, "events has one possible value") for leaf in LEAVES} <= found


def test_twelve_leaves_of_forty_are_not_determined() -> None:
    assert attacked(1, zone(diagnoses(40))) == set()


def test_codes_without_category_are_disclosed_where_few() -> None:
    def of(without: int, **shown: int) -> set[tuple[str, ...]]:
        chapter, category = place("chapter", "I", events=500 + without), place("category", "A00", events=500)
        return attacked(
            1, zone((DIAGNOSES, table(DIAGNOSES, chapter, category, place("category", "inconnu", **shown))))
        )

    assert of(31, events=31) == set()
    one = "events has one possible value"
    assert of(5) == {("no category", "I", one), ("category", "inconnu", one)}


def test_one_more_than_leaves_is_not_determined_but_narrow() -> None:
    inputs = zone(
        diagnoses(13), exact={DIAGNOSES: table(DIAGNOSES, *(place("leaf", code, events=1) for code in LEAVES))}
    )
    assert attacked(1, inputs) == set()
    assert attacked(7, inputs) == {("leaf", code, "interval of events") for code in LEAVES}


def test_a_place_whose_doctors_all_work_there_alone_has_whole_numbers() -> None:
    """Consultations are visible and shares masked: the register says that they are equal."""
    places = table(PLACES, place("establishment", "A", consultations=30))
    assert ("establishment", "A", "events has one possible value") in attacked(
        1, zone((PLACES, places), doctors={"d": "A"})
    )
    assert attacked(1, zone((PLACES, places), doctors={"d": "A", "e": "AB"})) == set()


def test_where_no_region_is_listed_the_consultations_without_a_place_are_not_the_total() -> None:
    total = place("total", "total", events=100, consultations=100)
    without = place("unattached", "unattached")
    known = {("unattached", "unattached", f"{m} has one possible value") for m in ("events", "consultations")}
    assert not known & attacked(1, zone((PLACES, table(PLACES, total, without))))
    listed = table(PLACES, total, without, place("region", "84", events=60, consultations=60))
    assert ("unattached", "unattached", "events has one possible value") in attacked(1, zone((PLACES, listed)))


def test_where_no_sex_is_listed_the_patients_of_unknown_sex_are_not_all() -> None:
    figures = {"events": 100, "days": 200, "patients": 50, "base_patients": 500}
    half = {"events": 50, "days": 100, "patients": 25, "base_patients": 250}
    rows = [
        {"sex": "all", "age_band": "all", **figures},
        {"sex": "all", "age_band": "all", **figures, **year(2019)},
        *({"sex": sex, "age_band": "all", **half, **year(2019)} for sex in "FM"),
        {"sex": "all", "age_band": "0-4"},
    ]
    result = next(run_attacks(zone((AGES, table(AGES, *rows))), [1]))
    assert not result.left_out, "the figures do not contradict each other"


def test_patients_are_at_most_the_events() -> None:
    """Two women in the band, each with one stay at least: 2 patients of all are 2 stays of all."""
    stays = table(STAYS, {"events": 50, "days": 300, "patients": 50, "base_patients": 90})
    ages = table(
        AGES,
        {"sex": "all", "age_band": "all", "events": 50, "days": 300, "patients": 50, "base_patients": 90},
        {"sex": "F", "age_band": "all", "patients": 30, "days": 200, "base_patients": 50},
        {"sex": "M", "age_band": "all", "patients": 20, "days": 100, "base_patients": 40},
    )
    found = attacked(1, zone((STAYS, stays), (AGES, ages)))
    assert found == {("F", "all", "events has one possible value"), ("M", "all", "events has one possible value")}


@pytest.mark.parametrize(
    "shown",
    [
        {"rate_per_1000": 30.0},
        {"rate_low": 21.09},
        {"rate_high": 42.5},
    ],
)
def test_a_rate_gives_its_masked_count_back(shown: dict[str, float]) -> None:
    """30 of 1 000; Wilson's interval of 3 % with n = 1 000 is 2.109 % to 4.25 % (a published table of limits)."""
    row = place("chapter", "I", events=50, base_patients=1000, **shown)
    assert attacked(1, zone((DIAGNOSES, table(DIAGNOSES, row)))) == {("chapter", "I", "patients from visible rates")}


def test_an_intensity_gives_its_masked_count_back() -> None:
    row = place("chapter", "I", patients=30, patient_years=200.0, intensity=250.0)
    assert attacked(1, zone((DIAGNOSES, table(DIAGNOSES, row)))) == {("chapter", "I", "events from visible rates")}


# 2: contributors.


def test_a_practice_with_one_doctor() -> None:
    places = table(
        PLACES, place("establishment", "A", events=40, patients=30), place("establishment", "C", events=60, patients=50)
    )
    doctors = {"one": "A", "x": "C", "y": "C", "z": "C"}
    exact = {"fact_consultation": consultations({"one": 40, "x": 20, "y": 20, "z": 20})}
    assert attacked(2, zone((PLACES, places), doctors=doctors, exact=exact)) == {
        ("establishment", "A", "professionals")
    }


@pytest.mark.parametrize(("largest", "is_found"), [(85, False), (86, True)])
def test_one_doctor_above_85_percent(largest: int, is_found: bool) -> None:
    places = table(PLACES, place("establishment", "C", events=100, patients=50))
    made = {"x": largest, "y": 7, "z": 100 - largest - 7}
    inputs = zone((PLACES, places), doctors=dict.fromkeys("xyz", "C"), exact={"fact_consultation": consultations(made)})
    assert attacked(2, inputs) == ({("establishment", "C", "professionals")} if is_found else set())


def test_doctors_who_came_after_all_closed_years_are_not_behind_their_figure() -> None:
    """The row ends with 2020: who works in 2021 only is behind no figure."""
    places = table(PLACES, place("establishment", "C", events=100, patients=50))
    doctors = dict.fromkeys("xyzt", "C")
    inside, after = consultations({"x": 40, "y": 40}), consultations({"z": 30, "t": 30})
    after = after.set_column(0, "date", pa.array([date(2021, 3, 1)] * len(after), pa.date32()))
    for made, is_found in (
        (pa.concat_tables([inside, after]), True),
        (consultations({"x": 40, "y": 40, "z": 20}), False),
    ):
        found = attacked(2, zone((PLACES, places), doctors=doctors, exact={"fact_consultation": made}))
        assert found == ({("establishment", "C", "professionals")} if is_found else set())


def test_doctors_with_two_establishments_count_by_their_share() -> None:
    """30 consultations of y and z, who also work elsewhere, are 15 + 15 beside 170 of x: 85 %; with 171 it is more."""
    places = table(PLACES, place("establishment", "C", events=200, patients=50))
    doctors = {"x": "C", "y": "CD", "z": "CD"}
    for own, found in ((170, set()), (171, {("establishment", "C", "professionals")})):
        exact = {"fact_consultation": consultations({"x": own, "y": 30, "z": 30})}
        assert attacked(2, zone((PLACES, places), doctors=doctors, exact=exact)) == found


@pytest.mark.parametrize(("patients", "is_found"), [(10, True), (11, False)])
def test_ten_visible_patients(patients: int, is_found: bool) -> None:
    rows = table(DIAGNOSES, place("chapter", "I", events=40, patients=patients))
    assert attacked(2, zone((DIAGNOSES, rows))) == ({("chapter", "I", "patients")} if is_found else set())


# 3: public incidence.


def test_a_doctor_alone_in_a_visible_establishment() -> None:
    places = table(
        PLACES,
        place("establishment", "A", events=40, consultations=40),
        place("establishment", "C", events=60, consultations=60),
    )
    inputs = zone((PLACES, places), doctors={"one": "A", "x": "C", "y": "C", "z": "C"})
    assert attacked(3, inputs) == {("establishment", "A", "consultations of one or two professionals")}


def test_colleagues_of_an_establishment_without_row_do_not_hide_a_doctor() -> None:
    """A colleague also works in B, and B has no row: the colleague made no consultation."""
    places = table(PLACES, place("establishment", "A", events=40, consultations=40))
    hidden = zone((PLACES, places), doctors={"one": "A", "other": "AB"})
    assert attacked(3, hidden) == {("establishment", "A", "consultations of one or two professionals")}
    listed = table(PLACES, place("establishment", "A", events=40), place("establishment", "B"))
    assert attacked(3, zone((PLACES, listed), doctors={"one": "A", "other": "AB"})) == set()


def test_colleagues_of_an_establishment_whose_row_may_be_left_out_hide_a_doctor() -> None:
    """The department has 30 consultations more than A, and no masked row: masked rows are not listed."""

    def found(*more: dict[str, object]) -> set[tuple[str, ...]]:
        rows = [place("department", "01", events=70), place("establishment", "A", events=40), *more]
        return attacked(3, zone((PLACES, table(PLACES, *rows)), doctors={"one": "A", "other": "AB", "third": "B"}))

    of_a = ("establishment", "A", "consultations of one or two professionals")
    assert of_a not in found()
    # A masked row of another department is listed: B would be.
    assert of_a in found(place("establishment", "H"))


def test_whole_consultations_and_shares_are_two_equations() -> None:
    """x + y / 2 = 40 and x + y = 50."""
    both = table(PLACES, place("establishment", "A", events=40, consultations=50), place("establishment", "B"))
    shares = table(PLACES, place("establishment", "A", events=40), place("establishment", "B"))
    doctors = {"x": "A", "y": "AB"}
    assert attacked(3, zone((PLACES, both), doctors=doctors)) == {
        ("establishment", "A", "consultations of one or two professionals")
    }
    assert attacked(3, zone((PLACES, shares), doctors=doctors)) == set()


@pytest.mark.parametrize(("others", "is_found"), [("y", True), ("yz", True), ("yzt", False)])
def test_the_doctors_who_work_half_in_a_place(others: str, is_found: bool) -> None:
    """Four doctors work in A only. The others also work in B, which has a row: 40 = n + m / 2, and 50 = n + m."""
    places = table(PLACES, place("establishment", "A", events=40, consultations=50), place("establishment", "B"))
    doctors = {**dict.fromkeys("abcd", "A"), **dict.fromkeys(others, "AB")}
    expected = {("establishment", "A", "consultations of one or two professionals")} if is_found else set()
    assert attacked(3, zone((PLACES, places), doctors=doctors)) == expected


# 4: complements.


@pytest.mark.parametrize(
    ("patients", "is_found"),
    [(24, True), (25, True), (14, False), (15, True)],
    ids=["one", "unanimous", "eleven", "ten"],
)
def test_patients_of_a_base_of_25(patients: int, is_found: bool) -> None:
    ages = table(
        AGES, {"sex": "F", "age_band": "0-4", "events": 60, "days": 90, "patients": patients, "base_patients": 25}
    )
    assert attacked(4, zone((AGES, ages))) == ({("F", "0-4", "base_patients - patients")} if is_found else set())


@pytest.mark.parametrize(("events", "is_found"), [(41, True), (40, False), (42, False)])
def test_one_event_more_than_patients(events: int, is_found: bool) -> None:
    rows = table(DIAGNOSES, place("chapter", "I", events=events, patients=40, base_patients=1000))
    assert attacked(4, zone((DIAGNOSES, rows))) == ({("chapter", "I", "events - patients")} if is_found else set())


# 5: inclusion and exclusion.


def category_with_two_leaves(whole: int, first: int | None, second: int | None) -> set[tuple[str, ...]]:
    rows = [place("category", "A00", events=500, patients=whole)]
    rows += [place("leaf", code, events=250, patients=n) for code, n in (("A000", first), ("A001", second))]
    return attacked(5, zone((DIAGNOSES, table(DIAGNOSES, *rows))))


def test_patients_of_two_leaves() -> None:
    several = ("category", "A00", f"patients in several leaves of {DIAGNOSES}")
    assert category_with_two_leaves(60, 35, 40) == set(), "15 have both, 20 only the first, 25 only the second"
    assert category_with_two_leaves(60, 33, 30) == {several}, "3 have both"
    assert category_with_two_leaves(60, 55, None) == {("category", "A00", "patients without those of leaf|A000")}
    assert category_with_two_leaves(60, 40, None) == set()


def test_patients_of_two_years() -> None:
    rows = [
        place("chapter", "I", events=300, patients=95),
        *(place("chapter", "I", events=150, patients=n, **year(y)) for y, n in ((2019, 50), (2020, 49))),
    ]
    found = attacked(5, zone((DIAGNOSES, table(DIAGNOSES, *rows))))
    assert found == {("chapter", "I", f"patients in several all of {DIAGNOSES}")}, "4 came in both years"


# 6: quantiles.


@pytest.mark.parametrize(("professionals", "is_found"), [(14, True), (15, False)])
def test_fewer_than_three_professionals_below_a_quantile(professionals: int, is_found: bool) -> None:
    row = {
        "profession": "Médecin",
        "speciality": "Cardiologie",
        "professionals": professionals,
        "events": 300,
        "patients": 200,
    }
    figures = {"active_years": 60, "events_per_active_year": 5.0, "median": 5.0, "p20": 3.0, "p80": 8.0}
    found = attacked(6, zone((SPECIALITIES, table(SPECIALITIES, {**row, **figures}))))
    assert found == ({("Médecin", "Cardiologie", "p20"), ("Médecin", "Cardiologie", "p80")} if is_found else set())


def test_a_funnel_is_symmetric_around_a_masked_mean() -> None:
    row = {
        "profession": "Médecin",
        "speciality": "Cardiologie",
        "professionals": 40,
        "funnel_low": 3.0,
        "funnel_high": 7.0,
    }
    found = attacked(6, zone((SPECIALITIES, table(SPECIALITIES, row))))
    assert found == {("Médecin", "Cardiologie", "mean from the funnel")}


# 7: intervals.


def test_two_leaves_of_eight_are_known_to_be_small_but_one_beside_forty_is_not() -> None:
    def found(first: int, second: int) -> set[tuple[str, ...]]:
        leaves = (("A000", first), ("A001", second))
        shown = table(
            DIAGNOSES, place("category", "A00", events=first + second), *(place("leaf", code) for code, _ in leaves)
        )
        exact = table(DIAGNOSES, *(place("leaf", code, events=n) for code, n in leaves))
        return attacked(7, zone((DIAGNOSES, shown), exact={DIAGNOSES: exact}))

    assert found(3, 5) == {("leaf", "A000", "interval of events"), ("leaf", "A001", "interval of events")}
    assert found(3, 40) == set()
    assert found(3, 8) == {("leaf", "A000", "interval of events"), ("leaf", "A001", "interval of events")}, "1 to 10"
    assert found(3, 9) == set(), "1 to 11, which is 10 wide"


@pytest.mark.parametrize(
    ("shown", "bounds"),
    [
        ({}, (1, 119)),
        # At least one day a stay, and at most 366.
        ({"days": 8}, (1, 8)),
        # 5 210 days are left to the other one: at least 15 stays.
        ({"days": 3700}, (11, 105)),
        # 88 of the 120 patients are in the other one only: at least 88 stays.
        ({"patients": 7}, (7, 32)),
    ],
)
def test_the_figures_of_a_row_bound_each_other(shown: Mapping[str, float], bounds: tuple[int, int]) -> None:
    """A chapter of 150 stays: one of its categories has 30, two are masked, of one of them some figures are visible."""
    rows = table(
        STAY_DIAGNOSES,
        place("chapter", "I", events=150, patients=120, days=9000),
        place("category", "A00", events=30, patients=25, days=90),
        place("category", "A01", **shown),
        place("category", "B00"),
    )
    system = Knowledge(zone((STAY_DIAGNOSES, rows))).system
    found = propagate(system.matrix, system.row_bounds, *system.column_bounds, system.step_array)
    column = system.unknown[(STAY_DIAGNOSES, "all", None, ("category", "A01")), "events"]
    assert (found.low[column], found.high[column]) == bounds


def test_a_rule_that_visible_rows_contradict_is_none() -> None:
    """Stays of 0 days: a category may have more stays than days. The other one has 8 980 days, so at least 25 stays."""
    rows = table(
        STAY_DIAGNOSES,
        place("chapter", "I", events=150, patients=120, days=9000),
        place("category", "A00", events=30, patients=25, days=12),
        place("category", "A01", days=8),
        place("category", "B00"),
    )
    system = Knowledge(zone((STAY_DIAGNOSES, rows))).system
    found = propagate(system.matrix, system.row_bounds, *system.column_bounds, system.step_array)
    assert found.high[system.unknown[(STAY_DIAGNOSES, "all", None, ("category", "A01")), "events"]] == 95


# 8: side tables.


def side(name: str, *rows: Mapping[str, object]) -> tuple[str, pa.Table]:
    return name, pa.Table.from_pylist([dict(row) for row in rows])


def test_a_coverage_share_of_masked_cells() -> None:
    """3 of 3 000 events are masked: 0.999. Of 300 000 events, the share says no more than some hundreds."""
    for shown, masked, is_found in ((2997, 0.999, True), (29_700, 0.99, False)):
        rows = table(DIAGNOSES, place("chapter", "I", events=shown), place("chapter", "II"))
        coverage = side(
            "publication_coverage",
            {"indicator": DIAGNOSES, "grain": "all", "level": "chapter", "cells_masked": 1, "visible_share": masked},
        )
        found = attacked(8, zone((DIAGNOSES, rows), coverage))
        assert (
            ("publication_coverage" in str(found)) or (DIAGNOSES, "all", "chapter", "sum of masked cells") in found
        ) == is_found


def test_checks_and_counts_of_rows_about_persons() -> None:
    checks = side(
        "check_result",
        {
            "layer": "facts",
            "table": "fact_consultation",
            "check": "before_birth",
            "type": "consistency",
            "measured": 3.0,
        },
        {"layer": "facts", "table": "fact_consultation", "check": "domain", "type": "domain", "measured": 0.0},
        {
            "layer": "facts",
            "table": "fact_hospitalisation",
            "check": "before_birth",
            "type": "consistency",
            "measured": 86.0,
        },
        {"layer": "facts", "table": "fact_death", "check": "age", "type": "range", "measured": 2.0},
        {
            "layer": "rejects",
            "table": "Patient",
            "check": "rejected_share",
            "type": "reconciliation",
            "measured": 4 / 1000,
        },
    )
    sources = side(
        "source_quality",
        {"source": "Patient", "rows_in": 1000, "rows_kept": 996, "rows_rejected": 4, "rejected_share": 0.004},
        {"source": "Consultation", "rows_in": 1000, "rows_kept": 1000, "rows_rejected": 0, "rejected_share": 0.0},
        {"source": "etablissement_sante", "rows_in": 100, "rows_kept": 98, "rows_rejected": 2, "rejected_share": 0.02},
    )
    assert attacked(8, zone(checks, sources)) == {
        ("facts", "fact_consultation", "before_birth", "measured"),
        ("rejects", "Patient", "rejected_share", "measured"),
        ("Patient", "rows_rejected"),
    }


def test_rare_codes_in_search_lists() -> None:
    rows = table(DIAGNOSES, place("chapter", "I", events=50, patients=40), place("category", "A00"))
    places = table(PLACES, place("establishment", "A", events=50), place("establishment", "B"))
    codes = side("published_diagnosis", {"level": "chapter", "code": "I"}, {"level": "category", "code": "A00"})
    houses = side("published_establishment", {"establishment_key": "A"}, {"establishment_key": "B"})
    assert attacked(8, zone((DIAGNOSES, rows), (PLACES, places), codes, houses)) == {
        ("category", "A00", "exists"),
        ("B", "exists"),
    }
    every_code = side("published_diagnosis", *({"level": "category", "code": c} for c in ("A00", "A01", "B00")))
    every_house = side("published_establishment", *({"establishment_key": e} for e in "ABCDEFGH"))
    assert attacked(8, zone((DIAGNOSES, rows), (PLACES, places), every_code, every_house)) == set()


def test_departments_in_which_an_establishment_has_moved_are_no_sums_of_those_that_are_there() -> None:
    moves = pa.table({"establishment_key": ["A", "A", "B", "C"], "department_code": ["01", "75", "01", "69"]})
    known, moved = Hierarchies(registers({"x": "A"})), Hierarchies(replace(registers({"x": "A"}), moves=moves))
    assert known.parent_place(("establishment", "B")) == ("department", "01")
    assert ("department", "01") in known.weights
    assert moved.mixed == {"01", "75"}
    assert moved.parent_place(("establishment", "B")) is None
    assert moved.parent_place(("establishment", "C")) == ("department", "69")
    assert moved.parent_place(("department", "01")) == ("region", "84")
    assert ("department", "01") not in moved.weights and ("establishment", "A") in moved.weights


# 9: editions.


def edition(stays: int | None, all_stays: int = 300) -> dict[str, pa.Table]:
    years = table(STAYS, {"events": all_stays, "patients": 250}, {**year(2019), "events": stays, "patients": 80})
    return {STAYS: years}


def test_two_editions_that_differ_by_one_stay() -> None:
    now = zone(*edition(100).items())
    differ = "events differ from an earlier edition"
    assert attacked(9, replace(now, earlier=[edition(99, 299)])) == {(differ,), ("year", "2019-01-01", differ)}
    assert attacked(9, replace(now, earlier=[edition(100, 250)])) == set(), "growth of a closed table by 50 stays"
    assert attacked(9, replace(now, earlier=[edition(100)])) == set()


def test_two_masks_of_the_same_figures_disclose_together() -> None:
    """Each edition masks two of three categories. Together, only one is unknown, and the chapter is their sum."""

    def masked(*hidden: str) -> dict[str, pa.Table]:
        figures = {"A00": 40, "A01": 5, "B00": 55}
        rows = [place("category", c, **({} if c in hidden else {"events": n})) for c, n in figures.items()]
        return {DIAGNOSES: table(DIAGNOSES, place("chapter", "I", events=100), *rows)}

    now = zone(*masked("A00", "A01").items())
    assert attacked(1, now) == set()
    assert attacked(9, replace(now, earlier=[masked("A00", "A01")])) == set()
    assert attacked(9, replace(now, earlier=[masked("A01", "B00")])) == {
        ("category", "A01", "events from two editions")
    }


# 10: insiders.


def houses(masked: str, figures: dict[str, float]) -> dict[str, pa.Table]:
    rows = [place("establishment", e, **({} if e in masked else both(n))) for e, n in figures.items()]
    departments = {"01": sum(figures.get(e, 0) for e in "AB"), "69": sum(figures.get(e, 0) for e in "CDEFG")}
    rows += [place("department", d, **both(n)) for d, n in departments.items() if n]
    return {PLACES: table(PLACES, *rows)}


def both(events: float) -> dict[str, float]:
    return {"events": events, "consultations": events}


def exact_houses(figures: dict[str, float]) -> dict[str, pa.Table]:
    return {PLACES: table(PLACES, *(place("establishment", e, **both(n)) for e, n in figures.items()))}


def test_the_head_of_one_of_two_establishments() -> None:
    figures = {"A": 40.0, "B": 70.0}
    inputs = zone(*houses("AB", figures).items(), exact=exact_houses(figures), doctors={"x": "A", "y": "B"})
    assert attacked(1, inputs) == set(), "an outsider knows neither"
    measures = ("events", "consultations")
    learned = {("establishment", e, f"{m}, by {by}") for e, by in ("AB", "BA") for m in measures}
    assert attacked(10, inputs) == learned


def test_a_place_with_one_establishment_is_known_to_its_head() -> None:
    """H is alone in department 75 and in region 11: the masked figures of both are its own."""
    figures = {"C": 40.0, "D": 70.0, "E": 50.0, "H": 60.0}
    shown = [place("total", "total", **both(220.0)), place("region", "84"), place("region", "11")]
    shown += [place("department", d) for d in ("69", "75")] + [place("establishment", e) for e in figures]
    inputs = zone((PLACES, table(PLACES, *shown)), exact=exact_houses(figures), doctors={e: e for e in figures})
    # What H learns is the sum of the three others, of region 84 and department 69.
    others = {("region", "84"), ("department", "69")}
    assert {key[:2] for key in attacked(10, inputs) if key[2].endswith("by H")} == others


def test_the_head_of_one_of_five_establishments() -> None:
    figures = {"C": 40.0, "D": 70.0, "E": 50.0, "F": 60.0, "G": 80.0}
    inputs = zone(*houses("CDE", figures).items(), exact=exact_houses(figures), doctors={"x": "C", "y": "D", "z": "E"})
    assert attacked(10, inputs) == set()


def test_an_insider_who_is_nearly_the_whole_department() -> None:
    figures = {"C": 400.0, "D": 1.0, "E": 2.0, "F": 2.0, "G": 3.0}
    inputs = zone(*houses("CDEFG", figures).items(), exact=exact_houses(figures), doctors={"x": "C"})
    assert ("department", "69", "events outside of C") in attacked(10, inputs)


def test_without_the_truth_the_attacks_say_what_they_left_out() -> None:
    results = {r.number: r for r in run_attacks(zone(*edition(100).items()))}
    assert set(results) == set(range(1, 11))
    assert results[2].left_out and results[9].left_out and results[10].left_out
