"""What the attackers read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

# Published tables by name: one edition.
Tables = Mapping[str, pa.Table]

PLACES: Final = "kpi_consultation_rate_by_establishment"
DIAGNOSES: Final = "kpi_consultation_rate_by_diagnosis"
SPECIALITIES: Final = "kpi_consultation_rate_by_professional"
STAYS: Final = "kpi_hospitalisation_rate"
USE: Final = "kpi_use_concentration"
ATTENDANCE: Final = "kpi_attendance"
# Tables of persons by period. Use over time and attendance come last: their rows repeat the totals of places.
CONSULTATION_TABLES: Final = (PLACES, DIAGNOSES, SPECIALITIES, USE, ATTENDANCE)
STAYS_BY_DIAGNOSIS: Final = "kpi_hospitalisation_rate_by_diagnosis"
STAYS_BY_AGE: Final = "kpi_hospitalisation_rate_by_sex_and_age"
FOLLOW_UP: Final = "kpi_follow_up"
# What follows a stay comes after the stays: its rows repeat their numbers.
STAY_TABLES: Final = (STAYS, STAYS_BY_DIAGNOSIS, STAYS_BY_AGE, FOLLOW_UP)
PERSON_TABLES: Final = (*CONSULTATION_TABLES, *STAY_TABLES)
# Tables of persons whose counts are rounded down: no sum between them holds exactly.
CYCLE: Final = "kpi_cycle"
PRESCRIPTION: Final = "kpi_prescription"
ROUNDED_TABLES: Final = (CYCLE, PRESCRIPTION)
# The facts among the exact tables: one row for each consultation, stay and prescription.
CONSULTATIONS: Final = "fact_consultation"
HOSPITALISATIONS: Final = "fact_hospitalisation"
PRESCRIPTIONS: Final = "fact_prescription"
FACTS: Final = (CONSULTATIONS, HOSPITALISATIONS, PRESCRIPTIONS)


@dataclass(frozen=True)
class Registers:
    """Public registers, as an attacker has them.

    Attributes:
        establishments: `establishment_key`, `department_code`, `region_key`.
        practices: The organisations of each professional: `professional_key`, `establishment_key`. A professional with
            n of them gives 1/n of each consultation to each.
        professions: `professional_key`, `profession_label`, `speciality_label`.
        codes: The official codes of the CIM-10: `code`, `category_code`.
        chapters: Its chapters: `chapter_code`, `first_category`, `last_category`.
        moves: The departments in which each establishment has been, `establishment_key` and `department_code`.
        careers: The specialities of each professional in time: `professional_key`, `speciality_label`, `valid_from`,
            `valid_to`.
        medications: The form of each medication: `medication_key`, `form_label`.
    """

    establishments: pa.Table
    practices: pa.Table
    professions: pa.Table
    codes: pa.Table
    chapters: pa.Table
    moves: pa.Table | None = None
    careers: pa.Table | None = None
    medications: pa.Table | None = None


@dataclass(frozen=True)
class Inputs:
    """What is attacked, and what the attackers know beside it.

    Attributes:
        published: All tables of the published zone, by name.
        registers: The public registers.
        public_sources: The published tables of public data, which the attacks on persons leave out.
        exact: The releasable tables with exact figures, by the names of the published ones, and the facts of
            FACTS; empty if the attacks that compare with the truth (2, 6, 7, 10) are not run.
        earlier: Earlier editions of the published tables, oldest first.
        insiders: How many heads of establishments attack.
    """

    published: Tables
    registers: Registers
    public_sources: frozenset[str] = frozenset()
    exact: Tables = field(default_factory=dict)
    earlier: Sequence[Tables] = ()
    insiders: int = 50

    def tables_of_persons(self, tables: Tables | None = None) -> Tables:
        """The published tables of persons that the attacks understand, of this or of another edition."""
        tables = self.published if tables is None else tables
        return {name: tables[name] for name in PERSON_TABLES if name in tables and name not in self.public_sources}
