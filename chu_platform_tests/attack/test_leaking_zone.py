"""The attackers find the leaks of a published zone that was made before the masks were improved (README.md).

The expected cells are computed here, by SQL on the same tables, from what each leak is.
"""

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pyarrow.compute as pc
import pytest

from chu_platform.attack import run_attacks
from chu_platform.attack.complements import differences
from chu_platform.attack.figures import Figures
from chu_platform_tests.attack.leaking_zone import files, inputs
from chu_platform_tests.attack.zone import AGES, DIAGNOSES, PLACES, SPECIALITIES, STAYS

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def sql() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables as schemas and tables: published.kpi_..., exact.fact_consultation, registers.practices, ..."""
    with duckdb.connect() as connection:
        for folder, tables in files().items():
            connection.execute(f"CREATE SCHEMA {folder}")
            for name, rows in tables.items():
                connection.register("rows", rows)
                connection.execute(f"CREATE TABLE {folder}.{name} AS FROM rows")
                connection.unregister("rows")
        yield connection


def found(number: int, *names: str) -> set[tuple[str, ...]]:
    """Table, values of the key and what was found."""
    (result,) = run_attacks(inputs(*names), [number])
    return {(f.table, *(v for _, v in f.key), f.what) for f in result.found}


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> set[tuple[str, ...]]:
    return {tuple(map(str, row)) for row in connection.sql(query).fetchall()}


def test_establishments_that_rest_on_few_professionals(sql: duckdb.DuckDBPyConnection) -> None:
    counted = f"""
        SELECT code, count(*) AS professionals, max(part) / sum(part) AS largest
        FROM (
            SELECT p.code, c.professional_key, count(*) * any_value(p.weight) AS part
            FROM exact.fact_consultation c JOIN (
                SELECT professional_key, establishment_key AS code,
                       1 / count(*) OVER (PARTITION BY professional_key) AS weight
                FROM registers.practices
            ) p USING (professional_key) GROUP BY ALL
        ) JOIN published.{PLACES} k USING (code)
        WHERE k.level = 'establishment' AND k.events IS NOT NULL GROUP BY code
        """
    few = rows(sql, f"SELECT code, professionals FROM ({counted}) WHERE professionals < 3 OR largest > 0.85")
    assert sum(n == "1" for _, n in few) == 6, "the leak of the fixture"
    assert sum(n == "2" for _, n in few) == 13
    hits = found(2, PLACES)
    assert {key[3] for key in hits if key[2] == "establishment"} == {code for code, _ in few}


def test_professionals_alone_in_a_visible_establishment(sql: duckdb.DuckDBPyConnection) -> None:
    """Professionals who may have consultations: all their establishments have a row."""
    alone = rows(
        sql,
        f"""
        WITH listed AS (SELECT code FROM published.{PLACES} WHERE level = 'establishment'),
        working AS (
            SELECT professional_key FROM registers.practices p LEFT JOIN listed l ON l.code = p.establishment_key
            GROUP BY 1 HAVING bool_and(l.code IS NOT NULL)
        )
        SELECT k.code FROM published.{PLACES} k JOIN registers.practices p ON p.establishment_key = k.code
        SEMI JOIN working w ON w.professional_key = p.professional_key
        WHERE k.level = 'establishment' AND k.events IS NOT NULL GROUP BY 1 HAVING count(*) = 1
        """,
    )
    assert alone
    hits = found(3, PLACES, SPECIALITIES)
    assert {code for (code,) in alone} <= {key[3] for key in hits if key[1] == "all"}


def test_complements_and_events_of_all_patients_but_one(sql: duckdb.DuckDBPyConnection) -> None:
    complements = rows(
        sql,
        f"SELECT period_grain, sex, age_band FROM published.{AGES} "
        "WHERE base_patients - patients BETWEEN 1 AND 10 OR (patients > 0 AND base_patients = patients)",
    )
    assert complements >= {("all", "all", "80-84"), ("all", "M", "75-79")}
    hits = found(4)
    assert {(k[1], *k[-3:-1]) for k in hits if k[0] == AGES and k[-1].startswith("base")} == complements
    repeated = rows(sql, f"SELECT count(*) FROM published.{DIAGNOSES} WHERE events - patients = 1")
    assert {(str(sum(k[0] == DIAGNOSES for k in hits)),)} == repeated


def test_patients_of_several_parts(sql: duckdb.DuckDBPyConnection) -> None:
    shared = rows(
        sql,
        f"""
        SELECT w.period_start, w.profession FROM published.{SPECIALITIES} w
        JOIN published.{SPECIALITIES} p USING (period_grain, period_start, profession)
        WHERE w.speciality = 'Ensemble' AND p.speciality <> 'Ensemble' AND w.period_grain = 'year'
        GROUP BY ALL HAVING count(p.patients) = count(*) AND count(*) > 1
            AND sum(p.patients) - any_value(w.patients) BETWEEN 1 AND 10
        """,
    )
    hits = found(5, SPECIALITIES)
    assert {(k[2], k[3]) for k in hits if k[-1] == "patients in several specialities" and k[1] == "year"} == shared
    assert shared


def test_quantiles_over_few_professionals(sql: duckdb.DuckDBPyConnection) -> None:
    few = rows(sql, f"SELECT count(*) FROM published.{SPECIALITIES} WHERE professionals < 15 AND p20 IS NOT NULL")
    hits = found(6)
    assert {(str(len({k[:-1] for k in hits})),)} == few
    assert len(hits) == 54


def test_side_tables(sql: duckdb.DuckDBPyConnection) -> None:
    lists = ("published_diagnosis", "published_establishment")
    hits = found(8, "check_result", "source_quality", *lists, DIAGNOSES, f"{STAYS}_by_diagnosis", STAYS)
    assert ("source_quality", "Hospitalisations", "rows_rejected") in hits
    assert ("check_result", "facts", "fact_hospitalisation", "attached_diagnosis_key", "measured") in hits
    hidden = rows(
        sql,
        f"""
        SELECT level, code FROM published.published_diagnosis d ANTI JOIN (
            SELECT level, code FROM published.{DIAGNOSES} WHERE events IS NOT NULL
            UNION ALL SELECT level, code FROM published.{STAYS}_by_diagnosis WHERE events IS NOT NULL
        ) USING (level, code)
        """,
    )
    assert {k[1:3] for k in hits if k[0] == "published_diagnosis"} == hidden
    assert len(hidden) > 10_000


def test_all_leaves_are_one_because_there_are_as_many_as_consultations(sql: duckdb.DuckDBPyConnection) -> None:
    leaves = rows(sql, f"SELECT code FROM published.{DIAGNOSES} WHERE level = 'leaf' AND events IS NULL")
    total = rows(sql, f"SELECT events::INT FROM published.{PLACES} WHERE level = 'total' AND period_grain = 'all'")
    assert {(str(len(leaves)),)} == total, "the leak of the fixture"
    published = files()["published"]
    whole = {name: published[name] for name in (PLACES, DIAGNOSES)}
    columns = ["period_grain", "period_start", "period_end", "level", "code", "events"]
    whole = {name: t.filter(pc.equal(t["period_grain"], "all")).select(columns) for name, t in whole.items()}
    (result,) = run_attacks(replace(inputs(), published=whole), [1])
    assert {dict(f.key)["code"] for f in result.found if dict(f.key)["level"] == "leaf"} == {c for (c,) in leaves}


def test_the_correction_of_one_stay_between_two_editions(sql: duckdb.DuckDBPyConnection) -> None:
    changed = rows(
        sql,
        f"""
        SELECT n.period_grain, n.period_start
        FROM published.{STAYS} n JOIN earlier.{STAYS} e USING (period_grain, period_start)
        WHERE abs(n.events - e.events) BETWEEN 1 AND 10
        """,
    )
    assert len(changed) == 4, "month, quarter, year and all"
    before = Figures.of(files()["earlier"])
    now = Figures.of({name: files()["published"][name] for name in files()["earlier"]})
    hits = {tuple(v for _, v in f.key) for f in differences(before, now) if f.table == STAYS and "events" in f.what}
    assert hits == {key if key[0] != "all" else ("all",) for key in changed}
