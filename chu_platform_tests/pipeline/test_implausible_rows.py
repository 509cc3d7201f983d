"""Rows with impossible dates, ages and lengths of stay are rejects or flags, and all tables are made of the others."""

from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.dimensions.dim_date import dim_date
from chu_platform.dimensions.dim_patient import dim_patient
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.graph.step import run_step
from chu_platform.ingest.delivered import rejects_of
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.recomputation.input_tables import create_input_tables
from chu_platform.recomputation.recomputation import InputSet
from chu_platform.sources.consultation import consultation
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.patient import patient
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table
from chu_platform_tests.facts.test_quality_indicator import needed
from chu_platform_tests.pipeline.changes import STAYS, changeable
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows
from chu_platform_tests.pipeline.steps import resources_of, whole

pytestmark = pytest.mark.integration

# Patient, date of entry and length of stay.
LONG: Final = "02/01/2018;412"
IMPOSSIBLE: Final = ("27/09/2107;3", "27/09/1017;3", "27/09/2017;-4", "27/09/2017;999999")


def query(lake: Lake, sql: str, **tables: Table) -> list[tuple[Any, ...]]:
    """The result of a query over tables of the lake."""
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.execute(f"CREATE VIEW {name} AS FROM {lake.relation(table)}")
        return connection.execute(sql).fetchall()


def reasons(lake: Lake, table: Table) -> list[tuple[str, str]]:
    return sorted((r["column"], r["reason"]) for r in rows(lake, rejects_of(table)).to_pylist() if not r["mended_by"])


def test_one_wrong_row_never_holds_back_the_others(made: Home, postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    changed = changeable(made, postgres, tmp_path, "implausible")
    stays = changed.home.pack / STAYS
    known = 'SELECT "Id_patient" FROM "Consultation" GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 2'
    (old,), (future,) = changed.sql(known)
    with stays.open("a", encoding="utf-8", newline="") as file:
        for number, lengths in enumerate((LONG, *IMPOSSIBLE), 900_001):
            file.write(f"{number};{old};F690000001;F20;Essai, long;{lengths}\n")
    changed.sql(f'UPDATE "Patient" SET "Date" = \'1/1/1880\' WHERE "Id_patient" = {old}')
    changed.sql(f'UPDATE "Patient" SET "Date" = \'1/1/2107\' WHERE "Id_patient" = {future}')
    for number, day in enumerate(("2107-05-05", "1017-05-05"), 900_001):
        changed.sql(
            f'INSERT INTO "Consultation" ("Num_consultation", "Id_patient", "Code_diag", "Date") '
            f"VALUES ({number}, {old}, 'F20', DATE '{day}')"
        )
    before = {t: len(rows(made.lake, t)) for t in (fact_consultation, fact_hospitalisation)}
    with resources_of(changed.home) as resources:
        for table in needed(kpi_hospitalisation_rate.exact, needed(fact_consultation, {})):
            run_step(resources, table, whole(table), "a run")
        warnings = "\n".join(resources.warnings)
    lake = changed.home.lake

    assert reasons(lake, hospitalisations) == [
        ("Date_Entree", "date_out_of_range"),
        ("Date_Entree", "date_out_of_range"),
        ("Jour_Hospitalisation", "negative_length_of_stay"),
        ("Jour_Hospitalisation", "stay_ends_after_delivery"),
    ]
    assert reasons(lake, consultation) == [("Date", "date_out_of_range")] * 2
    assert reasons(lake, patient) == [("Date", "birth_year_out_of_range")]

    assert len(rows(lake, fact_consultation)) == before[fact_consultation]
    assert len(rows(lake, fact_hospitalisation)) == before[fact_hospitalisation] + 1
    aged = "SELECT count(*), min(age), any_value(age_band) FROM fact WHERE age > 130"
    ((consulted, youngest, band),) = query(lake, aged, fact=fact_consultation)
    assert (youngest, band) == (
        query(lake, "SELECT min(year(date)) - 1880 FROM fact WHERE age > 130", fact=fact_consultation)[0][0],
        "85+",
    )
    ((stayed, _, _),) = query(lake, aged, fact=fact_hospitalisation)
    assert consulted and stayed
    assert f'age is between 0 and 130": {consulted} rows break it' in warnings
    assert f'age is between 0 and 130": {stayed} rows break it' in warnings
    assert 'days is between 0 and 366": 1 rows break it' in warnings

    flags = "SELECT coalesce(flags, ''), count(*) FROM fact GROUP BY ALL"
    of_stays = dict(query(lake, flags, fact=fact_hospitalisation))
    # The long stay is one of the old patient.
    assert (of_stays["age_over_130, over_366_days"], of_stays.get("age_over_130", 0)) == (1, stayed - 1)
    assert dict(query(lake, flags, fact=fact_consultation))["age_over_130"] == consulted
    unborn = "SELECT count(*) FROM fact JOIN patient USING (patient_key) WHERE age IS NULL AND birth_year IS NOT NULL"
    ((before_birth,),) = query(lake, unborn, fact=fact_hospitalisation, patient=dim_patient)
    assert of_stays["before_birth"] == before_birth > 0
    assert set(of_stays) <= {"", "before_birth", "age_over_130", "age_over_130, over_366_days"}

    ((events,),) = query(lake, "SELECT events FROM kpi WHERE period_grain = 'all'", kpi=kpi_hospitalisation_rate.exact)
    assert events == before[fact_hospitalisation] + 1
    with duckdb.connect() as connection:
        create_input_tables(lake, connection, lambda table: lake.version(table), InputSet.CARE)
        assert connection.execute("SELECT count(*), max(days) FROM stay").fetchall() == [(events, 412)]


def test_the_calendar_has_the_years_of_the_events(made: Home) -> None:
    """Fifty years of deaths, and no other centuries."""
    listed = rows(made.lake, dim_date).to_pylist()
    for row in listed:
        day = row["date"]
        parts = (day.year, (day.month + 2) // 3, f"{day:%Y-%m}", day.isocalendar().week, day.isoweekday())
        assert tuple(row[c] for c in ("year", "quarter", "month", "iso_week", "iso_weekday")) == parts
    days = {row["date"] for row in listed}
    dates = {
        day
        for table, column in ((fact_consultation, "date"), (fact_hospitalisation, "date"), (fact_death, "death_date"))
        for day in rows(made.lake, table)[column].to_pylist()
        if day
    }
    years = {day.year for day in dates} | {int(year) for year in rows(made.lake, fact_death)["death_year"].to_pylist()}
    assert dates <= days
    assert (min(days), max(days)) == (date(min(years), 1, 1), date(max(years), 12, 31))
    assert max(years) - min(years) >= 50
    assert len(days) == (max(days) - min(days)).days + 1
