"""The mask of the hospital stay indicators (3, 4, 5 and 11). They are one family, because they have the same total."""

from typing import Final

from chu_platform.indicators.indicator import MaskFamily
from chu_platform.sdc.cell_masks import Measures, over_time
from chu_platform.sdc.primary_rules import PrimaryRules

MEASURES: Final = ("events", "days", "patients", "base_patients")
# The deliveries name no professional of a stay.
RULES: Final = PrimaryRules(
    counts=["events", "patients", "base_patients"],
    parts=[("patients", "base_patients")],
    repeats=[("patients", "events")],
)
# The total of indicator 3, which the other members of the family break down.
TOTAL: Final = "p.indicator = 'kpi_hospitalisation_rate'"

# What follows a stay is counted in stays, without their days.
FOLLOW_UP: Final = "p.indicator IN ('kpi_follow_up', 'hidden follow-up')"

stay_mask = MaskFamily(
    name="stay_mask",
    label="Masquage des indicateurs d’hospitalisation",
    # Patients and base patients are not additive over diagnoses, ages or time: a patient may be in several cells.
    systems=[
        Measures(["events", "days"], over_time(f"NOT ({FOLLOW_UP})")),
        Measures(["patients"], []),
        Measures(["base_patients"], []),
        Measures(["events"], over_time(FOLLOW_UP)),
    ],
    persons="patients",
)
