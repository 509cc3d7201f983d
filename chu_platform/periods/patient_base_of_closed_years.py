"""Denominators of the rates for the period `all` of an edition, which is the closed years."""

from dataclasses import replace

from chu_platform.periods.closed_years import closed_years
from chu_platform.periods.fact_patient_base import fact_patient_base

patient_base_of_closed_years = replace(
    fact_patient_base,
    name="patient_base_of_closed_years",
    label="Base de patients des années closes",
    reads={**fact_patient_base.reads, "period": closed_years},
)
