"""Results of the oracle: internal consistency, and comparison with known figures."""

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from chu_platform.demo.geography import REGION_DEPARTMENTS
from chu_platform.demo.pack import expected_folder
from chu_platform.demo.sizes import STAYS_BY_YEAR
from chu_platform.oracle import pack_tables, satisfaction_indicator
from chu_platform.oracle.care_indicators import compute

pytestmark = pytest.mark.integration

COMMON = ["period_grain", "period_start", "period_end", "is_partial"]
RATES = ["events", "patients", "base_patients", "patient_years", "rate_per_1000", "intensity"]
STAYS = ["days", "mean_length_of_stay"]
COLUMNS = {
    "kpi_consultation_rate_by_establishment": [*COMMON, "level", "code", "consultations", *RATES],
    "kpi_consultation_rate_by_diagnosis": [*COMMON, "level", "code", *RATES],
    "kpi_hospitalisation_rate": [*COMMON, *RATES, *STAYS],
    "kpi_hospitalisation_rate_by_diagnosis": [*COMMON, "level", "code", *RATES, *STAYS],
    "kpi_hospitalisation_rate_by_sex_and_age": [*COMMON, "sex", "age_band", *RATES, *STAYS],
    "kpi_consultation_rate_by_professional": [
        *[*COMMON, "professional_key", "profession", "speciality", "events", "patients", "worked_months"],
        *["events_per_worked_month", "active_years", "events_per_active_year", "share"],
    ],
    "kpi_deaths_by_region": [
        *["year", "region_code", "sex", "age_band", "is_partial", "is_comparable", "deaths", "rated_deaths"],
        *["population", "rate_per_1000"],
    ],
    "kpi_use_concentration": [
        *[*COMMON, "events", "patients", "new_patients", "returning_patients"],
        *(f"{slot}_{kind}" for slot in ("evening", "night") for kind in ("events", "patients", "share")),
        *(f"top_{q}_{kind}" for q in (1, 5, 10, 25, 50) for kind in ("patients", "events", "share")),
    ],
    "kpi_cycle": [*COMMON, "cycle", "level", "code", "events", "n", "patients", "median", "p90"],
    "kpi_prescription": [
        *[*COMMON, "level", "code", "prescriptions", "patients", "share", "consulting_patients"],
    ],
    "kpi_attendance": [*COMMON, "level", "code", "weekday", "slot", "consultations", "events"],
    "kpi_follow_up": [
        *["period_grain", "period_start", "period_end", "is_partial", "level", "code", "stays"],
        *(
            f"{o}{kind}"
            for o in ("followed_7", "followed_30", "followed_90", "readmitted_30")
            for kind in ("_stays", "_patients", "")
        ),
    ],
    "kpi_deaths_by_month": [
        *["period_grain", "period_start", "region_code", "sex", "is_partial", "is_comparable", "deaths", "population"],
        *["expected", "excess", "p_score"],
    ],
    "kpi_mortality": [
        *["year", "level", "code", "sex", "is_partial", "is_comparable", "deaths", "population", "unknown_age_share"],
        *[
            "coverage",
            "crude_rate",
            "standardised_rate",
            "comparative_index",
            "life_expectancy_0",
            "life_expectancy_65",
        ],
    ],
    "kpi_satisfaction_by_region": [
        *[
            "year",
            "survey",
            "region_code",
            "sites",
            "sites_scored",
            "answers",
            "score_weighted",
            "score_mean",
        ],
        *["class_a", "class_b", "class_c", "class_d", "recommendation_rate", "recommendation_answers"],
    ],
    "kpi_satisfaction_detail": [
        *["year", "theme", "level", "code", "survey", "region_code", "sites", "sites_scored", "answers"],
        *["score_weighted", "score_mean"],
    ],
}


@pytest.fixture(scope="module")
def results(pack: Path) -> duckdb.DuckDBPyConnection:
    """The expected tables, by name."""
    connection = duckdb.connect()
    for name in COLUMNS:
        path = expected_folder(pack) / f"{name}.parquet"
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{path}')")
    return connection


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def test_tables_and_columns(pack: Path) -> None:
    for name, columns in COLUMNS.items():
        table = pq.read_table(expected_folder(pack) / f"{name}.parquet")
        assert table.column_names == columns, name
        assert table.num_rows > 0, name


def test_departments_of_the_oracle_are_those_of_the_pack() -> None:
    drawn = {code: " ".join(p.split(":")[0] for p in pairs.split()) for code, pairs in REGION_DEPARTMENTS.items()}
    assert drawn == pack_tables.DEPARTMENTS
    codes = set(satisfaction_indicator.REGION_CODES.values()) | set(satisfaction_indicator.INDIAN_OCEAN.values())
    assert codes == set(drawn)


