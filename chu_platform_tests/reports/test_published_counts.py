"""The published reports have no small count of rows about persons; the exact measures are in the pseudonymised zone."""

from typing import Any

import pytest

from chu_platform.catalogue import catalogue
from chu_platform.reports.check_result import check_result, check_result_exact
from chu_platform.reports.source_quality import source_quality
from chu_platform.tables.checks import CheckType
from chu_platform.tables.table import Layer, Zone
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

TABLES = {(made.layer.value, made.name): made for table in catalogue() for made in table.outputs}
KEY = ("layer", "table", "check")


def test_measures_of_checks_are_exact_only_where_they_are_public(made: Home) -> None:
    exact = {tuple(r[c] for c in KEY): r["measured"] for r in rows(made.lake, check_result_exact).to_pylist()}
    hidden = 0
    for row in rows(made.lake, check_result).to_pylist():
        table = TABLES[row["layer"], row["table"]]
        measured, whole = row["measured"], exact.get(tuple(row[c] for c in KEY))
        is_public = table.public_source or table.zone is Zone.PUBLISHED or table.layer is Layer.REFERENCES
        if is_public or row["type"] == CheckType.FRESHNESS or not whole:
            assert measured == whole
        elif whole == int(whole) and whole > 10:
            assert measured % 20 == 0 and abs(measured - whole) <= 10
        else:
            assert measured is None
            hidden += 1
    assert hidden > 5, "or this tests next to nothing"


def test_counts_of_delivered_rows_are_exact_only_for_public_sources(made: Home) -> None:
    public: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for row in rows(made.lake, source_quality).to_pylist():
        (public if TABLES["sources", row["source"]].public_source else others).append(row)
    assert any(row["rows_rejected"] and row["rows_rejected"] % 20 for row in public)
    assert all(row[count] is not None for row in public for count in ("rows_in", "rows_kept") if row["state"] == "read")
    assert {row["source"] for row in others} >= {"Patient", "Consultation", "Hospitalisations", "Prescription"}
    for row in others:
        assert row["rows_in"] is None and row["rows_kept"] is None and row["rejected_share"] is None
        for count in ("rows_rejected", "rows_withdrawn", "open_rejects", "mended_rejects"):
            assert row[count] is None or row[count] % 20 == 0
