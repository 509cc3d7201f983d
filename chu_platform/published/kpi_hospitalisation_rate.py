"""kpi_hospitalisation_rate, masked.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate as exact
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.sdc.masked_table import published

kpi_hospitalisation_rate = published(exact, stay_mask, exact.name)
