"""Mortality tables of metropolitan France by sex and year of age: probabilities of dying within the year.

The packaged file has Insee's quotients of table T68 (2020 to 2022 through Ined; Licence Ouverte 2.0), 1977 to 2022. The
table of a year is the average of that year and the two before. A delivered file of the same form replaces it.
"""

from typing import Final

import duckdb
import pyarrow as pa

from chu_platform.building_blocks.packaged_references import (
    delivered_or_packaged,
    delivered_or_packaged_columns,
    require_whole,
)
from chu_platform.sources.mortality_quotients_sex_age import AGES, mortality_quotients_sex_age
from chu_platform.tables.checks import one_of
from chu_platform.tables.columns import DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.table import Layer, Layout, Table, Zone

PACKAGED: Final = "mortality_quotients"


def _rows(delivered: pa.Table) -> pa.Table:
    with duckdb.connect() as connection:
        connection.register("wide", delivered_or_packaged(delivered, PACKAGED))
        require_whole(
            connection.sql(
                "SELECT concat('it has the mortality table of ', year, ' for sex ', any_value(sex), ' only') FROM wide "
                "GROUP BY year HAVING count(DISTINCT sex) < 2 ORDER BY year"
            ),
            PACKAGED,
            mortality_quotients_sex_age.name,
        )
        listed = ", ".join(f'"{age}"' for age in AGES)
        return connection.sql(
            f"""
            SELECT year::INTEGER AS year, sex, age::INTEGER AS age, per_100_000::INTEGER / 100000 AS quotient
            FROM (UNPIVOT wide ON {listed} INTO NAME age VALUE per_100_000)
            """
        ).to_arrow_table()


mortality_quotients = Table(
    name="mortality_quotients",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="un âge d’un sexe, dans la table de mortalité d’une année",
    label="Tables de mortalité",
    owner="team:references",
    access=REFERENCES,
    columns=[
        Column("year", INTEGER, "dernière des trois années dont la table est la moyenne", "Année", key=True),
        Column("sex", STRING, "F ou M", "Sexe", key=True),
        Column("age", INTEGER, "âge en années révolues, de 0 à 99", "Âge", key=True),
        Column(
            "quotient",
            DOUBLE,
            "probabilité de mourir dans l’année pour qui atteint cet âge, de 0 à 1",
            "Quotient de mortalité",
            nullable=False,
        ),
    ],
    reads={"delivered": mortality_quotients_sex_age},
    rows=Computed(
        _rows,
        from_columns={
            **{c: delivered_or_packaged_columns(PACKAGED, c) for c in ("year", "sex")},
            "age": [],
            "quotient": delivered_or_packaged_columns(PACKAGED, *AGES),
            EVERY_ROW: delivered_or_packaged_columns(PACKAGED, "year", "sex"),
        },
    ),
    checks=[one_of("sex", ["F", "M"])],
    layout=Layout(z_order_by=["year"]),
)
