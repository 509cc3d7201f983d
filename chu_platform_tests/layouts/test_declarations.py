"""The declared layouts and queries: what they claim of their tables, and the SQL that they become."""

import re
from collections.abc import Mapping

import pytest
import sqlglot

from chu_platform.errors import ChuError
from chu_platform.layouts.ddl import create_table
from chu_platform.layouts.declarations import BUCKET, LAYOUTS, ComparedLayout, Kind, TableLayout, layouts_named
from chu_platform.layouts.queries import QUERIES, Chosen, Value, queries_named
from chu_platform.layouts.run_scripts import statements
from chu_platform.layouts.scripts import scripts
from chu_platform.tables.table import Table

pytestmark = pytest.mark.unit

VALUES: Mapping[Chosen, Value] = {chosen: "8f" for query in QUERIES for chosen in query.chosen}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_names_columns_of_its_tables(layout: ComparedLayout) -> None:
    for table, declared in layout.tables.items():
        columns = {c.name for c in table.columns}
        assert {p.column for p in declared.generated} <= columns
        made = columns | {p.name for p in declared.generated}
        assert {*declared.partition_by, *declared.order_by} <= made
        assert declared.buckets is None or declared.buckets in columns


def test_each_wanted_kind_of_layout_is_declared() -> None:
    kinds = {layout.kind for layout in LAYOUTS}
    assert kinds == {*Kind}
    assert len(QUERIES) >= 12
    assert sum(query.label.startswith("Question ") for query in QUERIES) == 8


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_each_query_is_one_sql_text_for_all_engines(layout: ComparedLayout, query: "object") -> None:
    (evidence,) = queries_named([str(getattr(query, "name", ""))])
    sql = evidence.sql(layout.tables, VALUES).format_map({name: f"{name}_rows" for name in evidence.tables})
    assert not re.search(r"[{}]", sql)
    for dialect in ("spark", "duckdb", "postgres"):
        assert len(sqlglot.parse(sql, dialect=dialect)) == 1


def test_a_filter_limits_what_is_generated_from_its_column() -> None:
    (query,) = queries_named(["one_consultation"])
    (prescription,) = query.tables.values()
    layouts: Mapping[Table, TableLayout] = {prescription: TableLayout(["bucket"], generated=[BUCKET])}
    sql = query.sql(layouts, dict.fromkeys(query.chosen, "8fa0"))
    assert "prescription.consultation_key = '8fa0' AND prescription.bucket = '8'" in sql
    (by_month,) = queries_named(["consultations_by_diagnosis"])
    (year,) = layouts_named(["year"])
    assert "consultation.year = '2019'" in by_month.sql(year.tables, VALUES)


def test_values_that_are_not_chosen_are_subqueries() -> None:
    (query,) = queries_named(["one_patient"])
    assert "consultation.patient_key = (SELECT min(patient_key) FROM {consultation}" in query.sql({}, {})


@pytest.mark.parametrize(("find", "kind"), [(layouts_named, "layout"), (queries_named, "query")])
def test_an_unknown_name_is_refused_with_the_known_ones(find: "object", kind: str) -> None:
    assert callable(find)
    with pytest.raises(ChuError, match=f"there is no {kind} 'nope'; there are "):
        find(["nope"])


def test_buckets_are_parquet_and_clusters_delta() -> None:
    by_name = {layout.name: layout for layout in LAYOUTS}
    for name, expected in (
        (
            "spark_buckets",
            "USING PARQUET\nCLUSTERED BY (`consultation_key`) SORTED BY (`consultation_key`) INTO 16 BUCKETS",
        ),
        ("clustered", "USING DELTA\nCLUSTER BY (`patient_key`, `date`)"),
        ("buckets", "`bucket` STRING GENERATED ALWAYS AS (substring(consultation_key, 1, 1))"),
    ):
        layout = by_name[name]
        table = next(t for t in layout.tables if t.name == "fact_consultation")
        assert expected in create_table("c", table, layout.tables[table], layout.kind)


def test_the_scripts_say_everything_of_every_table() -> None:
    from chu_platform.catalogue import catalogue

    tables = [made for table in catalogue() for made in table.outputs]
    made = {script.name: list(statements(script.text)) for script in scripts()}
    assert [len(made[script.name]) for script in scripts()] == [len(script.statements) for script in scripts()]
    created = [s for s in made["01_creation.sql"] if s.startswith("CREATE TABLE")]
    assert len(created) == len(made["02_chargement.sql"]) == len(made["04_verification.sql"]) == len(tables)
    # Rows of the restricted zone are never printed.
    shown = "\n".join(s for s in made["03_peuplement.sql"] if s.startswith("SELECT *"))
    assert "chu_facts.`fact_death`" in shown and "chu_sources" not in shown and "chu_pseudonyms" not in shown
