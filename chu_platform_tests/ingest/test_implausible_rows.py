"""Rows that cannot be true or repeat a key are rejects, the others are kept; too many, and the file is refused."""

import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import openpyxl
import pytest

from chu_platform.errors import ChuError
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform_tests.ingest.deliveries import HEADER as THINGS
from chu_platform_tests.ingest.deliveries import Outcome, deliver, table_of
from chu_platform_tests.ingest.real_files import CASES, needs_cases

pytestmark = pytest.mark.unit

HEADER = (
    "Num_Hospitalisation;Id_patient;identifiant_organisation;Code_diagnostic;Suite_diagnostic_consultation;Date_Entree;"
    "Jour_Hospitalisation"
)
TODAY = date.today()


def stay(number: int, day: str = "27/09/2017", days: str = "17") -> str:
    return f"{number};{number};F010000107;S02800;Fracture, fermees;{day};{days}"


def read(folder: Path, lines: Sequence[str]) -> Outcome:
    (folder / "pack").mkdir()
    (folder / "pack" / "Hospitalisations.csv").write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
    return deliver(hospitalisations, folder / "pack", folder / "work")


def numbers(outcome: Outcome) -> set[int]:
    return {row[0] for row in outcome.rows}


def french(day: date) -> str:
    return f"{day:%d/%m/%Y}"


@pytest.mark.parametrize(
    ("day", "days", "column", "reason"),
    [
        ("27/09/2107", "3", "Date_Entree", "date_out_of_range"),
        ("27/09/1017", "3", "Date_Entree", "date_out_of_range"),
        ("31/12/1989", "3", "Date_Entree", "date_out_of_range"),
        (french(TODAY + timedelta(3)), "0", "Date_Entree", "date_out_of_range"),
        ("29/02/2019", "3", "Date_Entree", "not_a_date"),
        ("00/00/2019", "3", "Date_Entree", "not_a_date"),
        ("27/09/2017", "-1", "Jour_Hospitalisation", "negative_length_of_stay"),
        (french(TODAY - timedelta(30)), "40", "Jour_Hospitalisation", "stay_ends_after_delivery"),
        ("27/09/2017", "2147483647", "Jour_Hospitalisation", "stay_ends_after_delivery"),
        ("27/09/2017", "36526", "Jour_Hospitalisation", "stay_ends_after_delivery"),
    ],
)
def test_a_stay_that_cannot_be_true_is_a_reject(tmp_path: Path, day: str, days: str, column: str, reason: str) -> None:
    outcome = read(tmp_path, [stay(1), stay(2, day, days), stay(3)])
    assert numbers(outcome) == {1, 3}
    assert outcome.rejected == [(3, column, reason)]


@pytest.mark.parametrize(
    ("day", "days"),
    [
        ("02/01/2018", "412"),
        ("01/01/1990", "9000"),
        ("27/09/2017", "0"),
        (french(TODAY), "0"),
        (french(TODAY - timedelta(400)), "399"),
        ("\u00a027/09/2017 ", " 17\u00a0"),
    ],
)
def test_an_unusual_stay_is_kept(tmp_path: Path, day: str, days: str) -> None:
    outcome = read(tmp_path, [stay(1, day, days)])
    assert (numbers(outcome), outcome.rejected) == ({1}, [])


@pytest.mark.parametrize(("good", "bad"), [(5, 5), (20, 5), (95, 23), (1, 1)])
def test_the_other_rows_are_kept(tmp_path: Path, good: int, bad: int) -> None:
    """A few, or up to a fifth, are typing errors."""
    lines = [*(stay(n) for n in range(good)), *(stay(good + n, "27/09/2107") for n in range(bad))]
    outcome = read(tmp_path, lines)
    assert (len(outcome.rows), len(outcome.rejected)) == (good, bad)


@pytest.mark.parametrize(("good", "bad"), [(20, 6), (74, 26), (4, 5), (0, 1)])
def test_above_the_declared_share_the_source_stops(tmp_path: Path, good: int, bad: int) -> None:
    lines = [*(stay(n) for n in range(good)), *(stay(good + n, "27/09/2107") for n in range(bad))]
    with pytest.raises(ChuError) as error:
        read(tmp_path, lines)
    assert str(error.value) == (
        f"Hospitalisations.csv: {bad} of {good + bad} rows are rejected, first line {good + 2} (column Date_Entree: "
        "date_out_of_range, shape 99/99/9999); nothing was committed, ask for it again"
    )


