"""The mask of the steps of care (16). Its counts are released rounded: no sum between its cells needs a mask.

It reads the masks of stays and consultations, because a visible row says that its group has at least so many of them.
"""

from chu_platform.indicators.indicator import MaskFamily
from chu_platform.sdc.cell_masks import Measures

cycle_mask = MaskFamily(name="cycle_mask", label="Masquage des cycles de soins", systems=[Measures(["n"], [])])
