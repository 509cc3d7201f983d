"""Files that a spreadsheet program or another program has saved again: they read as the original, or are loud."""

import csv
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from chu_platform.errors import ChuError
from chu_platform.facts.fact_quality_indicator import CARE_QUALITY_FILES
from chu_platform.ingest import csv_records, reading
from chu_platform.ingest.delivered import delivered_rows
from chu_platform.ingest.pack_contents import has_other_ending, tables_for_file
from chu_platform.sources.deces import deces
from chu_platform.sources.dpa_had_2016 import dpa_had_2016
from chu_platform.sources.dpa_had_2016_classeur import dpa_had_2016_classeur
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.rcp_mco_2018 import rcp_mco_2018
from chu_platform.tables.table import Table
from chu_platform_tests.ingest.deliveries import HEADER, Outcome, deliver, table_of

pytestmark = pytest.mark.unit

STAYS = [
    "Num_Hospitalisation",
    "Id_patient",
    "identifiant_organisation",
    "Code_diagnostic",
    "Suite_diagnostic_consultation",
    "Date_Entree",
    "Jour_Hospitalisation",
]
E_SATIS = ["finess_geo", "nb_rep_score_all_rea_ajust", "score_all_rea_ajust", "classement", "taux_reco_brut"]
E_SATIS_2022 = "resultats-iqss-esatis48h-mco-open-data-2022.csv"


