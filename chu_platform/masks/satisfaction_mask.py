"""The masking of the satisfaction by region (indicator 8).

The persons counted are those who answered: answers from 1 to 10 are masked. Numbers of sites are not numbers of
persons, and the scores of sites are public.
"""

from chu_platform.indicators.indicator import MaskFamily
from chu_platform.sdc.cell_masks import Measures

satisfaction_mask = MaskFamily(
    name="satisfaction_mask",
    label="Masquage de la satisfaction par région",
    systems=[Measures(["answers", "recommendation_answers"], [])],
)
