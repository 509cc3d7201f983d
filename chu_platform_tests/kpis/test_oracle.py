"""Every exact indicator equals the result of the oracle, which shares no code with the platform."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.tables.spark_sql import UNKNOWN_LABEL
from chu_platform.tables.table import Layer
from chu_platform_tests import small_duckdb
from chu_platform_tests.oracle_comparison import COUNTED, differences
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

INDICATORS = {t.name: t for t in catalogue() if t.layer is Layer.KPIS}
PERIOD = ("period_grain", "period_start")
KEYS: dict[str, Sequence[str]] = {
    "kpi_consultation_rate_by_establishment": (*PERIOD, "level", "code"),
    "kpi_consultation_rate_by_diagnosis": (*PERIOD, "level", "code"),
    "kpi_hospitalisation_rate": PERIOD,
    "kpi_hospitalisation_rate_by_diagnosis": (*PERIOD, "level", "code"),
    "kpi_hospitalisation_rate_by_sex_and_age": (*PERIOD, "sex", "age_band"),
    "kpi_consultation_rate_by_professional": (*PERIOD, "professional_key"),
    "kpi_deaths_by_region": ("year", "region_code", "sex", "age_band"),
    "kpi_deaths_by_month": (*PERIOD, "region_code", "sex"),
    "kpi_mortality": ("year", "level", "code", "sex"),
    "kpi_follow_up": (*PERIOD, "level", "code"),
    "kpi_use_concentration": PERIOD,
    "kpi_cycle": (*PERIOD, "cycle", "level", "code"),
    "kpi_prescription": (*PERIOD, "level", "code"),
    "kpi_attendance": (*PERIOD, "level", "code", "weekday", "slot"),
    "kpi_satisfaction_by_region": ("year", "survey", "region_code"),
    "kpi_satisfaction_detail": ("year", "theme", "level", "code"),
}


def expected_file(made: Home, name: str) -> Path:
    return made.pack.with_name("pack-expected") / f"{name}.parquet"


def exact(made: Home, name: str) -> pa.Table:
    """The rows of an indicator, as in the oracle: professionals by number, unknown specialities null."""
    found = rows(made.lake, INDICATORS[name])
    if name != "kpi_consultation_rate_by_professional":
        return found
    with small_duckdb.connect() as connection:
        connection.register("found", found)
        connection.register("pseudonym", rows(made.lake, professional_pseudonym))
        result: pa.Table = connection.sql(
            f"""
            SELECT f.* REPLACE (p.Identifiant AS professional_key, nullif(speciality, '{UNKNOWN_LABEL}') AS speciality)
            FROM found f JOIN pseudonym p USING (professional_key)
            """
        ).to_arrow_table()
    assert len(result) == len(found), "every professional must have exactly one pseudonym"
    return result


def test_the_oracle_has_the_indicators(made: Home) -> None:
    assert INDICATORS.keys() == KEYS.keys()
    assert {f.stem for f in made.pack.with_name("pack-expected").glob("*.parquet")} == KEYS.keys()


@pytest.mark.parametrize("name", KEYS)
def test_the_indicator_equals_the_oracle(made: Home, name: str) -> None:
    assert differences(exact(made, name), expected_file(made, name), KEYS[name]) == []


@pytest.mark.parametrize("name", KEYS)
def test_the_comparison_finds_a_changed_figure_and_a_missing_row(made: Home, name: str) -> None:
    expected = pq.read_table(expected_file(made, name))
    figure = next(c for c in COUNTED if c in expected.column_names)
    ours = exact(made, name)
    changed = pa.array([v + 1 for v in ours[figure].to_pylist()], ours[figure].type)
    wrong = ours.set_column(ours.column_names.index(figure), ours.schema.field(figure), changed)
    assert any(figure in found for found in differences(wrong, expected_file(made, name), KEYS[name]))
    assert differences(ours.slice(0, 0), expected_file(made, name), KEYS[name]) == [f"{len(expected)} rows missing"]
