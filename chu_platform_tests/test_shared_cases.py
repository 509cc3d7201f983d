"""Every case beside the checkout has a line in docs/public-cases.md, and the tests that the line names exist.

A line whose last cell begins with "not yet" is that of a case without a test; it may name tests that are to come.
"""

import re

import pytest

from chu_platform.settings import PROJECT
from chu_platform_tests.ingest.real_files import CASES, needs_cases

pytestmark = pytest.mark.unit

DOCUMENT = PROJECT / "docs" / "public-cases.md"
NOT_YET = "not yet"


def last_cells() -> dict[str, str]:
    """The last cell of each line of the first table, by case."""
    section = DOCUMENT.read_text(encoding="utf-8").split("\n## ")[1]
    lines = re.findall(r"^\| (\d\d-[\w-]+) \|.*\| ([^|]+) \|$", section, re.MULTILINE)
    return dict(lines)


@needs_cases
def test_every_case_is_in_the_document() -> None:
    assert sorted(last_cells()) == sorted(folder.name for folder in CASES.iterdir() if folder.is_dir())


def test_the_named_tests_exist() -> None:
    sources = [file.read_text(encoding="utf-8") for file in (PROJECT / "chu_platform_tests").rglob("test_*.py")]
    defined = {name for source in sources for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}
    for case, cell in last_cells().items():
        named = set(re.findall(r"test_\w+", cell))
        has_tests = bool(named) and named <= defined
        assert has_tests is not cell.startswith(NOT_YET), f"{case}: {cell}"
