"""Which rows of the consultation indicators (1, 2 and 6) are published with figures.

Published: totals, regions and chapters at every grain; departments, categories, professions by year and over all;
establishments and leaves over all.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from typing import Final

import pyarrow as pa

from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.kpis.kpi_consultation_rate_by_diagnosis import (
    kpi_consultation_rate_by_diagnosis as by_diagnosis,
)
from chu_platform.kpis.kpi_consultation_rate_by_establishment import (
    kpi_consultation_rate_by_establishment as by_establishment,
)
from chu_platform.kpis.kpi_consultation_rate_by_professional import (
    kpi_consultation_rate_by_professional as by_professional,
)
from chu_platform.masks.consultation_by_speciality import consultation_by_speciality
from chu_platform.sdc.cell_masks import MASK_COLUMNS, Measures, columns_of, mask, over_time, same_period, small
from chu_platform.sdc.diagnosis_cells import diagnosis_cells, diagnosis_relations
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.table import Layer, Table, Zone

CELLS: Final = f"""
    SELECT '{by_establishment.name}' AS indicator, concat_ws('|', period_grain, period_start, level, code) AS cell,
           period_grain AS grain, period_start AS start, level, code,
           {small("events")} OR {small("patients")} OR {small("base_patients")} AS small, events AS weight, events
    FROM establishments
    WHERE level IN ('total', 'unattached', 'region') OR (level = 'department' AND period_grain IN ('year', 'all'))
       OR (level = 'establishment' AND period_grain = 'all')
    UNION ALL
    {
    diagnosis_cells(
        by_diagnosis.name,
        ["events"],
        "level = 'chapter' OR (level = 'category' AND period_grain IN ('year', 'all')) OR (level = 'leaf' AND period_grain = 'all')",
    )
}
    UNION ALL
    SELECT '{by_professional.name}', concat_ws('|', period_grain, period_start, profession, speciality),
           period_grain, period_start, 'speciality', concat_ws('|', profession, speciality),
           {small("events")} OR {small("patients")} OR {small("professionals")}, events, events
    FROM specialities
"""
TOTAL: Final = f"p.indicator = '{by_establishment.name}' AND p.level = 'total'"
RELATIONS: Final = [
    *over_time(),
    same_period(TOTAL, f"c.indicator = '{by_establishment.name}' AND c.level IN ('region', 'unattached')"),
    same_period(
        "p.level = 'region'",
        "c.level = 'department'",
        "EXISTS (FROM establishment e WHERE e.department_code = c.code AND e.region_key = p.code)",
    ),
    """
    SELECT p.id, c.id FROM cell p JOIN cell c ON p.grain = c.grain AND p.start = c.start
    JOIN establishment e ON e.establishment_key = c.code AND e.department_code = p.code
    WHERE p.level = 'department' AND c.level = 'establishment'
    """,
    *diagnosis_relations(by_diagnosis.name, TOTAL),
    same_period(TOTAL, "c.level = 'speciality'"),
]

PERIODS: Final = ("period_grain", "period_start")
TABLES: Final = ("establishments", "diagnoses", "specialities")
CELL_COLUMNS: Final = (
    *columns_of(*TABLES, columns=PERIODS),
    *columns_of("establishments", "diagnoses", columns=["level", "code"]),
    *columns_of("specialities", columns=["profession", "speciality"]),
)
COUNTS: Final = (
    *columns_of(*TABLES, columns=["events", "patients"]),
    *columns_of("establishments", "diagnoses", columns=["base_patients"]),
    "specialities.professionals",
)


def _rows(
    establishments: pa.Table,
    diagnoses: pa.Table,
    specialities: pa.Table,
    establishment: pa.Table,
    diagnosis: pa.Table,
) -> pa.Table:
    inputs = {
        "establishments": establishments,
        "diagnoses": diagnoses,
        "specialities": specialities,
        "establishment": establishment,
        "diagnosis": diagnosis,
    }
    return mask(inputs, CELLS, [Measures(["events"], RELATIONS)])


consultation_mask = Table(
    name="consultation_mask",
    layer=Layer.DISCLOSURE,
    zone=Zone.PSEUDONYMISED,
    grain="une ligne des indicateurs publiés de cette famille",
    label="Masquage des indicateurs de consultation",
    owner="team:privacy",
    columns=MASK_COLUMNS,
    reads={
        "establishments": by_establishment,
        "diagnoses": by_diagnosis,
        "specialities": consultation_by_speciality,
        "establishment": dim_establishment,
        "diagnosis": dim_diagnosis,
    },
    rows=Computed(
        _rows,
        from_columns={
            "indicator": (),
            "cell": CELL_COLUMNS,
            "grain": columns_of(*TABLES, columns=["period_grain"]),
            "level": columns_of("establishments", "diagnoses", columns=["level"]),
            "weight": columns_of(*TABLES, columns=["events"]),
            **dict.fromkeys(("is_masked", "reason"), COUNTS),
            EVERY_ROW: [
                *CELL_COLUMNS,
                *columns_of("establishment", columns=["establishment_key", "department_code", "region_key"]),
                *columns_of("diagnosis", columns=["diagnosis_key", "category_code", "chapter_code"]),
            ],
        },
    ),
)
