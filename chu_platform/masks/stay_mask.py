"""Which rows of the stay indicators (3, 4 and 5) are published with figures.

Published: totals at every grain; chapters, sexes and ages by year and over all; categories over all. Leaves are not:
nearly every one has from 1 to 10 stays.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from typing import Final

import pyarrow as pa

from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.kpis.kpi_hospitalisation_rate_by_diagnosis import (
    kpi_hospitalisation_rate_by_diagnosis as by_diagnosis,
)
from chu_platform.kpis.kpi_hospitalisation_rate_by_sex_and_age import (
    kpi_hospitalisation_rate_by_sex_and_age as by_sex_and_age,
)
from chu_platform.sdc.cell_masks import MASK_COLUMNS, Measures, columns_of, mask, over_time, same_period, small
from chu_platform.sdc.diagnosis_cells import diagnosis_cells, diagnosis_relations
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.table import Layer, Table, Zone

MEASURES: Final = ["events", "days", "patients", "base_patients"]
CELLS: Final = f"""
    SELECT '{kpi_hospitalisation_rate.name}' AS indicator, concat_ws('|', period_grain, period_start) AS cell,
           period_grain AS grain, period_start AS start, 'total' AS level, 'total' AS code,
           {small("events")} OR {small("patients")} OR {small("base_patients")} AS small, events AS weight,
           {", ".join(MEASURES)}
    FROM stays
    UNION ALL
    {
    diagnosis_cells(
        by_diagnosis.name,
        MEASURES,
        "(level = 'chapter' AND period_grain IN ('year', 'all')) OR (level = 'category' AND period_grain = 'all')",
    )
}
    UNION ALL
    SELECT '{
    by_sex_and_age.name
}', concat_ws('|', period_grain, period_start, sex, age_band), period_grain, period_start,
           concat(CASE sex WHEN 'all' THEN 'all' ELSE 'sex' END, '/', CASE age_band WHEN 'all' THEN 'all' ELSE 'age' END),
           concat_ws('|', sex, age_band),
           {small("events")} OR {small("patients")} OR {small("base_patients")}, events, {", ".join(MEASURES)}
    FROM sexes WHERE period_grain IN ('year', 'all')
    UNION ALL
    -- Stays of patients whose sex is not known: not published, and all less women and men.
    SELECT 'hidden sex', concat_ws('|', period_grain, period_start, 'unknown', age_band), period_grain, period_start, 'hidden',
           concat_ws('|', 'unknown', age_band), {small("sum(signed * events)")}, sum(signed * events),
           {", ".join(f"sum(signed * {m})" for m in MEASURES)}
    FROM (SELECT *, CASE sex WHEN 'all' THEN 1 ELSE -1 END AS signed FROM sexes WHERE period_grain IN ('year', 'all'))
    GROUP BY period_grain, period_start, age_band HAVING sum(signed * events) > 0
"""
SEXES: Final = same_period(
    f"p.indicator = '{by_sex_and_age.name}' AND p.code LIKE 'all|%'",
    f"(c.indicator = '{by_sex_and_age.name}' AND c.code NOT LIKE 'all|%') OR c.indicator = 'hidden sex'",
    "split_part(p.code, '|', 2) = split_part(c.code, '|', 2)",
)
AGES: Final = same_period(
    f"p.indicator = '{by_sex_and_age.name}' AND p.code LIKE '%|all'",
    f"c.indicator = '{by_sex_and_age.name}' AND c.code NOT LIKE '%|all'",
    "split_part(p.code, '|', 1) = split_part(c.code, '|', 1)",
)
TOTAL: Final = f"p.indicator = '{kpi_hospitalisation_rate.name}'"
# The total of indicator 3 stands again in indicator 5.
SAME_TOTAL: Final = same_period(TOTAL, f"c.indicator = '{by_sex_and_age.name}' AND c.code = 'all|all'")
RELATIONS: Final = [*over_time(), *diagnosis_relations(by_diagnosis.name, TOTAL), SAME_TOTAL, SEXES, AGES]


def _of_persons(measure: str) -> str:
    """SQL of the relations of the sexes for a count of persons: a hidden cell without persons hides none."""
    return f"""
        SELECT p.id, c.id FROM ({SEXES}) AS pair(parent, child)
        JOIN cell p ON p.id = parent JOIN cell c ON c.id = child
        WHERE c.indicator <> 'hidden sex' OR c.{measure} > 0
        """


TABLES: Final = ("stays", "diagnoses", "sexes")
CELL_COLUMNS: Final = (
    *columns_of(*TABLES, columns=["period_grain", "period_start"]),
    *columns_of("diagnoses", columns=["level", "code"]),
    *columns_of("sexes", columns=["sex", "age_band"]),
)


def _rows(stays: pa.Table, diagnoses: pa.Table, sexes: pa.Table, diagnosis: pa.Table) -> pa.Table:
    inputs = {"stays": stays, "diagnoses": diagnoses, "sexes": sexes, "diagnosis": diagnosis}
    # Patients and the base sum over the sexes only: in a year, a patient is of several ages.
    persons = [Measures([measure], [_of_persons(measure)]) for measure in ("patients", "base_patients")]
    return mask(inputs, CELLS, [Measures(["events", "days"], RELATIONS), *persons])


stay_mask = Table(
    name="stay_mask",
    layer=Layer.DISCLOSURE,
    zone=Zone.PSEUDONYMISED,
    grain="une ligne des indicateurs publiés de cette famille",
    label="Masquage des indicateurs d’hospitalisation",
    owner="team:privacy",
    columns=MASK_COLUMNS,
    reads={
        "stays": kpi_hospitalisation_rate,
        "diagnoses": by_diagnosis,
        "sexes": by_sex_and_age,
        "diagnosis": dim_diagnosis,
    },
    rows=Computed(
        _rows,
        from_columns={
            "indicator": (),
            "cell": CELL_COLUMNS,
            "grain": columns_of(*TABLES, columns=["period_grain"]),
            "level": ["diagnoses.level", *columns_of("sexes", columns=["sex", "age_band"])],
            "weight": columns_of(*TABLES, columns=["events"]),
            **dict.fromkeys(("is_masked", "reason"), columns_of(*TABLES, columns=MEASURES)),
            EVERY_ROW: [
                *CELL_COLUMNS,
                *columns_of("diagnosis", columns=["diagnosis_key", "category_code", "chapter_code"]),
            ],
        },
    ),
)
