"""Deaths of each year by place, sex and the age groups of the population."""

from chu_platform.facts.fact_death import (
    DEATH_YEAR,
    DEPARTMENT_CODE,
    EVERY_DEATH_IS_COUNTED,
    REGION_KEY,
    SEX,
    fact_death,
)
from chu_platform.tables.checks import one_of
from chu_platform.tables.columns import INTEGER, LONG, Column
from chu_platform.tables.partitions import DEATH_YEARS
from chu_platform.tables.policies import PUBLIC_DEATHS
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import POPULATION_AGES
from chu_platform.tables.table import Layer, Layout, Table, Zone

fact_death_by_age = Table(
    name="fact_death_by_age",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="un lieu, un sexe et une tranche d’âge de la population, dans une année",
    label="Décès par lieu, sexe et âge",
    owner="team:facts",
    access=PUBLIC_DEATHS,
    columns=[
        DEATH_YEAR,
        REGION_KEY,
        DEPARTMENT_CODE,
        SEX,
        Column(
            "age_group",
            INTEGER,
            "premier âge de la tranche de cinq ans ; 90 : 90 ans et plus ; vide si l’âge est inconnu",
            "Tranche d’âge",
        ),
        Column("deaths", LONG, "nombre de décès", "Décès", nullable=False),
    ],
    reads={"death": fact_death},
    rows=Query(
        f"""
        SELECT death_year, region_key, department_code, sex, age_group, count(*) AS deaths
        FROM (
            SELECT death_year, region_key, department_code, sex,
                   CASE WHEN age >= {POPULATION_AGES[-1]} THEN {POPULATION_AGES[-1]} ELSE age - age % 5 END AS age_group
            FROM {{death}}
        )
        GROUP BY death_year, region_key, department_code, sex, age_group
        """
    ),
    checks=[
        EVERY_DEATH_IS_COUNTED,
        one_of("sex", ["F", "M", "unknown"]),
    ],
    layout=Layout(z_order_by=["region_key"]),
    partition_scheme=DEATH_YEARS,
    derives_from=["death"],
)