def test_stays(results: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        results,
        "SELECT year(period_start), events FROM kpi_hospitalisation_rate WHERE period_grain = 'year' ORDER BY 1",
    )
    assert dict(found) == STAYS_BY_YEAR
    whole = rows(
        results,
        "SELECT period_start, period_end, is_partial, events, patients, base_patients, days,"
        " round(mean_length_of_stay, 2), round(patient_years, 6)"
        " FROM kpi_hospitalisation_rate WHERE period_grain = 'all'",
    )
    days = (date(2021, 6, 20) - date(2015, 6, 21)).days
    (row,) = whole
    assert row[:5] == (date(2015, 6, 1), date(2021, 7, 1), False, 2_479, 2_462)
    assert row[5:] == (3_000, 38_244, 15.43, round(3_000 * days / 365.25, 6))
    partial = rows(
        results,
        "SELECT period_grain, period_start FROM kpi_hospitalisation_rate WHERE is_partial ORDER BY ALL",
    )
    assert partial == [
        *[("month", date(2015, 6, 1)), ("month", date(2021, 6, 1)), ("quarter", date(2015, 4, 1))],
        *[("quarter", date(2021, 4, 1)), ("year", date(2015, 1, 1)), ("year", date(2021, 1, 1))],
    ]
    grains = dict(rows(results, "SELECT period_grain, count(*) FROM kpi_hospitalisation_rate GROUP BY 1"))
    assert grains == {"month": 73, "quarter": 25, "year": 7, "all": 1}


@pytest.mark.parametrize("level", ["establishment", "department", "region"])
def test_attached_and_unattached_add_up_to_the_total(results: duckdb.DuckDBPyConnection, level: str) -> None:
    differences = rows(
        results,
        f"""
        SELECT period_start, sum(CASE level WHEN 'total' THEN -events ELSE events END) AS difference
        FROM kpi_consultation_rate_by_establishment WHERE level IN ('{level}', 'unattached', 'total')
        GROUP BY period_grain, period_start HAVING abs(difference) > 1e-5
        """,
    )
    assert differences == []


@pytest.mark.parametrize("fact", ["consultation", "hospitalisation"])
def test_levels_of_diagnoses_have_the_same_events(results: duckdb.DuckDBPyConnection, fact: str) -> None:
    sums = rows(
        results,
        f"SELECT DISTINCT sum(events) FROM kpi_{fact}_rate_by_diagnosis GROUP BY level, period_grain",
    )
    assert sums == [({"consultation": 2_000, "hospitalisation": 2_479}[fact],)]


def test_unknown_diagnoses_are_counted(results: duckdb.DuckDBPyConnection) -> None:
    unknown = rows(
        results,
        "SELECT DISTINCT level FROM kpi_hospitalisation_rate_by_diagnosis WHERE code = 'inconnu' ORDER BY 1",
    )
    assert unknown == [("category",), ("chapter",), ("leaf",)]


def test_sexes_and_ages(results: duckdb.DuckDBPyConnection) -> None:
    table = "kpi_hospitalisation_rate_by_sex_and_age"
    sums = rows(
        results,
        "SELECT sum(events) FILTER (age_band = 'all' AND sex = 'all'), sum(events) FILTER (age_band = 'all'"
        " AND sex <> 'all'),"
        f" sum(events) FILTER (age_band <> 'all' AND sex = 'all') FROM {table} WHERE period_grain = 'all'",
    )
    # Three stays have patients who are not in the database: no sex, no age.
    assert sums == [(2_479, 2_476, 2_479)]
    assert rows(results, f"SELECT count(*) FROM {table} WHERE age_band <> 'unknown' AND patients > base_patients") == [
        (0,)
    ]
    # Bands without stays or patients are not listed, so their base is missing in the sums.
    lived = rows(
        results,
        "SELECT count(*) FROM (SELECT sum(CASE age_band WHEN 'all' THEN -patients ELSE patients END) AS patients,"
        " sum(CASE age_band WHEN 'all' THEN -base_patients ELSE base_patients END) AS base,"
        " sum(CASE age_band WHEN 'all' THEN -patient_years ELSE patient_years END) AS years"
        f" FROM {table} GROUP BY period_grain, period_start, sex)"
        " WHERE patients <> 0 OR base > 0 OR years > 1e-6",
    )
    assert lived == [(0,)]


def test_professionals(results: duckdb.DuckDBPyConnection) -> None:
    table = "kpi_consultation_rate_by_professional"
    assert rows(results, f"SELECT sum(events), round(sum(share), 9) FROM {table} WHERE period_grain = 'all'") == [
        (2_000, 1.0)
    ]
    assert rows(results, f"SELECT max(worked_months) FROM {table} WHERE period_grain = 'month'") == [(1,)]


