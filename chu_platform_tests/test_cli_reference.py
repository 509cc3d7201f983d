"""docs/cli.md is what the commands say of themselves."""

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parent.parent / "docs"


def test_the_reference_of_the_commands_is_current() -> None:
    reference = runpy.run_path(str(DOCS / "cli_reference.py"))["reference"]()

    assert "## `chu materialize`" in reference
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == reference, "docs/cli.md is old: run `make cli-reference`"


def test_no_summary_of_a_command_is_cut() -> None:
    summaries = [line for line in (DOCS / "cli.md").read_text(encoding="utf-8").splitlines() if line.startswith("* `")]

    assert any(line.startswith("* `materialize`: ") for line in summaries)
    assert [line for line in summaries if line.endswith("...")] == []
