"""kpi_deaths_by_region, masked.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region as exact
from chu_platform.masks.death_mask import death_mask
from chu_platform.sdc.masked_table import published

kpi_deaths_by_region = published(exact, death_mask, exact.name, open_columns=["population"])
