"""kpi_consultation_rate_by_professional, as a distribution over professions and specialities, masked.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.kpis.kpi_consultation_rate_by_professional import (
    kpi_consultation_rate_by_professional as exact,
)
from chu_platform.masks.consultation_by_speciality import consultation_by_speciality
from chu_platform.masks.consultation_mask import consultation_mask
from chu_platform.sdc.masked_table import published

kpi_consultation_rate_by_professional = published(consultation_by_speciality, consultation_mask, exact.name)
