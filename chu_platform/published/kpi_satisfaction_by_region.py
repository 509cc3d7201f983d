"""kpi_satisfaction_by_region, masked.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region as exact
from chu_platform.masks.satisfaction_mask import satisfaction_mask
from chu_platform.sdc.masked_table import published

kpi_satisfaction_by_region = published(
    exact,
    satisfaction_mask,
    exact.name,
    open_columns=["sites", "sites_scored", "class_a", "class_b", "class_c", "class_d"],
)
