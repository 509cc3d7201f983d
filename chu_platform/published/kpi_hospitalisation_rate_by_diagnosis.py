"""kpi_hospitalisation_rate_by_diagnosis, masked.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.kpis.kpi_hospitalisation_rate_by_diagnosis import (
    kpi_hospitalisation_rate_by_diagnosis as exact,
)
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.sdc.masked_table import published

kpi_hospitalisation_rate_by_diagnosis = published(exact, stay_mask, exact.name)
