"""Lineage of queries, compared with origins determined by hand."""

import pytest

from chu_platform.errors import ChuError
from chu_platform.lineage.queries import lineage_of_query
from chu_platform.tables.influence import Influence

pytestmark = pytest.mark.unit

INPUTS = {
    "stay": {"id": "INT", "patient": "STRING", "day": "DATE", "days": "INT", "code": "STRING"},
    "person": {"patient": "STRING", "sex": "STRING", "Born": "DATE"},
}
SAME, MADE, SUM, IF = Influence.IDENTITY, Influence.TRANSFORMATION, Influence.AGGREGATION, Influence.CONDITION


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("s.days AS x", {"days": SAME}),
        ("s.days + s.id AS x", {"days": MADE, "id": MADE}),
        ("'constant' AS x", {}),
        # A value that a condition selects is unchanged.
        ("CASE WHEN s.code = 'A' THEN s.days END AS x", {"days": SAME, "code": IF}),
        # If the values are constants, the condition is their direct origin.
        ("CASE s.code WHEN 'A' THEN 1 ELSE 2 END AS x", {"code": MADE}),
        ("row_number() OVER (PARTITION BY s.code ORDER BY s.day) AS x", {"code": MADE, "day": MADE}),
        ("lead(s.day) OVER (PARTITION BY s.code ORDER BY s.id) AS x", {"day": SUM, "code": IF, "id": IF}),
        ("max(s.days) OVER () = s.days AS x", {"days": SUM}),
    ],
)
def test_an_expression(expression: str, expected: dict[str, Influence]) -> None:
    found = lineage_of_query(f"SELECT {expression} FROM {{stay}} s", INPUTS)
    assert found.columns["x"] == {("stay", column): kind for column, kind in expected.items()}
    assert found.rows == {}


def test_counts_are_made_from_what_they_count() -> None:
    found = lineage_of_query(
        """
        SELECT code, count(*) AS n, count(patient) AS patients, count(*) FILTER (WHERE days > 1) AS longer,
               sum(CASE WHEN patient = 'x' THEN 0 ELSE days END) AS days
        FROM {stay} GROUP BY code
        """,
        INPUTS,
    )
    assert found.columns == {
        "code": {("stay", "code"): SAME},
        "n": {("stay", "code"): SUM},
        "patients": {("stay", "patient"): SUM},
        "longer": {("stay", "days"): SUM},
        "days": {("stay", "days"): SUM, ("stay", "patient"): IF},
    }
    assert found.rows == {("stay", "code"): {Influence.GROUPING}}


def test_joins_filters_and_distinct_decide_which_rows_exist() -> None:
    found = lineage_of_query(
        """
        WITH known AS (SELECT DISTINCT patient, born FROM {person} WHERE sex <> 'x')
        SELECT s.id, k.born FROM {stay} s LEFT JOIN known k ON k.patient = s.patient
        """,
        INPUTS,
    )
    assert found.columns == {"id": {("stay", "id"): SAME}, "born": {("person", "Born"): SAME}}
    assert found.rows == {
        ("person", "patient"): {Influence.GROUPING, Influence.JOIN},
        ("person", "Born"): {Influence.GROUPING},
        ("person", "sex"): {Influence.FILTER},
        ("stay", "patient"): {Influence.JOIN},
    }


def test_columns_of_a_union_correspond_by_position() -> None:
    found = lineage_of_query(
        "SELECT patient AS who, NULL AS born FROM {stay} UNION ALL SELECT sex, Born FROM {person}", INPUTS
    )
    assert found.columns == {
        "who": {("stay", "patient"): SAME, ("person", "sex"): SAME},
        "born": {("person", "Born"): SAME},
    }


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, stack(2, 'code', code, 'patient', patient) AS (level, value) FROM {stay}",
        "SELECT s.id, r.* FROM {stay} s LATERAL VIEW stack(2, 'code', code, 'patient', patient) r AS level, value",
    ],
)
def test_each_column_of_a_stack_has_its_own_arguments(sql: str) -> None:
    found = lineage_of_query(sql, INPUTS)
    assert {n: set(uses) for n, uses in found.columns.items()} == {
        "id": {("stay", "id")},
        "level": set(),
        "value": {("stay", "code"), ("stay", "patient")},
    }


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nothing FROM {stay}",
        "SELECT (SELECT max(Born) FROM {person}) AS x FROM {stay}",
        "SELECT id FROM {stay} WHERE",
        "DELETE FROM {stay}",
    ],
)
def test_a_query_without_exact_lineage_is_refused(sql: str) -> None:
    with pytest.raises(ChuError, match="cannot be followed"):
        lineage_of_query(sql, INPUTS)