def as_csv(rows: Sequence[Sequence[Any]], separator: str = ";", quoting: Any = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def as_workbook(file: Path, rows: Sequence[Sequence[Any]], hidden: bool = False) -> None:
    file.parent.mkdir(exist_ok=True)
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    if hidden:
        book.create_sheet("Notes")
        book.active.sheet_state = "hidden"
        book.active = 1
    book.save(file)


def read(tmp_path: Path, table: Table, name: str, text: str) -> Outcome:
    (tmp_path / "pack").mkdir(exist_ok=True)
    (tmp_path / "pack" / name).write_text(text, encoding="utf-8", newline="")
    return deliver(table, tmp_path / "pack", tmp_path / "work")


def column(outcome: Outcome, table: Table, name: str) -> list[Any]:
    place = [c.name for c in table.columns].index(name)
    return [row[place] for row in outcome.rows]


def stays(dates: Sequence[str]) -> list[list[Any]]:
    return [STAYS, *([i, 7, "F010000107", "S02800", "Fracture, fermée; l'alvéole", d, 3] for i, d in enumerate(dates))]


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_stays_with_quotes_and_any_separator(tmp_path: Path, separator: str, quoting: Any) -> None:
    text = as_csv(stays(["09/12/2015", "27/09/2017"]), separator, quoting)
    outcome = read(tmp_path, hospitalisations, "Hospitalisations.csv", text)
    assert column(outcome, hospitalisations, "Suite_diagnostic_consultation") == ["Fracture, fermée; l'alvéole"] * 2
    assert column(outcome, hospitalisations, "Date_Entree") == [date(2015, 12, 9), date(2017, 9, 27)]


def test_dates_of_stays_in_other_spellings(tmp_path: Path) -> None:
    ninth = ["09/12/2015", "9/12/2015", "09-12-2015", "9.12.2015", "2015-12-09", "2015/12/9", "20151209"]
    ninth += ["09/12/2015 00:00:00", "9/12/2015 0:00", "2015-12-09T00:00:00", "2015-12-09 00:00"]
    outcome = read(tmp_path, hospitalisations, "Hospitalisations.csv", as_csv(stays(ninth)))
    assert outcome.rejected == []
    assert column(outcome, hospitalisations, "Date_Entree") == [date(2015, 12, 9)] * len(ninth)


@pytest.mark.parametrize("form", ["{m}/{d}/2015", "{m:02}/{d:02}/2015", "{d:02}/{m:02}/15"])
def test_dates_of_stays_in_another_order_are_refused(tmp_path: Path, form: str) -> None:
    dates = [form.format(m=m, d=d) for m in (1, 2, 3) for d in range(1, 29)]
    with pytest.raises(ChuError, match="not_a_date"):
        read(tmp_path, hospitalisations, "Hospitalisations.csv", as_csv(stays(dates)))


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_the_register_of_deaths_with_any_separator(tmp_path: Path, separator: str) -> None:
    header = "nom,prenom,sexe,date_naissance,code_lieu_naissance,lieu_naissance,pays_naissance,date_deces"
    rows = [[*header.split(","), "code_lieu_deces", "numero_acte_deces"]]
    rows.append(["D'ARC, née X", "JEANNE", "2", "1935-03-10", "01053", "BOURG", "", "2019-05-01", "01053", "12"])
    outcome = read(tmp_path, deces, "deces.csv", as_csv(rows, separator))
    assert column(outcome, deces, "date_deces") == ["2019-05-01"]
    assert column(outcome, deces, "numero_acte_deces") == ["12"]


def test_every_care_quality_file_may_be_csv_or_a_workbook() -> None:
    tables = [file.table for file in CARE_QUALITY_FILES]
    for table in tables:
        stem = delivered_rows(table).reader.label.rpartition(".")[0]
        assert tables_for_file(f"{stem}.csv", tables), stem
        assert tables_for_file(f"{stem}.xlsx", tables), stem


def test_a_workbook_in_place_of_a_csv_file(tmp_path: Path) -> None:
    header = list(delivered_rows(rcp_mco_2018.table).expected(rcp_mco_2018.table.columns).required)
    site = ["010000024" if c == "finess" else "71,5" if c == "rcp2_c2_etbt" else None for c in header]
    as_workbook(tmp_path / "pack" / "rcp-mco-recueil2018-donnee2017-donnees.xlsx", [header, site])
    outcome = deliver(rcp_mco_2018.table, tmp_path / "pack", tmp_path / "work")
    assert column(outcome, rcp_mco_2018.table, "finess") == ["010000024"]
    assert column(outcome, rcp_mco_2018.table, "rcp2_c2_etbt") == [71.5]


def test_an_ordinary_workbook_in_place_of_one_with_pasted_lines(tmp_path: Path) -> None:
    table = dpa_had_2016_classeur.table
    header = list(delivered_rows(table).expected(table.columns).required)
    site = ["010000024" if c == "finess" else "CH, annexe" if c == "raison_sociale" else None for c in header]
    site[header.index("tdp_c_etbt")] = "71,5"
    as_workbook(tmp_path / "pack" / "dpa_had_recueil2016_donnee2015_donnees.xlsx", [header, site])
    outcome = deliver(table, tmp_path / "pack", tmp_path / "work")
    assert column(outcome, table, "raison_sociale") == ["CH, annexe"]
    assert column(outcome, table, "tdp_c_etbt") == [71.5]
    # The CSV file is not there, and nothing is missing.
    other = deliver(dpa_had_2016.table, tmp_path / "pack", tmp_path / "other")
    assert (other.rows, other.reading.remarks) == ([], [])


def test_a_known_name_with_an_unknown_ending(tmp_path: Path) -> None:
    tables = [file.table for file in CARE_QUALITY_FILES] + [hospitalisations]
    assert has_other_ending("rcp-mco-recueil2018-donnee2017-donnees.ods", tables)
    assert has_other_ending("Hospitalisations.xlsx", tables)
    assert not has_other_ending("notes.ods", tables)
    as_workbook(tmp_path / "pack" / "Hospitalisations.xlsx", stays(["09/12/2015"]))
    with pytest.raises(ChuError, match=r"there is Hospitalisations\.xlsx, whose ending .*: save it as CSV"):
        deliver(hospitalisations, tmp_path / "pack", tmp_path / "work")


@pytest.mark.parametrize(("score", "is_same"), [("74,10", True), ("74,11", False)])
def test_the_same_table_as_csv_and_workbook_is_read_once(tmp_path: Path, score: str, is_same: bool) -> None:
    rows = [["010000024", 120, 74.1, "A", None], ["2A0000154", 12, None, "DI", None]]
    written = [["010000024", "120", score, "A", ""], ["2A0000154", "12", "", "DI", ""]]
    as_workbook(tmp_path / "pack" / E_SATIS_2022.replace(".csv", ".xlsx"), [E_SATIS, *rows])
    (tmp_path / "pack" / E_SATIS_2022).write_text(as_csv([E_SATIS, *written]), encoding="utf-8")
    if is_same:
        outcome = deliver(esatis48h_mco, tmp_path / "pack", tmp_path / "work")
        assert sorted(column(outcome, esatis48h_mco, "finess_geo")) == ["010000024", "2A0000154"]
        assert outcome.reading.remarks == []
    else:
        with pytest.raises(ChuError, match="different content"):
            deliver(esatis48h_mco, tmp_path / "pack", tmp_path / "work")


def test_a_table_in_a_hidden_sheet_is_read_and_named(tmp_path: Path) -> None:
    as_workbook(tmp_path / "pack" / "things.xlsx", [HEADER.split(";"), [1, "a", "2024-01-31", 2]], hidden=True)
    outcome = deliver(table_of(), tmp_path / "pack", tmp_path / "work")
    assert outcome.rows == [(1, "a", date(2024, 1, 31), 2.0)]
    assert outcome.reading.remarks == ["things.xlsx: its table is in the hidden sheet 'Sheet', which is read"]


def e_satis(rows: Sequence[Sequence[Any]]) -> str:
    return as_csv([E_SATIS, *([f"{10000100 + i:09}", *row] for i, row in enumerate(rows))])


def test_classes_in_other_spellings(tmp_path: Path) -> None:
    written = ["a", "B", "Classe C", "classe\u00a0d", " A ", "\u00a0b\u00a0", "(C)", "D.", "CLASSE : A"]
    written += ["DI", "NR", "NV", "Données insuffisantes", "Non répondant", "E", "Excellent"]
    outcome = read(tmp_path, esatis48h_mco, E_SATIS_2022, e_satis([[100, 74, w, 60] for w in written]))
    assert column(outcome, esatis48h_mco, "classement") == [*"ABCDABCDA", *written[9:]]
    (warning,) = outcome.reading.partly_understood
    assert warning.startswith(f"{E_SATIS_2022}: 2 of the 16 values")
    assert warning.endswith("'classement' are not understood (unknown_class, shape a, line 16, 17)")


def test_impossible_numbers_of_a_survey_are_rejects(tmp_path: Path) -> None:
    rows: list[list[Any]] = [[100, 74, "A", 60]] * 20
    rows += [[-5, 74, "A", 60], [100, 101, "A", 60], [100, -1, "A", 60], [100, 74, "A", 586], [2_000_000, 74, "A", 60]]
    outcome = read(tmp_path, esatis48h_mco, E_SATIS_2022, e_satis(rows))
    answers, score, opinion = E_SATIS[1], E_SATIS[2], E_SATIS[4]
    columns = enumerate((answers, score, score, opinion, answers), start=22)
    assert outcome.rejected == [(line, name, "out_of_range") for line, name in columns]


def test_null_values_of_programs_are_empty_cells(tmp_path: Path) -> None:
    written = ["NaN", "nan", "null", "NULL", "N/A", "n/a", "\\N", "#N/A", "None", "(null)"]
    outcome = read(tmp_path, esatis48h_mco, E_SATIS_2022, e_satis([[w, w, w, w] for w in written] + [[9, 74, "A", 60]]))
    for name in E_SATIS[1:4]:
        assert column(outcome, esatis48h_mco, name)[:-1] == [None] * len(written)
    assert outcome.reading.misunderstood == []


def test_a_word_beside_a_class_is_named(tmp_path: Path) -> None:
    rows = [[100, 74, "A", 60], [100, "ND", "A", 60], [100, "ND", None, 60]]
    outcome = read(tmp_path, esatis48h_mco, E_SATIS_2022, e_satis(rows))
    assert column(outcome, esatis48h_mco, "classement") == ["A", "A", "ND"]
    (warning,) = outcome.reading.partly_understood
    assert warning.endswith("(class_without_result, shape a, line 3)")


def test_a_word_beside_a_class_of_care_quality_is_named(tmp_path: Path) -> None:
    table = rcp_mco_2018.table
    header = list(delivered_rows(table).expected(table.columns).required)
    rows = []
    for number, (value, letter) in enumerate([("71,5", "a"), ("ND", "B"), ("ND", "Non concerné")]):
        cells = {"finess": f"{10000100 + number:09}", "rcp2_c2_etbt": value, "rcp2_c2_pos_seuil_etbt": letter}
        rows.append([cells.get(name, "") for name in header])
    outcome = read(tmp_path, table, "rcp-mco-recueil2018-donnee2017-donnees.csv", as_csv([header, *rows]))
    assert column(outcome, table, "rcp2_c2_pos_seuil_etbt") == ["A", "B", "Non concerné"]
    (warning,) = outcome.reading.partly_understood
    assert warning.endswith("'rcp2_c2_pos_seuil_etbt' are not understood (class_without_result, shape a, line 3)")


@pytest.mark.parametrize("blank", ["\n", "\r\n", ";;;\n", ";\r\n", "  \n"])
def test_blocks_of_blank_lines_count_as_lines(tmp_path: Path, blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "BLOCK", 64)
    text = HEADER + "\n1;a;;1\n" + blank * 200 + "x;b;;1\n" + blank * 200 + "3;c;;1\n" + blank * 200
    outcome = read(tmp_path, table_of(), "things.csv", text)
    assert [row[0] for row in outcome.rows] == [1, 3]
    assert outcome.rejected == [(203, "id", "not_a_whole_number")]


def test_thousands_of_empty_columns_are_no_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "QUARANTINED_COLUMNS", 5)
    text = f"{HEADER}{';' * 3000}\n1;a;;1{';' * 3000}\n2;b;;1{';' * 2000}x{';' * 1000}\n"
    outcome = read(tmp_path, table_of(), "things.csv", text)
    assert [row[0] for row in outcome.rows] == [1, 2]
    assert [(number, value) for _, number, _, value in outcome.quarantine] == [(2, "x")]


def test_rows_with_a_format_only_are_not_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (HEADER.split(";"), [1, "a", "2024-01-31", 2], [], [3, "c", None, 4]):
        book.active.append(row)
    for number in range(5, 3_000):
        book.active.cell(number, 2).number_format = "0.00"
    (tmp_path / "pack").mkdir()
    book.save(tmp_path / "pack" / "things.xlsx")
    outcome = deliver(table_of(), tmp_path / "pack", tmp_path / "work")
    assert [(row[0], row[3]) for row in outcome.rows] == [(1, 2.0), (3, 4.0)]
