"""The figures that `chu run` prints at its end."""

from dataclasses import replace

import pytest

from chu_platform import terminal_tables
from chu_platform.kpis.kpi_follow_up import kpi_follow_up
from chu_platform.storage.edition_manifest import published_edition
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


def test_an_indicator_that_is_in_no_edition_yet_is_named(
    made: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a lake of an earlier version, until the next release."""
    edition = published_edition(made.lake.place)
    assert edition and edition.version(kpi_follow_up.masked) is not None
    older = replace(edition, tables={f: v for f, v in edition.tables.items() if kpi_follow_up.name not in f})
    monkeypatch.setattr(terminal_tables, "published_edition", lambda _: older)
    terminal_tables.print_indicators(made.lake)
    printed = capsys.readouterr().out
    assert printed.count("dans aucune édition") == 1
    assert "Part des événements visible après masquage" in printed
