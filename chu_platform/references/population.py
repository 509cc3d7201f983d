"""Population of each department in the middle of a year, by sex and five-year age group.

The population of the middle of a year is the mean of those of two 1 January: the last year has none. The packaged file
is Insee's "Estimation de population au 1er janvier, par département, sexe et âge quinquennal" of 29 March 2021 (Licence
Ouverte 2.0): 1975 to 2021, overseas departments from 1990, Mayotte from 2014. A delivered file of the same form
replaces it.
"""

from typing import Final

import duckdb
import pyarrow as pa

from chu_platform.building_blocks.packaged_references import (
    delivered_or_packaged,
    delivered_or_packaged_columns,
    require_whole,
)
from chu_platform.references.department import department
from chu_platform.sources.population_department_sex_age import GROUPS, population_department_sex_age
from chu_platform.tables.checks import foreign_key, one_of
from chu_platform.tables.columns import DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.table import Layer, Layout, Table, Zone

PACKAGED: Final = "population"
OVERSEAS: Final = "97"


def _rows(delivered: pa.Table) -> pa.Table:
    with duckdb.connect() as connection:
        connection.register("wide", delivered_or_packaged(delivered, PACKAGED))
        listed = ", ".join(f'"{group}"' for group in GROUPS)
        connection.execute(
            f"""
            CREATE TABLE january AS
            SELECT year::INTEGER AS year, department_code, sex, age::INTEGER AS age, inhabitants::BIGINT AS inhabitants
            FROM (UNPIVOT wide ON {listed} INTO NAME age VALUE inhabitants)
            """
        )
        require_whole(
            connection.sql(
                f"""
                WITH present AS (SELECT DISTINCT year, department_code, sex FROM january),
                wanted AS (
                    SELECT DISTINCT year, department_code, sex
                    FROM (SELECT DISTINCT year FROM january), (SELECT unnest(['F', 'M']) AS sex),
                         (SELECT DISTINCT department_code FROM january WHERE left(department_code, 2) <> '{OVERSEAS}')
                    UNION SELECT year, department_code, unnest(['F', 'M']) FROM present
                )
                SELECT concat('it has no population of ', year, ' for department ', department_code, ', sex ', sex)
                FROM wanted ANTI JOIN present USING (year, department_code, sex) ORDER BY ALL
                """
            ),
            PACKAGED,
            population_department_sex_age.name,
        )
        return connection.sql(
            """
            SELECT j.year, j.department_code, j.sex, j.age, j.inhabitants AS population_january,
                   (j.inhabitants + n.inhabitants) / 2 AS population
            FROM january j LEFT JOIN january n
                ON n.year = j.year + 1 AND n.department_code = j.department_code AND n.sex = j.sex AND n.age = j.age
            """
        ).to_arrow_table()


population = Table(
    name="population",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="une tranche d’âge de cinq ans d’un sexe, dans un département et une année",
    label="Population par département, sexe et âge",
    owner="team:references",
    access=REFERENCES,
    columns=[
        Column("year", INTEGER, "année civile", "Année", key=True),
        Column("department_code", STRING, "code Insee du département : 01, 2A, 974", "Code département", key=True),
        Column("sex", STRING, "F ou M", "Sexe", key=True),
        Column("age", INTEGER, "premier âge de la tranche de cinq ans ; 90 : 90 ans et plus", "Âge", key=True),
        Column("population_january", LONG, "habitants au 1er janvier", "Population au 1er janvier", nullable=False),
        Column(
            "population",
            DOUBLE,
            "habitants au milieu de l’année : moyenne des deux 1er janvier ; vide si le suivant n’est pas connu",
            "Population au milieu de l’année",
        ),
    ],
    reads={"delivered": population_department_sex_age},
    rows=Computed(
        _rows,
        from_columns={
            **{c: delivered_or_packaged_columns(PACKAGED, c) for c in ("year", "department_code", "sex")},
            "age": [],
            **{c: delivered_or_packaged_columns(PACKAGED, *GROUPS) for c in ("population_january", "population")},
            EVERY_ROW: delivered_or_packaged_columns(PACKAGED, "year", "department_code", "sex"),
        },
    ),
    checks=[foreign_key("department_code", department), one_of("sex", ["F", "M"])],
    layout=Layout(z_order_by=["year", "department_code"]),
)
