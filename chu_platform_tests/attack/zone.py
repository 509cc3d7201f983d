"""Small published zones, written by hand."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from chu_platform.attack import Finding, Inputs, Registers
from chu_platform.attack.run import run_attacks

PLACES = "kpi_consultation_rate_by_establishment"
DIAGNOSES = "kpi_consultation_rate_by_diagnosis"
SPECIALITIES = "kpi_consultation_rate_by_professional"
STAYS = "kpi_hospitalisation_rate"
STAY_DIAGNOSES = "kpi_hospitalisation_rate_by_diagnosis"
AGES = "kpi_hospitalisation_rate_by_sex_and_age"
USE = "kpi_use_concentration"
CYCLE = "kpi_cycle"
PRESCRIPTION = "kpi_prescription"
ATTENDANCE = "kpi_attendance"
_RATES = ("patient_years", "rate_per_1000", "rate_low", "rate_high", "intensity", "intensity_low", "intensity_high")
_COLUMNS: Mapping[str, Sequence[str]] = {
    PLACES: ("level", "code", "events", "consultations", "patients", "base_patients", *_RATES),
    DIAGNOSES: ("level", "code", "events", "patients", "base_patients", *_RATES),
    STAYS: ("events", "days", "patients", "base_patients", "mean_length_of_stay", *_RATES),
    STAY_DIAGNOSES: ("level", "code", "events", "days", "patients", "base_patients", "mean_length_of_stay", *_RATES),
    USE: ("level", "code", "patients", "consultations", "period_patients", "period_consultations", "percent"),
    ATTENDANCE: (
        *("level", "code", "region_code", "consultations", "period_consultations", "days", "year_consultations"),
        *("percent", "per_day"),
    ),
    AGES: ("sex", "age_band", "events", "days", "patients", "base_patients", "mean_length_of_stay", *_RATES),
    CYCLE: ("cycle", "level", "code", "median", "p90", "at_least"),
    PRESCRIPTION: ("level", "code", "at_least", "patients_at_least", "period_at_least", "percent"),
    SPECIALITIES: (
        *("profession", "speciality", "professionals", "events", "patients", "active_years"),
        *("events_per_active_year", "share", "median", "p20", "p80", "funnel_low", "funnel_high"),
    ),
}
_TEXTS = {"cycle", "level", "code", "region_code", "sex", "age_band", "profession", "speciality", "period_grain"}
# Establishments: two in department 01 and five in 69, of one region; one in department 75 of another.
HOUSES = {"A": "01", "B": "01", "C": "69", "D": "69", "E": "69", "F": "69", "G": "69", "H": "75"}
REGIONS = {"01": "84", "69": "84", "75": "11"}


def table(name: str, *rows: Mapping[str, Any]) -> pa.Table:
    """A published table. Rows are of all periods unless they say otherwise. Figures that it lacks are masked."""
    columns = ["period_grain", "period_start", "period_end", *_COLUMNS[name]]
    types = {c: pa.string() if c in _TEXTS else pa.float64() for c in columns}
    types |= {"period_start": pa.date32(), "period_end": pa.date32()}
    period = {"period_grain": "all", "period_start": date(2019, 1, 1), "period_end": date(2021, 1, 1)}
    filled = [{**period, **row} for row in rows]
    assert all(set(row) <= set(columns) for row in filled)
    return pa.Table.from_pylist(filled, pa.schema([(c, types[c]) for c in columns]))


def year(number: int) -> dict[str, Any]:
    """The period of a year, for a row."""
    return {"period_grain": "year", "period_start": date(number, 1, 1), "period_end": date(number + 1, 1, 1)}


def place(level: str, code: str, **figures: Any) -> dict[str, Any]:
    """A row by place or by diagnosis."""
    return {"level": level, "code": code, **figures}


def registers(doctors: Mapping[str, str] | None = None, speciality: str = "Cardiologie") -> Registers:
    """Public registers: the establishments of each doctor, one letter each; and a small CIM-10."""
    doctors = doctors or {}
    pairs = [(who, where) for who, houses in doctors.items() for where in houses]
    return Registers(
        establishments=pa.table(
            {
                "establishment_key": list(HOUSES),
                "department_code": list(HOUSES.values()),
                "region_key": [REGIONS[d] for d in HOUSES.values()],
            }
        ),
        practices=pa.table(
            {
                "professional_key": pa.array([who for who, _ in pairs], pa.string()),
                "establishment_key": pa.array([where for _, where in pairs], pa.string()),
            }
        ),
        professions=pa.table(
            {
                "professional_key": pa.array(list(doctors), pa.string()),
                "profession_label": pa.array(["Médecin"] * len(doctors), pa.string()),
                "speciality_label": pa.array([speciality] * len(doctors), pa.string()),
            }
        ),
        codes=pa.table(
            {"code": ["A00", "A000", "A01", "A010", "B00"], "category_code": ["A00", "A00", "A01", "A01", "B00"]}
        ),
        chapters=pa.table({"chapter_code": ["I"], "first_category": ["A00"], "last_category": ["B99"]}),
    )


def consultations(made: Mapping[str, int], code: str = "A000") -> pa.Table:
    """Consultations of 2019 with one diagnosis: how many each doctor made."""
    doctors = [who for who, number in made.items() for _ in range(number)]
    return pa.table(
        {
            "date": pa.array([date(2019, 3, 1)] * len(doctors), pa.date32()),
            "professional_key": pa.array(doctors, pa.string()),
            "diagnosis_key": pa.array([code] * len(doctors), pa.string()),
        }
    )


def zone(*tables: tuple[str, pa.Table], doctors: Mapping[str, str] | None = None, **more: Any) -> Inputs:
    """What the attackers know of a published zone of some tables."""
    return Inputs(dict(tables), registers(doctors), **more)


def attacked(number: int, inputs: Inputs) -> set[tuple[str, ...]]:
    """The cells that an attack finds: the table, the values of the key, and the measure or what was found."""
    (result,) = run_attacks(inputs, [number])
    return {_short(finding) for finding in result.found}


def _short(finding: Finding) -> tuple[str, ...]:
    key = [value for column, value in finding.key if value != "all" or column != "period_grain"]
    return (*key, finding.what)
