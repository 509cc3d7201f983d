"""kpi_hospitalisation_rate_by_sex_and_age, masked.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.kpis.kpi_hospitalisation_rate_by_sex_and_age import (
    kpi_hospitalisation_rate_by_sex_and_age as exact,
)
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.sdc.masked_table import published

kpi_hospitalisation_rate_by_sex_and_age = published(
    # A standardised intensity is a weighted sum over the age bands: with the others it gives masked ones back.
    exact,
    stay_mask,
    exact.name,
    withheld=["standardised_intensity", "standardised_low", "standardised_high"],
)
