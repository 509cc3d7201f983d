"""The described catalogue holds what the declarations say, and nothing of the machine or of the data."""

import json
import re

import pytest
from pydantic_core import to_json

from chu_platform.catalogue import catalogue
from chu_platform.describe_catalogue import described_catalogue
from chu_platform.description.described_tables import DescribedCatalogue
from chu_platform.description.file import PACKAGE, as_text, code_hash, read_catalogue, write_catalogue
from chu_platform.indicators.indicator import indicators
from chu_platform.lineage.table_lineage import lineage_of
from chu_platform.lineage.whole_lineage import influences_of, values_of
from chu_platform.tables.column_origins import End, Field
from chu_platform.tables.rows import ExternalSource
from chu_platform.tables.table import Table

pytestmark = pytest.mark.integration

EVERY = [made for table in catalogue() for made in table.outputs]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> DescribedCatalogue:
    """The catalogue as it is read from its file."""
    lake = tmp_path_factory.mktemp("lake")
    (lake / "published").mkdir()
    write_catalogue(as_text(described_catalogue()), lake, lake / "work")
    assert not (lake / "work").exists()
    return read_catalogue(lake, lake / "work")


def identifier(table: Table) -> str:
    return f"{table.layer}/{table.name}"


def test_every_table_is_described_as_it_is_declared(described: DescribedCatalogue) -> None:
    assert [t.identifier for t in described.tables] == [identifier(t) for t in EVERY]
    for declared, shown in zip(EVERY, described.tables, strict=True):
        assert (shown.folder, shown.label, shown.grain, shown.owner, shown.zone) == (
            declared.folder, declared.label, declared.grain, declared.owner, declared.zone,
        )  # fmt: skip
        for column, one in zip(declared.columns, shown.columns, strict=True):
            assert vars(one) == vars(column)
        assert [(c.name, c.type, c.minimum, c.maximum, c.blocking) for c in shown.checks] == [
            (c.name, c.kind, c.minimum, c.maximum, c.blocking) for c in declared.all_checks
        ]
        assert list(shown.needs) == [identifier(t) for t in declared.needs]
        assert (shown.key, list(shown.partition_by)) == (declared.key, list(declared.partition_by))
        assert shown.expected is declared.freshness
        assert shown.code_version == declared.code_version
        assert to_json(shown.access) == to_json(declared.access)
        assert shown.query == declared.rows.declaration.get("query", shown.query)


def test_each_table_comes_after_those_it_needs(described: DescribedCatalogue) -> None:
    seen: set[str] = set()
    for table in described.tables:
        assert set(table.needs) <= seen
        seen.add(table.identifier)


def test_the_step_of_a_delivered_table_makes_its_rejects_too(described: DescribedCatalogue) -> None:
    assert list(described.table("sources/deces").outputs) == ["sources/deces", "rejects/deces"]
    assert list(described.table("rejects/deces").outputs) == ["rejects/deces"]
    assert described.table("sources/deces").rows == "delivered"


def test_questions_are_those_of_the_indicators(described: DescribedCatalogue) -> None:
    assert [q.question.slug for q in described.questions] == [i.question.slug for i in indicators()]
    for shown, indicator in zip(described.questions, indicators(), strict=True):
        assert (shown.table, shown.fact) == (identifier(indicator.masked), identifier(indicator.fact))
        assert [vars(m) for m in shown.question.measures] == [vars(m) for m in indicator.question.measures]
        assert [p.value_labels for p in shown.question.parameters] == [
            p.value_labels for p in indicator.question.parameters
        ]


def test_lineage_is_that_of_the_declarations_one_step_and_all_the_way(described: DescribedCatalogue) -> None:
    def named(origin: Field[Table] | ExternalSource) -> Field[str] | ExternalSource:
        return Field(identifier(origin.table), origin.column) if isinstance(origin, Field) else origin

    def ends(found: frozenset[End[Table]]) -> set[End[str]]:
        return {End(Field(identifier(e.field.table), e.field.column), e.source) for e in found}

    for declared, shown in zip(EVERY, described.tables, strict=True):
        lineage = lineage_of(declared)
        assert {n: list(o.items()) for n, o in shown.lineage.columns.items()} == {
            n: [(named(origin), kind) for origin, kind in o.items()] for n, o in lineage.columns.items()
        }
        assert shown.lineage.rows == {named(origin): kinds for origin, kinds in lineage.rows.items()}
        for column in declared.columns:
            field = Field(shown.identifier, column.name)
            assert described.way_back.values_of(field) == ends(values_of(Field(declared, column.name)))
            assert described.way_back.influences_of(field) == ends(influences_of(Field(declared, column.name)))


def test_a_declaration_has_its_place_in_the_package(described: DescribedCatalogue) -> None:
    for table in described.tables:
        file, _, line = table.declared_at.partition(":")
        text = (PACKAGE / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert re.match(r"\w+(: Final)? = ", text), table.declared_at


def test_the_file_names_no_place_of_the_machine() -> None:
    text = as_text(described_catalogue()).decode()
    assert json.loads(text)["code_hash"] == code_hash()
    assert str(PACKAGE.parent) not in text
