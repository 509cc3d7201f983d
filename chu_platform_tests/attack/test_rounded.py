"""Attacks on tables whose counts are rounded down: the steps of care, and prescriptions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from chu_platform.attack import Inputs
from chu_platform.attack.inputs import CONSULTATIONS, HOSPITALISATIONS, PRESCRIPTIONS
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.reading import read_inputs
from chu_platform.attack.rounded_facts import behind
from chu_platform.kpis.kpi_cycle import EXACT as CYCLES
from chu_platform.kpis.kpi_prescription import EXACT as PRESCRIBED
from chu_platform_tests.attack.zone import (
    CYCLE,
    PLACES,
    PRESCRIPTION,
    SPECIALITIES,
    STAY_DIAGNOSES,
    STAYS,
    attacked,
    place,
    table,
    year,
    zone,
)
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

FORM = "comprimé"
# Prescriptions of 2019: patient and professional of each.
Made = Sequence[tuple[str, str]]


def step(
    cycle: str, at_least: float | None, group: tuple[str, str] = ("total", "total"), **more: Any
) -> dict[str, Any]:
    """A row of the steps of care, of 2019; masked without a count."""
    return {"cycle": cycle, **place(*group), "at_least": at_least, **year(2019), **more}


def prescribed(at_least: float | None, group: tuple[str, str] = ("total", "total"), **more: Any) -> dict[str, Any]:
    """A row of prescriptions, of 2019."""
    return {**place(*group), "at_least": at_least, "patients_at_least": at_least, **year(2019), **more}


def facts(made: Made = (), stays: Mapping[str, int] | None = None) -> dict[str, pa.Table]:
    """The exact facts: prescriptions, each in a consultation of its own; and stays of 2019, a length by patient."""
    day = date(2019, 3, 1)
    visits = {
        "date": pa.array([day] * len(made), pa.date32()),
        "patient_key": pa.array([patient for patient, _ in made], pa.string()),
        "professional_key": pa.array([who for _, who in made], pa.string()),
    }
    stays = stays or {}
    return {
        CONSULTATIONS: pa.table({**visits, "diagnosis_key": pa.array(["A000"] * len(made), pa.string())}),
        PRESCRIPTIONS: pa.table({**visits, "medication_key": pa.array(["m"] * len(made), pa.string())}),
        HOSPITALISATIONS: pa.table(
            {
                "date": pa.array([day] * len(stays), pa.date32()),
                "patient_key": pa.array(list(stays), pa.string()),
                "diagnosis_key": pa.array(["A000"] * len(stays), pa.string()),
                "days": pa.array(list(stays.values()), pa.int64()),
            }
        ),
    }


def known(*tables: tuple[str, pa.Table], exact: Mapping[str, pa.Table], doctors: Sequence[str] = ()) -> Inputs:
    """A zone, with what the public registers say of doctors and medications."""
    inputs = zone(*tables, exact=exact)
    always = {"valid_from": date(1800, 1, 1), "valid_to": date(9999, 12, 31)}
    careers = [{"professional_key": who, "speciality_label": "Cardiologie", **always} for who in doctors]
    types = {"professional_key": pa.string(), "speciality_label": pa.string()}
    schema = pa.schema([*types.items(), ("valid_from", pa.date32()), ("valid_to", pa.date32())])
    registers = replace(
        inputs.registers,
        careers=pa.Table.from_pylist(careers, schema),
        medications=pa.table({"medication_key": ["m"], "form_label": [FORM]}),
    )
    return replace(inputs, registers=registers)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ([(f"p{n}", f"d{n % 3}") for n in range(30)], set()),
        ([(f"p{n}", f"d{n % 2}") for n in range(30)], {"professionals"}),
        ([(f"p{n}", "d0" if n < 27 else f"d{n % 3}") for n in range(30)], {"professionals"}),
        ([(f"p{n % 10}", f"d{n % 3}") for n in range(30)], {"patients"}),
        ([(f"p{max(n - 180, 0)}", f"d{n % 3}") for n in range(210)], {"one patient"}),
    ],
)
def test_who_is_behind_prescriptions_is_counted(lines: Made, what: set[str]) -> None:
    published = table(PRESCRIPTION, prescribed(20, ("form", FORM)))
    inputs = known((PRESCRIPTION, published), exact=facts(lines), doctors=("d0", "d1", "d2"))
    assert attacked(2, inputs) == {("year", "2019-01-01", "form", FORM, w) for w in what}


@pytest.mark.unit
def test_a_count_that_leaves_ten_of_a_visible_whole_is_found() -> None:
    stays = table(STAYS, {"events": 110, **year(2019)})
    places = table(PLACES, place("total", "total", patients=70, **year(2019)))
    cycles = table(CYCLE, step("to_stay", 100), step("length_of_stay", 100))
    prescriptions = table(PRESCRIPTION, prescribed(60))
    found = attacked(4, zone((STAYS, stays), (PLACES, places), (CYCLE, cycles), (PRESCRIPTION, prescriptions)))
    assert found == {
        ("year", "2019-01-01", "to_stay", "total", "total", "events without those counted"),
        ("year", "2019-01-01", "total", "total", "patients without those counted"),
    }
    more = table(STAYS, {"events": 111, **year(2019)})
    assert attacked(4, zone((STAYS, more), (CYCLE, cycles))) == set()


@pytest.mark.unit
def test_a_percentile_of_few_patients_and_an_exact_count_are_found() -> None:
    length = ("year", "2019-01-01", "length_of_stay", "total", "total")

    def stays(patients: int, *, longest: int = 9) -> Inputs:
        """So many stays of one day each; the last ones are as long as their number."""
        days = {f"p{n}": 1 if n < patients - longest else 20 + n for n in range(patients)}
        row = step("length_of_stay", patients - patients % 20, p90=1)
        return known((CYCLE, table(CYCLE, row)), exact=facts(stays=days))

    assert attacked(6, stays(30)) == set()
    assert attacked(6, stays(29)) == {(*length, "percentile of few patients")}
    exact = table(CYCLE, step("length_of_stay", 31))
    assert attacked(6, known((CYCLE, exact), exact=facts(stays={f"p{n}": n for n in range(31)}))) == {
        (*length, "a count that is not rounded")
    }
    few = facts(stays={f"p{n}": 1 for n in range(30)})
    several = pa.concat_tables(
        [few[HOSPITALISATIONS], *[few[HOSPITALISATIONS].slice(0, 1).set_column(3, "days", pa.array([50]))] * 5]
    )
    inputs = known((CYCLE, table(CYCLE, step("length_of_stay", 20, p90=1))), exact={**few, HOSPITALISATIONS: several})
    assert attacked(6, inputs) == {(*length, "patients beyond the 90th percentile")}, "five stays of one patient"


@pytest.mark.unit
def test_a_row_that_shows_what_another_table_masks_is_found() -> None:
    chapter = ("chapter", "I")
    masked = table(STAY_DIAGNOSES, place(*chapter, **year(2019)))
    shown = table(STAY_DIAGNOSES, place(*chapter, events=200, days=300, patients=150, **year(2019)))
    cycles = table(CYCLE, step("length_of_stay", 20, chapter))
    told = ("year", "2019-01-01", "length_of_stay", *chapter, "says that masked events are not few")
    assert attacked(7, zone((STAY_DIAGNOSES, masked), (CYCLE, cycles))) == {told}
    assert attacked(7, zone((STAY_DIAGNOSES, shown), (CYCLE, cycles))) == set()
    specialities = table(SPECIALITIES, {"profession": "Médecin", "speciality": "Cardiologie", **year(2019)})
    prescriptions = table(PRESCRIPTION, prescribed(40, ("speciality", "Cardiologie")))
    assert ("year", "2019-01-01", "speciality", "Cardiologie", "says that masked patients are not few") in attacked(
        7, zone((SPECIALITIES, specialities), (PRESCRIPTION, prescriptions))
    )


def sums(*, with_form: bool = True) -> pa.Table:
    """Totals of two years, and forms: nine of 2020 are masked, so it has at least 29, and 2019 at most 30."""
    whole: dict[str, Any] = {
        "period_grain": "all",
        "period_start": date(2019, 1, 1),
        "period_end": date(2021, 1, 1),
    }
    both = ("form", "B")
    return table(
        PRESCRIPTION,
        prescribed(40, **whole),
        prescribed(20),
        prescribed(20, **year(2020)),
        prescribed(20 if with_form else None, both),
        prescribed(20, both, **year(2020)),
        prescribed(None, ("form", FORM)),
        *(prescribed(None, ("form", f"C{n}"), **year(2020)) for n in range(9)),
    )


# Five patients of 2019 have a form: a group that must not be known to be so small.
FIVE: Made = [(f"p{n}", f"d{n % 3}") for n in range(5)]
NARROW = ("year", "2019-01-01", "form", FORM, "interval of the count")


@pytest.mark.unit
def test_rounded_sums_that_bound_a_small_group_are_found() -> None:
    exact = facts(FIVE)
    assert attacked(7, known((PRESCRIPTION, sums()), exact=exact, doctors=("d0", "d1", "d2"))) == {NARROW}
    # One sum alone leaves room.
    alone = sums().filter(pa.compute.equal(sums()["period_start"], date(2019, 1, 1)))
    alone = alone.filter(pa.compute.equal(alone["period_grain"], "year"))
    assert attacked(7, known((PRESCRIPTION, alone), exact=exact, doctors=("d0", "d1", "d2"))) == set()


@pytest.mark.unit
def test_what_an_earlier_edition_showed_is_used() -> None:
    inputs = known((PRESCRIPTION, sums(with_form=False)), exact=facts(FIVE), doctors=("d0", "d1", "d2"))
    assert NARROW not in attacked(7, inputs)
    both = replace(inputs, earlier=[{PRESCRIPTION: sums()}])
    assert NARROW in attacked(9, both)


@pytest.mark.integration
def test_the_attackers_count_what_the_exact_tables_have(made: Home) -> None:
    """Judged by counts of their own, which share no code with the indicators, the attacks are right about the truth."""
    counted = behind(Knowledge(read_inputs(made.lake, [], 0)), {})
    assert counted
    for exact, events, key in (
        (CYCLES, "n", ("cycle", "level", "code")),
        (PRESCRIBED, "prescriptions", ("level", "code")),
    ):
        truth = {
            (exact.name, row["period_grain"], row["period_start"], tuple(row[k] for k in key)): row
            for row in rows(made.lake, exact).to_pylist()
            if row["period_grain"] == "year"
        }
        assert len(truth) > 300
        assert {c: (counted[c].events, counted[c].patients) for c in truth} == {
            c: (row[events], row["patients"]) for c, row in truth.items()
        }
        assert {c for c in counted if c[0] == exact.name and c[1] == "year"} == truth.keys()
