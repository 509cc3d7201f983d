"""The mask of the deaths by region (indicator 7)."""

from chu_platform.indicators.indicator import MaskFamily
from chu_platform.sdc.cell_masks import Measures

death_mask = MaskFamily(name="death_mask", label="Masquage des décès par région", systems=[Measures(["deaths"], [])])
