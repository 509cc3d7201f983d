"""The European standard population of 2013, by which rates of populations of different ages are made comparable.

Source: Eurostat, Revision of the European Standard Population, 2013. A delivered file of the same form replaces it.
"""

from typing import Final

import duckdb
import pyarrow as pa

from chu_platform.building_blocks.packaged_references import (
    delivered_or_packaged,
    delivered_or_packaged_columns,
    require_whole,
)
from chu_platform.sources.european_standard_population_2013 import european_standard_population_2013
from chu_platform.tables.columns import INTEGER, LONG, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.spark_sql import POPULATION_AGES
from chu_platform.tables.table import Layer, Table, Zone

PACKAGED: Final = "standard_population"


def _rows(delivered: pa.Table) -> pa.Table:
    with duckdb.connect() as connection:
        connection.register("listed", delivered_or_packaged(delivered, PACKAGED))
        weights = connection.sql("SELECT age::INTEGER AS age, weight::BIGINT AS weight FROM listed")
        require_whole(
            connection.sql(
                f"SELECT concat('it has no weight of age ', age) FROM (SELECT unnest({list(POPULATION_AGES)}) AS age) "
                "ANTI JOIN weights USING (age) ORDER BY age"
            ),
            PACKAGED,
            european_standard_population_2013.name,
        )
        return weights.to_arrow_table()


standard_population = Table(
    name="standard_population",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="une tranche d’âge de cinq ans",
    label="Population type européenne de 2013",
    owner="team:references",
    access=REFERENCES,
    columns=[
        Column("age", INTEGER, "premier âge de la tranche de cinq ans ; 90 : 90 ans et plus", "Âge", key=True),
        Column("weight", LONG, "personnes de cette tranche, sur 100 000", "Poids", nullable=False),
    ],
    reads={"delivered": european_standard_population_2013},
    rows=Computed(
        _rows,
        from_columns={
            "age": delivered_or_packaged_columns(PACKAGED, "age"),
            "weight": delivered_or_packaged_columns(PACKAGED, "weight"),
            EVERY_ROW: delivered_or_packaged_columns(PACKAGED, "age"),
        },
    ),
)
