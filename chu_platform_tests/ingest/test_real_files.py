"""Real delivered files, where available: comparison with known totals."""

import csv
import dataclasses
import io
import math
import statistics
from collections import Counter
from contextlib import closing
from pathlib import Path

import duckdb
import openpyxl
import pytest
from python_calamine import CalamineWorkbook

from chu_platform.ingest.delivered import delivered_rows
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.sources.dan_mco_2016 import dan_mco_2016
from chu_platform.sources.dpa_had_2016 import dpa_had_2016
from chu_platform.sources.dpa_had_2016_classeur import dpa_had_2016_classeur
from chu_platform.sources.dpa_ssr_2014 import dpa_ssr_2014
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.esatisca_mco import esatisca_mco
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.iqss_2019 import iqss_2019
from chu_platform.sources.lexiques import lexiques
from chu_platform.sources.participants import participants
from chu_platform.sources.rcp_mco_2014 import rcp_mco_2014
from chu_platform.tables.columns import STRING
from chu_platform.tables.table import Table
from chu_platform_tests.ingest.deliveries import Outcome, deliver
from chu_platform_tests.ingest.real_files import REAL, needs_real_files

pytestmark = [pytest.mark.integration, needs_real_files]


def campaign(table: Table, year: str, tmp_path: Path) -> Outcome:
    """Read one campaign of a survey; the files of the others are not available."""
    rows = delivered_rows(table)
    assert isinstance(rows.reader, DeliveredFiles)
    reader = dataclasses.replace(rows.reader, expected=(year,))
    only = dataclasses.replace(table, rows=dataclasses.replace(rows, reader=reader))
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


# Available files of the real pack, by table, with their number of rows.
QUALITY = {
    "dpa_ssr_2014": (dpa_ssr_2014.table, 1_405),
    "rcp_mco_2014": (rcp_mco_2014.table, 772),
    "dan_mco_2016": (dan_mco_2016.table, 971),
    "dpa_had_2016": (dpa_had_2016.table, 280),
    "dpa_had_2016_classeur": (dpa_had_2016_classeur.table, 280),
    "iqss_2019": (iqss_2019.table, 3_392),
    "participants": (participants, 1_242 + 776),
}


def test_every_line_of_every_lexicon_is_a_row(tmp_path: Path) -> None:
    """The lexicons at hand, counted by Python's csv module and by openpyxl."""
    expected = {}
    for file in REAL.rglob("*"):
        if "lexique" in file.name.lower() and file.suffix == ".csv":
            lines = file.read_text(encoding="cp1252").splitlines()
            separator = max(";,", key=lines[0].count)
            expected[file.name] = sum(any(row) for row in csv.reader(lines, delimiter=separator)) - 1
        elif "lexique" in file.name.lower():
            with closing(openpyxl.load_workbook(file, read_only=True)) as workbook:
                rows = workbook["Lexique"].iter_rows(values_only=True)
                expected[file.name] = sum(any(row) for row in rows) - 1
    outcome = deliver(lexiques, REAL, tmp_path)
    counted = {Path(d.origin.name).name: d.rows_in for d in outcome.reading.deliveries}
    assert counted == expected
    assert (outcome.reading.rejects, outcome.messages) == ([], [])


def texts(file: Path) -> duckdb.DuckDBPyRelation:
    """All cells of a file as text, read by DuckDB. A workbook has lines of CSV in its first column."""
    connection = duckdb.connect()
    content = file.read_bytes()
    if file.suffix == ".xlsx":
        lines = [row[0] for row in CalamineWorkbook.from_path(str(file)).get_sheet_by_index(0).to_python()]
        text = "\n".join(str(line) for line in lines)
    else:
        text = content.decode("cp1252")
    separator = max(";,", key=text.split("\n", 1)[0].count)
    return connection.read_csv(io.StringIO(text), delimiter=separator, quotechar='"', all_varchar=True, header=True)


@pytest.mark.parametrize("name", QUALITY)
def test_care_quality(tmp_path: Path, name: str) -> None:
    """Every column of every file has the same number of values, and numeric columns the same sum."""
    table, expected = QUALITY[name]
    outcome = deliver(table, REAL, tmp_path)
    assert (outcome.reading.rows_in, outcome.reading.kept, outcome.messages) == (expected, expected, [])
    origins = outcome.origins
    if len(origins) > 1:
        assert sum(len(texts(REAL / origin.name)) for origin in origins) == expected
        return
    raw = texts(REAL / origins[0].name)
    for position, column_ in enumerate(table.columns):
        if column_.name in delivered_rows(table).derived:
            continue
        cells = [row[position] for row in outcome.rows if row[position] is not None]
        plain = f"replace(rtrim(\"{column_.name}\", '%'), ',', '.')"
        aggregates = raw.aggregate(
            f'count("{column_.name}"), count(try_cast({plain} AS DOUBLE)), sum(try_cast({plain} AS DOUBLE))'
        )
        filled, numbers, total = aggregates.fetchall()[0]
        if column_.type == STRING:
            assert len(cells) == filled, column_.name
        else:
            assert len(cells) == numbers, column_.name
            assert math.isclose(sum(cells), total or 0, rel_tol=1e-9), column_.name
