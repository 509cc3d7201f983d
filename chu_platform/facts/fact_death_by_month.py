"""Deaths of each month by place and sex."""

from chu_platform.facts.fact_death import (
    DEATH_MONTH,
    DEATH_YEAR,
    DEPARTMENT_CODE,
    EVERY_DEATH_IS_COUNTED,
    REGION_KEY,
    SEX,
    fact_death,
)
from chu_platform.tables.checks import between, none_in, one_of
from chu_platform.tables.columns import LONG, Column
from chu_platform.tables.partitions import DEATH_YEARS
from chu_platform.tables.policies import PUBLIC_DEATHS
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

fact_death_by_month = Table(
    name="fact_death_by_month",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="un lieu et un sexe, dans un mois",
    label="Décès par mois, lieu et sexe",
    owner="team:facts",
    access=PUBLIC_DEATHS,
    columns=[
        DEATH_YEAR,
        DEATH_MONTH,
        REGION_KEY,
        DEPARTMENT_CODE,
        SEX,
        Column("deaths", LONG, "nombre de décès", "Décès", nullable=False),
    ],
    reads={"death": fact_death},
    rows=Query(
        """
        SELECT death_year, death_month, region_key, department_code, sex, count(*) AS deaths
        FROM {death}
        GROUP BY death_year, death_month, region_key, department_code, sex
        """
    ),
    checks=[
        EVERY_DEATH_IS_COUNTED,
        one_of("sex", ["F", "M", "unknown"]),
        between("death_month", 1, 12),
        # A month that lost its deaths to an unknown one would seem to have few.
        none_in(
            "at_most_2_percent_of_the_deaths_of_a_year_without_month",
            "SELECT count(*) FROM (SELECT 1 FROM {this} GROUP BY death_year HAVING sum(deaths) > 100 "
            "AND sum(deaths) FILTER (death_month IS NULL) > 0.02 * sum(deaths))",
            "le mois de 2 % au plus des décès d’une année est inconnu",
            blocking=False,
            by_partition=True,
        ),
    ],
    layout=Layout(z_order_by=["region_key"]),
    partition_scheme=DEATH_YEARS,
    derives_from=["death"],
)
