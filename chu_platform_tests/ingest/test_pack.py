"""All sources read from the demonstration pack, compared with counts made without the platform."""

import csv
import io
import subprocess
from pathlib import Path

import duckdb
import pytest
from openpyxl import load_workbook

from chu_platform.catalogue import catalogue
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.sources.deces import deces
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.table import Table
from chu_platform_tests.ingest.deliveries import Outcome, deliver

pytestmark = pytest.mark.integration

FILES = [t for t in delivered_tables(catalogue()) if delivered_rows(t).reader.database is None]


def records(file: Path) -> int:
    """Number of rows of a CSV file by Python's csv reader, without the header. The first line gives the separator."""
    content = file.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252")
    separator = max(";,", key=text.split("\n", 1)[0].count)
    # The file of stays has no quoting, and contains no quote.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return len([row for row in reader if row]) - 1


def sheet_rows(file: Path) -> int:
    rows = load_workbook(file).worksheets[0].values
    return len([row for row in rows if any(cell is not None for cell in row)]) - 1


@pytest.mark.parametrize("table", FILES, ids=lambda t: t.name)
def test_every_row_of_every_file(pack: Path, tmp_path: Path, table: Table) -> None:
    outcome = deliver(table, pack, tmp_path)
    files = [pack / o.name for o in outcome.origins]
    assert outcome.reading.rows_in == sum(sheet_rows(f) if f.suffix == ".xlsx" else records(f) for f in files)
    assert len(outcome.rows) == outcome.reading.kept
    for origin in outcome.origins:
        output = subprocess.run(["sha256sum", pack / origin.name], capture_output=True, text=True, check=True).stdout
        assert origin.fingerprint == output.split()[0]


def test_a_partition_range_gives_a_part_of_the_rows(pack: Path, tmp_path: Path) -> None:
    assert deces.partition_scheme
    whole = deliver(deces, pack, tmp_path / "whole", order="ALL")
    part = deliver(deces, pack, tmp_path / "part", deces.partition_scheme.between("1990", "1999"), order="ALL")
    assert part.rows == [r for r in whole.rows if "1990" <= r[-1] <= "1999"]
    assert 0 < len(part.rows) < len(whole.rows)
    assert (part.reading.kept, part.rejected) == (whole.reading.kept, whole.rejected)


def test_impossible_dates_of_death(pack: Path, tmp_path: Path) -> None:
    content = (pack / "DECES EN FRANCE" / "deces.csv").read_text("utf-8")
    dates = [
        "2019-02-30",
        "2019-13-01",
        "2019",
        "01/02/2019",
        "",
        "-019-01-01",
        "2019-00-00",
        "2019-05-00",
        "2019-1-1",
    ]
    invalid = [d for d in dates if d not in ("2019", "2019-00-00", "2019-05-00", "2019-1-1")]
    header, lines = content.split("\n", 1)
    first = len(content.splitlines()) + 1
    extra = "".join(f"NOM,PRENOM,1,1950-01-01,01001,X,,{d},01001,1\n" for d in dates)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "deces.csv").write_text(f"{header}\n{lines}{extra}")
    before = deliver(deces, pack, tmp_path / "before").reading
    after = deliver(deces, tmp_path / "pack", tmp_path / "after")
    assert len(after.reading.rejects) == len(before.rejects) + len(invalid)
    added = [(line, reason) for line, _, reason in after.rejected if line >= first]
    assert added == [(first + dates.index(d), "not_a_date" if d else "missing") for d in invalid]


def _stays(tmp_path: Path, *rows: str) -> Outcome:
    (tmp_path / "pack").mkdir()
    header = ";".join(c.name for c in hospitalisations.columns if c.name != "month")
    (tmp_path / "pack" / "Hospitalisations.csv").write_text("\n".join([header, *rows]) + "\n")
    return deliver(hospitalisations, tmp_path / "pack", tmp_path / "work")


def test_stays_with_a_negative_length_or_an_invalid_date(tmp_path: Path) -> None:
    good = [f'{i};1;F010000107;S02800;Fracture, "fermee";27/09/2017;{i}' for i in range(3)]
    outcome = _stays(tmp_path, *good, "8;1;F1;S028;x;27/09/2017;-1", "9;1;F1;S028;x;31/02/2017;1")
    assert [r[0] for r in outcome.rows] == [0, 1, 2]
    assert outcome.rejected == [
        (5, "Jour_Hospitalisation", "negative_length_of_stay"),
        (6, "Date_Entree", "not_a_date"),
    ]


def test_finess_numbers_of_workbooks_keep_their_zeros(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    for file in (pack / "Satisfaction").rglob("*48H*donnees.csv"):
        (tmp_path / "pack" / file.name).write_bytes(file.read_bytes())
    for file in (pack / "Satisfaction").rglob("resultats-esatis48h-*"):
        (tmp_path / "pack" / file.name).write_bytes(file.read_bytes())
    target = next((tmp_path / "pack").glob("*.xlsx"))
    book = load_workbook(target)
    page = book["Resultats"]
    finess = [page.cell(row, 3).value for row in range(2, page.max_row + 1)]
    for row, value in enumerate(finess, start=2):
        page.cell(row, 3).value = int(value) if str(value).isdigit() else value
    book.save(target)
    outcome = deliver(esatis48h_mco, tmp_path / "pack", tmp_path / "work", order="ALL")
    read = sorted(r[2] for r in outcome.rows if r[-1] == "2020")
    assert read == sorted(finess)
    assert any(f.startswith("0") for f in read)
    assert {len(f) for f in read} == {9}


def test_an_invalid_file_concerns_its_own_campaign(pack: Path, tmp_path: Path) -> None:
    """The second of three files lacks a column: it is named, and the rows of the others are read."""
    (tmp_path / "pack").mkdir()
    for file in (pack / "Satisfaction").rglob("*"):
        if "esatis48h" not in file.name.lower() or file.name.startswith("~"):
            continue
        (tmp_path / "pack" / file.name).write_bytes(file.read_bytes())
    whole = deliver(esatis48h_mco, tmp_path / "pack", tmp_path / "whole", order="ALL")
    broken = tmp_path / "pack" / "resultats-esatis48h-mco-open-data-2019.csv"
    broken.write_bytes(broken.read_bytes().replace(b"finess_geo;", b"finess_site;", 1))
    outcome = deliver(esatis48h_mco, tmp_path / "pack", tmp_path / "work", order="ALL")
    (left_out,) = outcome.reading.left_out
    assert left_out.name == broken.name
    assert "2019.csv: 'finess_geo' missing" in left_out.why
    year = [c.name for c in esatis48h_mco.columns].index("campaign_year")
    assert outcome.rows == [row for row in whole.rows if row[year] != "2019"]
    assert len(outcome.rows) < len(whole.rows)


def test_agrees_with_duckdb_on_the_raw_file(pack: Path, tmp_path: Path) -> None:
    file = pack / "DECES EN FRANCE" / "deces.csv"
    raw = f"read_csv('{file}', all_varchar = true, delim = ',', quote = '\"', header = true)"
    expected = duckdb.execute(
        f"SELECT left(date_deces, 4), count(*) FROM {raw} "
        "WHERE try_cast(date_deces AS DATE) IS NOT NULL OR date_deces LIKE '%-00' OR length(date_deces) < 10 "
        "GROUP BY 1 ORDER BY 1"
    ).fetchall()
    rows = deliver(deces, pack, tmp_path).rows
    assert expected == [(y, sum(r[-1] == y for r in rows)) for y in sorted({r[-1] for r in rows})]