@needs_cases
def test_shared_cases(tmp_path: Path) -> None:
    for case, rejected in (("21-stays-far-date", [(32, "Date_Entree", "date_out_of_range")]), ("23-stays-long", [])):
        (tmp_path / case / "pack").mkdir(parents=True)
        shutil.copy(CASES / case / "Hospitalisations.csv", tmp_path / case / "pack")
        outcome = deliver(hospitalisations, tmp_path / case / "pack", tmp_path / case / "work")
        assert outcome.rejected == rejected
        assert numbers(outcome) == set(range(1, 32 - len(rejected)))
        assert {row[6] for row in outcome.rows} >= ({412} if not rejected else set())


@pytest.mark.parametrize(("column", "value"), [("score_all_rea_ajust", "173"), ("taux_reco_brut", "-5")])
def test_a_score_off_its_scale_is_a_reject(tmp_path: Path, column: str, value: str) -> None:
    names = ["finess_geo", "nb_rep_score_all_rea_ajust", "score_all_rea_ajust", "classement", "taux_reco_brut"]
    sites = [dict(zip(names, (f"01000000{n}", "40", "72,5", "B", "60"), strict=True)) for n in range(4)]
    sites[2][column] = value
    (tmp_path / "pack").mkdir()
    lines = [";".join(names), *(";".join(site.values()) for site in sites)]
    for year in (2017, 2019, 2020):
        name = f"resultats-esatis48h-mco-open-data-{year}.csv"
        (tmp_path / "pack" / name).write_text("\n".join([*lines, ""]), encoding="utf-8")
    outcome = deliver(esatis48h_mco, tmp_path / "pack", tmp_path / "work", order=sql_name("finess_geo"))
    assert outcome.rejected == [(4, column, "out_of_range")] * 3
    assert len(outcome.rows) == 9


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_rows_with_the_key_of_another_row_are_rejects(tmp_path: Path, kind: str) -> None:
    """An equal row is kept once, whatever its spelling; of rows with other values, none is kept."""
    lines = [THINGS, *(f"{n};a;2020-01-01;1" for n in range(100)), "0007;a;2020-01-01;1.0", "3;a;2020-01-01;1"]
    lines += ["5;b;2020-01-01;1", "6;a;;", "8;a;2020-13-01;1", "3;a;2020-01-01;1"]
    (tmp_path / "pack").mkdir()
    file = tmp_path / "pack" / f"things.{kind}"
    if kind == "csv":
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    else:
        book = openpyxl.Workbook()
        for line in lines:
            book.active.append(line.split(";"))
        book.save(file)
    outcome = deliver(table_of(has_key=True), tmp_path / "pack", tmp_path / "work")
    assert outcome.rejected == [
        (7, "id", "contradictory_row"),
        (8, "id", "contradictory_row"),
        (102, "id", "repeated_row"),
        (103, "id", "repeated_row"),
        (104, "id", "contradictory_row"),
        (105, "id", "contradictory_row"),
        (106, "day", "not_a_date"),
        (107, "id", "repeated_row"),
    ]
    assert [row[0] for row in outcome.rows] == [n for n in range(100) if n not in (5, 6)]
    assert {row[1] for row in outcome.rows} == {"a"}


@pytest.mark.parametrize(("rows", "repeated", "stops"), [(100, 10, False), (100, 12, True), (4, 1, False)])
def test_with_too_many_repeated_rows_the_source_stops(tmp_path: Path, rows: int, repeated: int, stops: bool) -> None:
    lines = [stay(n) for n in [*range(rows), *range(repeated)]]
    if not stops:
        outcome = read(tmp_path, lines)
        assert numbers(outcome) == set(range(rows))
        repeats = [(line + 2, "Num_Hospitalisation", "repeated_row") for line in range(rows, rows + repeated)]
        assert outcome.rejected == repeats
        return
    with pytest.raises(ChuError, match=r"12 of 112 rows have the key .Num_Hospitalisation. of another row, 0 of them"):
        read(tmp_path, lines)


def test_a_repeated_site_of_a_campaign_is_a_reject_of_its_file(tmp_path: Path) -> None:
    """The year of the campaign, a part of the key, comes from the name of the file."""
    (tmp_path / "pack").mkdir()
    header = "finess_geo;nb_rep_score_all_rea_ajust;score_all_rea_ajust;classement"
    for year, sites in ((2017, "122"), (2019, "123"), (2020, "123")):
        lines = [header, *(f"01000000{site};40;72,5;B" for site in sites), ""]
        name = f"resultats-esatis48h-mco-open-data-{year}.csv"
        (tmp_path / "pack" / name).write_text("\n".join(lines), encoding="utf-8")
    outcome = deliver(esatis48h_mco, tmp_path / "pack", tmp_path / "work", order="1")
    assert outcome.rejected == [(4, "finess_geo", "repeated_row")]
    assert len(outcome.rows) == 8
