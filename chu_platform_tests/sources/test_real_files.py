"""The delivered files themselves, where they are at hand: known totals of the real pack."""

import dataclasses
import os
import statistics
from collections import Counter
from pathlib import Path

import pytest

from chu_platform.settings import PROJECT
from chu_platform.sources.delivered import Delivered
from chu_platform.sources.delivered_files import DeliveredFiles
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.esatisca_mco import esatisca_mco
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.table import Table
from chu_platform_tests.sources.deliveries import Outcome, deliver

REAL = Path(os.environ.get("CHU_TEST_REAL_FILES", PROJECT.parent / "shared" / "real"))
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="no real files: set CHU_TEST_REAL_FILES to their folder")


def campaign(table: Table, year: str, tmp_path: Path) -> Outcome:
    """One campaign of a survey: the others are not at hand."""
    assert isinstance(table.rows, Delivered)
    assert isinstance(table.rows.reader, DeliveredFiles)
    reader = dataclasses.replace(table.rows.reader, expected=(year,))
    only = dataclasses.replace(table, rows=dataclasses.replace(table.rows, reader=reader))
    return deliver(only, REAL, tmp_path)


def column(table: Table, name: str) -> int:
    return [c.name for c in table.columns].index(name)


def test_stays(tmp_path: Path) -> None:
    outcome = deliver(hospitalisations, REAL, tmp_path)
    assert (outcome.reading.rows_in, outcome.reading.rejects) == (2_479, [])
    by_year = Counter(r[-1][:4] for r in outcome.rows)
    assert [by_year[str(y)] for y in range(2015, 2022)] == [255, 395, 458, 395, 374, 410, 192]
    assert sum(r[column(hospitalisations, "Jour_Hospitalisation")] for r in outcome.rows) == 38_244


def test_survey_of_stays_of_2019(tmp_path: Path) -> None:
    outcome = campaign(esatis48h_mco, "2019", tmp_path)
    assert (outcome.reading.rows_in, outcome.reading.rejects) == (1_152, [])
    scores = [r[column(esatis48h_mco, "score_all_rea_ajust")] for r in outcome.rows]
    scored = [s for s in scores if s is not None]
    assert (len(scored), round(statistics.fmean(scored), 2)) == (858, 73.73)
    regions = {r[column(esatis48h_mco, "region")] for r in outcome.rows}
    assert {"Auvergne-Rhône-Alpes", "Océan Indien"} <= regions
    assert len(regions) == 17
    assert all(len(r[column(esatis48h_mco, "finess_geo")]) == 9 for r in outcome.rows)


def test_survey_of_day_surgery_of_2019(tmp_path: Path) -> None:
    outcome = campaign(esatisca_mco, "2019", tmp_path)
    assert (outcome.reading.rows_in, outcome.reading.rejects) == (945, [])
