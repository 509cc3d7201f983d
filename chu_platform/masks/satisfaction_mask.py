"""The mask of the satisfaction by region (indicator 8).

The counted persons are the patients who answered: 1 to 10 answers are masked. The numbers of sites do not count
persons, and the scores of sites are public.
"""

from chu_platform.indicators.indicator import MaskFamily
from chu_platform.sdc.cell_masks import Measures

satisfaction_mask = MaskFamily(
    name="satisfaction_mask",
    label="Masquage de la satisfaction par région",
    systems=[Measures(["answers", "recommendation_answers"], [])],
)
