"""The mask of the consultation indicators (1, 2, 6, 12 and 14). They are one family, because they have the same total."""

from typing import Final

from chu_platform.indicators.indicator import MaskFamily
from chu_platform.sdc.cell_masks import Measures, over_time

# The total of indicator 1, which the other members of the family break down.
TOTAL: Final = "p.indicator = 'kpi_consultation_rate_by_establishment' AND p.level = 'total'"
ATTENDANCE: Final = "kpi_attendance"
# Use over time and attendance are counted in patients and in whole consultations, not in shares of them.
WHOLE: Final = f"p.indicator IN ('kpi_use_concentration', 'hidden use', '{ATTENDANCE}')"

consultation_mask = MaskFamily(
    name="consultation_mask",
    label="Masquage des indicateurs de consultation",
    # Professionals are additive over specialities, not over time. Patients are where nobody is in two parts.
    systems=[
        Measures(["events"], over_time(f"NOT ({WHOLE})")),
        Measures(["consultations"], []),
        Measures(["professionals"], []),
        Measures(["patients"], []),
    ],
    persons="patients",
)
