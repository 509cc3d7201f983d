"""The patients with stays in the period `all` of an edition, which is the closed years, with their age band."""

from dataclasses import replace

from chu_platform.periods.closed_years import closed_years
from chu_platform.periods.fact_hospitalised_patient import fact_hospitalised_patient
from chu_platform.tables.period_sql import ClosedYears

hospitalised_patient_of_closed_years = replace(
    fact_hospitalised_patient,
    name="hospitalised_patient_of_closed_years",
    label="Patients hospitalisés des années closes",
    reads={**fact_hospitalised_patient.reads, "period": closed_years, "closed": closed_years},
    rows=replace(fact_hospitalised_patient.rows.in_periods(ClosedYears("hospitalisation")), over_periods=None),
)
