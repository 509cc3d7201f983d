"""The UI is English for engineers, with the French texts of the documents as metadata."""

import re

import dagster as dg
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.english import columns, english_of
from chu_platform.tables.table import Table
from chu_platform_tests.graph.built import repository

pytestmark = pytest.mark.unit

TABLES = [made for table in catalogue() for made in table.outputs]
# Words and letters of French that no English text of the platform has.
FRENCH = re.compile(r"[àâçèêëîïôûœ]|\b(le|la|les|des|du|une|dans|avec|est|sont|pour|par|qui|ou)\b", re.IGNORECASE)
# Words of the data: answers, and names of tables and columns as they are delivered.
OF_THE_DATA = re.compile(r"`[^`]*`|\(.*?=.*?\)|Oui, Non|Ensemble:|\w+\.\w+|\w+/\w+")


def text_of(text: str, names: set[str]) -> str:
    """The words of a text without those of the data."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "")
    return OF_THE_DATA.sub("", text)


def test_each_description_of_a_column_has_an_english_text() -> None:
    declared = {column.description for table in TABLES for column in table.columns}
    assert {description for description in declared if not english_of(description)} == set()
    assert columns().keys() - declared == set(), "texts of no column"


@pytest.mark.parametrize("table", TABLES, ids=lambda t: f"{t.layer}/{t.name}")
def test_the_ui_is_english_and_has_the_french_texts_as_metadata(table: Table) -> None:
    node = repository().asset_graph.get(key_of(table))
    schema = node.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema) and node.description
    names = {table.name, *(c.name for c in table.columns), *(t.name for t in table.needs)}
    shown = [node.description, *(c.description or "" for c in schema.columns), *schema.constraints.other]
    keys = repository().asset_graph.get_check_keys_for_assets({key_of(table)})
    shown += [repository().asset_graph.get_check_spec(key).description or "" for key in keys]
    assert [text for text in shown if FRENCH.search(text_of(text, names))] == []
    assert node.metadata["label_fr"] == table.label and node.metadata["grain_fr"] == table.grain
    assert {c.name for c in schema.columns} == {*node.metadata["columns_fr"].value}
