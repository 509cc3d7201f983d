"""The mask of the prescriptions (17). Their counts are released rounded: no sum between its cells needs a mask.

It reads the mask of consultations, because a visible row says that they are of at least so many patients.
"""

from chu_platform.indicators.indicator import MaskFamily
from chu_platform.sdc.cell_masks import Measures

prescription_mask = MaskFamily(
    name="prescription_mask",
    label="Masquage des prescriptions",
    systems=[Measures(["prescriptions"], [])],
)
