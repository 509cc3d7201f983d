"""How complete the register of deaths is, by year, sex and age: in which years rates of mortality can be compared."""

from chu_platform.facts.fact_death_coverage import fact_death_coverage
from chu_platform.tables.policies import REPORTS
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

death_coverage = Table(
    name="death_coverage",
    layer=Layer.REPORTS,
    zone=Zone.PUBLISHED,
    grain=fact_death_coverage.grain,
    label="Couverture du registre des décès",
    owner="team:platform",
    access=REPORTS,
    public_source="Insee",
    columns=fact_death_coverage.columns,
    reads={"coverage": fact_death_coverage},
    rows=Query(f"SELECT {', '.join(c.name for c in fact_death_coverage.columns)} FROM {{coverage}}"),
    preview="""
        SELECT year, round(deaths)::BIGINT AS deaths, round(expected)::BIGINT AS expected,
               printf('%.1f %%', 100 * coverage) AS coverage, is_comparable, reason
        FROM {this} WHERE sex = 'all' AND age_group = 'all' ORDER BY year DESC LIMIT 100
    """,
)
