"""Which rows of the satisfaction by region (indicator 8) are published with figures.

The persons counted are those who answered: answers from 1 to 10 are masked. Numbers of sites are not numbers of
persons, and the scores of sites are public.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from typing import Final

import pyarrow as pa

from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.sdc.cell_masks import MASK_COLUMNS, Measures, columns_of, mask, same_period, small
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.table import Layer, Table, Zone

CELLS: Final = f"""
    SELECT '{kpi_satisfaction_by_region.name}' AS indicator, concat_ws('|', year, survey, region_code) AS cell,
           'year' AS grain, concat_ws('|', year, survey) AS start, 'region' AS level, region_code AS code,
           {small("answers")} OR {small("recommendation_answers")} AS small, answers::DOUBLE AS weight,
           answers, recommendation_answers
    FROM satisfaction
"""
RELATIONS: Final = [same_period("p.code = 'all'", "c.code <> 'all'")]


def _rows(satisfaction: pa.Table) -> pa.Table:
    return mask({"satisfaction": satisfaction}, CELLS, [Measures(["answers", "recommendation_answers"], RELATIONS)])


satisfaction_mask = Table(
    name="satisfaction_mask",
    layer=Layer.DISCLOSURE,
    zone=Zone.PSEUDONYMISED,
    grain="une ligne des indicateurs publiés de cette famille",
    label="Masquage de la satisfaction par région",
    owner="team:privacy",
    columns=MASK_COLUMNS,
    reads={"satisfaction": kpi_satisfaction_by_region},
    rows=Computed(
        _rows,
        from_columns={
            "indicator": (),
            "cell": columns_of("satisfaction", columns=["year", "survey", "region_code"]),
            "grain": (),
            "level": (),
            "weight": ["satisfaction.answers"],
            **dict.fromkeys(
                ("is_masked", "reason"),
                columns_of("satisfaction", columns=["answers", "recommendation_answers"]),
            ),
            EVERY_ROW: columns_of("satisfaction", columns=["year", "survey", "region_code"]),
        },
    ),
)
