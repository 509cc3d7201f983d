"""Which rows of the deaths by region (indicator 7) are published with figures: all are, but for small counts.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from typing import Final

import pyarrow as pa

from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.sdc.cell_masks import MASK_COLUMNS, Measures, columns_of, mask, same_period, small
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.table import Layer, Table, Zone

CELLS: Final = f"""
    SELECT '{kpi_deaths_by_region.name}' AS indicator, concat_ws('|', year, region_code, sex, age_band) AS cell,
           'year' AS grain, concat_ws('|', year, region_code) AS start,
           concat(CASE sex WHEN 'all' THEN 'all' ELSE 'sex' END, '/', CASE age_band WHEN 'all' THEN 'all' ELSE 'age' END) AS level,
           concat_ws('|', sex, age_band) AS code, {small("deaths")} AS small, deaths::DOUBLE AS weight, deaths
    FROM deaths
    UNION ALL
    -- Deaths whose sex is not known: not published, and all less women and men.
    SELECT 'hidden', concat_ws('|', year, region_code, 'unknown', age_band), 'year', concat_ws('|', year, region_code), 'hidden',
           concat_ws('|', 'unknown', age_band), {small("sum(signed * deaths)")}, sum(signed * deaths), sum(signed * deaths)
    FROM (SELECT *, CASE sex WHEN 'all' THEN 1 ELSE -1 END AS signed FROM deaths)
    GROUP BY year, region_code, age_band HAVING sum(signed * deaths) > 0
"""
RELATIONS: Final = [
    same_period(
        "p.code LIKE 'all|%'",
        "c.code NOT LIKE 'all|%'",
        "split_part(p.code, '|', 2) = split_part(c.code, '|', 2)",
    ),
    same_period(
        "p.code LIKE '%|all'",
        "c.code NOT LIKE '%|all'",
        "split_part(p.code, '|', 1) = split_part(c.code, '|', 1)",
    ),
]


def _rows(deaths: pa.Table) -> pa.Table:
    return mask({"deaths": deaths}, CELLS, [Measures(["deaths"], RELATIONS)])


death_mask = Table(
    name="death_mask",
    layer=Layer.DISCLOSURE,
    zone=Zone.PSEUDONYMISED,
    grain="une ligne des indicateurs publiés de cette famille",
    label="Masquage des décès par région",
    owner="team:privacy",
    columns=MASK_COLUMNS,
    reads={"deaths": kpi_deaths_by_region},
    rows=Computed(
        _rows,
        from_columns={
            "indicator": (),
            "cell": columns_of("deaths", columns=["year", "region_code", "sex", "age_band"]),
            "grain": (),
            "level": columns_of("deaths", columns=["sex", "age_band"]),
            **dict.fromkeys(("weight", "is_masked", "reason"), ("deaths.deaths",)),
            EVERY_ROW: columns_of("deaths", columns=["year", "region_code", "sex", "age_band"]),
        },
    ),
)
