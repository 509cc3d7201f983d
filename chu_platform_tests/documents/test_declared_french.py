"""What the declarations say to readers is French: grains, descriptions of columns and of rules; and so are moments.

No test can tell that a sentence is good French. These tell that none is English: they look for the small words that an
English sentence hardly does without and that French does not have. Values of the data, which are English here and there
(all, unknown, not run), and names of columns (number) are no words of the sentences that hold them.
"""

import re
from collections.abc import Iterator

import pytest

from chu_platform.catalogue import catalogue
from chu_platform.documents.french_labels import moment
from chu_platform.ingest.delivered import delivered_tables, quarantine_of
from chu_platform.tables.table import Table

pytestmark = pytest.mark.unit

ENGLISH = re.compile(
    r"\b(and|are|at|be|been|by|each|every|first|for|from|has|have|in|is|it|its|last|nor|of|one|only|rows|since|than|"
    r"that|the|their|there|these|they|this|those|to|was|were|what|when|where|whether|which|who|whose|with|"
    r"without)\b",
    re.IGNORECASE,
)
DECLARED = [made for table in catalogue() for made in table.outputs]
EVERY = [*DECLARED, *(quarantine_of(table) for table in delivered_tables(catalogue()))]


def sentences(table: Table) -> Iterator[str]:
    """All that a table says of itself in sentences."""
    yield table.grain
    yield from (column.description for column in table.columns)
    yield from (rule.description for rule in table.all_checks)
    if table.access:
        yield from (table.access.legal_basis, table.access.retention_reason, table.access.persons)


@pytest.mark.parametrize("table", EVERY, ids=lambda t: f"{t.layer}/{t.name}")
def test_no_sentence_of_a_declaration_is_english(table: Table) -> None:
    found = {said: words for said in sentences(table) if (words := ENGLISH.findall(said))}
    assert found == {}


def test_a_sentence_follows_its_label_and_is_not_closed() -> None:
    """As in "Âge – âge en années révolues": the texts stand behind labels, in tables and in lists."""
    closed = [said for table in EVERY for said in sentences(table) if said.endswith(".") and not said.endswith("...")]
    typewriter = [said for table in EVERY for said in sentences(table) if "'" in said]
    assert (closed, typewriter) == ([], [])


def test_a_moment_is_said_in_words() -> None:
    assert moment("2026-11-27T06:05:00+00:00") == "27 novembre 2026 à 06:05"
    assert moment("2026-12-01T16:55:59+00:00") == "1er décembre 2026 à 16:55"