def test_deaths(results: duckdb.DuckDBPyConnection, pack: Path) -> None:
    regions = rows(
        results,
        "SELECT DISTINCT count(*) FROM kpi_deaths_by_region WHERE sex = 'all' AND age_band = 'all' GROUP BY year",
    )
    assert regions == [(20,)]  # 18 regions, elsewhere, and France
    lines = set((pack / "DECES EN FRANCE" / "deces.csv").read_text(encoding="utf-8").splitlines()[1:])
    total = "SELECT sum(deaths) FROM kpi_deaths_by_region WHERE sex = 'all' AND age_band = 'all' AND region_code"
    assert rows(results, f"{total} <> 'all'") == [(sum(_has_date_of_death(line) for line in lines),)]
    assert rows(results, f"{total} = 'all'") == rows(results, f"{total} NOT IN ('all', '99')")
    partial = rows(results, "SELECT DISTINCT year FROM kpi_deaths_by_region WHERE is_partial")
    assert partial == [(2020,)]
    rated = rows(results, "SELECT DISTINCT year FROM kpi_deaths_by_region WHERE rate_per_1000 IS NOT NULL ORDER BY 1")
    assert rated == [(year,) for year in range(1977, 2020)]
    elsewhere = rows(results, "SELECT sum(deaths) > 0 FROM kpi_deaths_by_region WHERE region_code = '99'")
    assert elsewhere == [(True,)]


def _has_date_of_death(line: str) -> bool:
    known = line.rsplit(",", 3)[1].replace("-00", "")
    try:
        date.fromisoformat(known + "-01" * (2 - known.count("-")))
    except ValueError:
        return False
    return True


def test_satisfaction(results: duckdb.DuckDBPyConnection) -> None:
    france = rows(
        results,
        "SELECT year, survey, sites FROM kpi_satisfaction_by_region WHERE region_code = 'all' ORDER BY ALL",
    )
    assert france == [
        *[(2017, "48h_mco", 1_157), (2019, "48h_mco", 1_152), (2019, "ca_mco", 945)],
        *[(2020, "48h_mco", 1_150), (2020, "ca_mco", 931)],
    ]
    wrong = rows(
        results,
        "SELECT count(*) FROM kpi_satisfaction_by_region"
        " WHERE sites_scored <> class_a + class_b + class_c + class_d OR NOT score_mean BETWEEN 50 AND 95",
    )
    assert wrong == [(0,)]
    indian = rows(
        results,
        "SELECT DISTINCT region_code FROM kpi_satisfaction_by_region WHERE region_code IN ('04', '06') ORDER BY 1",
    )
    assert indian == [("04",), ("06",)]


def test_ages_by_hand() -> None:
    """Three patients, four stays: birthdays on 29 February, births within the period, unknown births."""
    connection = duckdb.connect()
    connection.execute(
        """
        CREATE TABLE patient AS SELECT * FROM (VALUES
            (1, 'F', DATE '2012-02-29'), (2, 'M', DATE '2021-03-11'), (3, 'F', CAST(NULL AS DATE))) v(id, sex,
            birth);
        CREATE TABLE stay AS SELECT * FROM (VALUES
            (1, 1, 'A000', DATE '2017-02-28', 2), (2, 1, 'A000', DATE '2021-03-01', 4), (3, 2, 'A000',
                DATE '2021-03-10', 1),
            (4, 9, 'A000', DATE '2021-03-20', 5)) v(id, patient, code, date, days);
        CREATE TABLE consultation AS SELECT id, patient, 'P' AS professional, code, date FROM stay;
        CREATE TABLE diagnosis AS SELECT 'A000' AS code, 'A000' AS leaf, 'A00' AS category, 'I' AS chapter;
        CREATE TABLE professional AS SELECT 'P' AS id, 'X' AS profession, 'Y' AS speciality;
        CREATE TABLE organisation AS SELECT 'F1' AS id, '01' AS department, '84' AS region;
        CREATE TABLE attachment AS SELECT 'P' AS professional, 'F1' AS organisation;
        """
    )
    table = compute(connection)["kpi_hospitalisation_rate_by_sex_and_age"]
    connection.register("result", table)

    def cells(period: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        found = rows(
            connection,
            "SELECT sex, age_band, events, patients, base_patients, round(patient_years * 365.25, 6) FROM"
            " result"
            f" WHERE {period} ORDER BY ALL",
        )
        return {row[:2]: row[2:] for row in found}

    # On 28 February 2017 patient 1 is four; five from 1 March 2017, nine on 1 March 2021 (29 February to come
    # in 2024).
    assert cells("period_grain = 'month' AND period_start = '2017-02-01'")["all", "0-4"] == (1, 1, 1, 1.0)
    march = cells("period_grain = 'month' AND period_start = '2021-03-01'")
    assert march["F", "5-9"] == (1, 1, 1, 20.0)
    # Patient 2 is admitted the day before birth: no age. Patient 9 is unknown: counted in `all` only.
    # On the middle day, 16 March, patient 2 is born: counted in the youngest band, like all the time of the month.
    assert march["all", "unknown"] == (2, 0, 1, 20.0)
    assert march["all", "0-4"] == (0, 1, 1, 20.0)
    assert march["M", "all"] == (1, 1, 1, 20.0)
    assert march["all", "all"] == (3, 2, 3, 60.0)
    whole = cells("period_grain = 'all'")
    assert whole["all", "5-9"][2:] == (1, (date(2021, 3, 21) - date(2017, 3, 1)).days)
