"""The whole report of recommendations, from its declared marks and recorded measurements: it is made without a lake."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import pyarrow as pa
import pytest

from chu_platform.building_blocks.measurement_file import Row
from chu_platform.committee.document import Document, Missing, Paragraph, Picture, Table
from chu_platform.committee.inputs import Inputs
from chu_platform.committee.pdf_writer import as_pdf
from chu_platform.committee.preconisations import PRECONISATIONS
from chu_platform.committee.write_reports import document_of
from chu_platform.references.recommendation import recommendation
from chu_platform.scaling.results import MEASUREMENTS
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.tables.rows import Computed

pytestmark = pytest.mark.integration

TODAY = datetime.date(2026, 11, 30)


class WithoutLake(Inputs):
    """Inputs whose two tables are in memory."""

    def __init__(self, home: Path, measured: list[Row]) -> None:
        self.settings = Settings(home=home)
        self.today = TODAY
        self.lake = cast("Lake", SimpleNamespace(open=lambda _: measured or None))
        self._connection = duckdb.connect()
        assert isinstance(recommendation.rows, Computed)
        self._add("refs.recommendation", recommendation.rows.function())
        self._add("reports.scaling_benchmark", pa.Table.from_pylist(measured, MEASUREMENTS.schema))

    def _add(self, name: str, rows: pa.Table) -> None:
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
        self._connection.register("rows", rows)
        self._connection.execute(f"CREATE TABLE {name} AS FROM rows")

    @property
    def stated(self) -> str:
        return "Établi le 30 novembre 2026."

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql.replace("references.", "refs.")).fetchall()


def blocks(document: Document, kind: type) -> Iterator[Any]:
    return (block for chapter in document.chapters for block in chapter.blocks if isinstance(block, kind))


def row(cluster: str, query: str, median: float, executors: str = "") -> Row:
    limits = {} if executors else {"low_ms": 0.9 * median, "high_ms": 1.1 * median}
    whole = {"executors": executors, "executor_seconds": 60.0 if cluster == "dynamic" else 200.0} if executors else {}
    return {
        **dict.fromkeys(MEASUREMENTS.schema.names),
        "machine": "m", "scale": 0.1, "cluster": cluster, "query": query, "runs": 7, "median_ms": median,
        "max_ms": 2 * median, "equal_rows": True, "others": 0.25, "engine_version": "4", "code": "c",
        "measured_at": "2026-11-30T10:00:00+00:00", **limits, **whole,
    }  # fmt: skip


def test_the_report_says_what_is_not_measured_yet(tmp_path: Path) -> None:
    document = document_of(PRECONISATIONS, WithoutLake(tmp_path, []))
    missing = [block.text for block in blocks(document, Missing)]
    assert len(missing) == 2 and all("chu benchmark elasticity" in text for text in missing)


def test_the_report_tells_what_was_measured(tmp_path: Path) -> None:
    measured = [
        row("one_worker", "full_scan", 3000), row("two_workers", "full_scan", 1600), row("dynamic", "full_scan", 1700),
        row("one_worker", "large_join", 3000), row("two_workers", "large_join", 2900),
        row("dynamic", "large_join", 2900),
        row("one_worker", "program", 120e3, "0.0:1"), row("two_workers", "program", 100e3, "0.0:2"),
        row("dynamic", "program", 110e3, "0.0:0 1.0:1 2.5:2 40.0:1 45.0:0 70.0:1 90.0:0"),
    ]  # fmt: skip
    document = document_of(PRECONISATIONS, WithoutLake(tmp_path, measured))
    assert not list(blocks(document, Missing))
    assert len(list(blocks(document, Picture))) == 1
    told = " ".join(block.text for block in blocks(document, Paragraph))
    assert "pour 1 des 2 requêtes" in told and "a ajouté un exécuteur 3 fois et en a rendu un 3 fois" in told
    assert "réserve 70\N{NO-BREAK SPACE}% de secondes d’exécuteur de moins" in told.replace(
        "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"
    )
    assert "D’autres processus ont pris de 25" in told
    (speedups,) = (t for t in blocks(document, Table) if "accélération" in t.title)
    assert [r[-1] for r in speedups.rows] == ["plus rapide à deux", "non établi"]
    pdf, pages = as_pdf(document, TODAY)
    assert pdf.startswith(b"%PDF") and set(pages) == {chapter.slug for chapter in PRECONISATIONS.chapters}
