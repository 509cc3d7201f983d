"""Deaths by the age groups of the population: an unknown age is in none of them."""

import duckdb
import pytest

from chu_platform.facts.fact_death_by_age import fact_death_by_age
from chu_platform.tables.rows import Query

pytestmark = pytest.mark.unit


def test_each_age_is_in_its_group_and_an_unknown_one_in_none() -> None:
    """In all engines, the least of nothing and 90 is 90: deaths of unknown age once were those of the oldest."""
    ages = {None: None, 0: 0, 4: 0, 5: 5, 64: 60, 89: 85, 90: 90, 94: 90, 95: 90, 112: 90}
    assert isinstance(fact_death_by_age.rows, Query)
    for age, group in ages.items():
        death = f"""(SELECT '2019' AS death_year, '53' AS region_key, '35' AS department_code, 'F' AS sex,
                     {"NULL" if age is None else age}::INTEGER AS age)"""
        found = duckdb.execute(fact_death_by_age.rows.sql.format(death=death)).fetchall()
        assert found == [("2019", "53", "35", "F", group, 1)], age
