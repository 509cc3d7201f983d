"""HAS files in the forms in which people deliver them: each reads the same, or what is lost is named."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import delivered_rows
from chu_platform.sources.dpa_ssr_2014 import dpa_ssr_2014
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.ete_ortho_2018 import ete_ortho_2018
from chu_platform.sources.idm_mco_2015 import idm_mco_2015
from chu_platform.sources.lexiques import lexiques
from chu_platform.sources.rcp_mco_2014 import rcp_mco_2014
from chu_platform.tables.table import Table
from chu_platform_tests.ingest.deliveries import Outcome, deliver

DPA_2014 = "DPA_SSR_recueil2014_donnee2013_table_es.csv"
RCP_2014 = "RCP_MCO_recueil2014_donnee2013_table_es.csv"
IDM_2015 = "idm_mco_recueil2015_donnee2014_tables_es.csv"
ETE_2018 = "ete-ortho-ipaqss-2017-2018-donnees.csv"
E_SATIS_2022 = "resultats-iqss-esatis48h-mco-open-data-2022.xlsx"
OF_E_SATIS = [
    "finess_geo",
    "region",
    "nb_rep_score_all_rea_ajust",
    "score_all_rea_ajust",
    "classement",
    "taux_reco_brut",
]


def given(tmp_path: Path, table: Table, name: str, text: str) -> Outcome:
    (tmp_path / "pack").mkdir(exist_ok=True)
    (tmp_path / "pack" / name).write_bytes(text.encode("cp1252"))
    return deliver(table, tmp_path / "pack", tmp_path / "work")


def cells(outcome: Outcome, table: Table, *names: str) -> dict[str, tuple[Any, ...]]:
    """Some columns by site."""
    places = {c.name: i for i, c in enumerate(table.columns)}
    site = "finess_geo" if "finess_geo" in places else "finess"
    return {row[places[site]]: tuple(row[places[n]] for n in names) for row in outcome.rows}


def of_dpa(values: Iterable[tuple[str, str]]) -> str:
    """A file of DPA SSR 2014: value and denominator of its first indicator; the others are as usual."""
    codes = ("tdp_c", "dec_c", "trd_c", "dtn1_c1")
    columns = [c + suffix for c in codes for suffix in ("_etbt", "_den_etbt", "_icbas_etbt", "_ichaut_etbt")]
    lines = [";".join(["finess", "raison_sociale", "libelle_region", "cat", "Sources", *columns])]
    for number, (value, denominator) in enumerate(values):
        rest = ";;" + ";75.5;80;70;80" * 3
        lines.append(f"{10000100 + number:09};S;Corse;CH;2013;{value};{denominator}{rest}")
    return "\n".join(lines) + "\n"


def e_satis(pack: Path, rows: Sequence[Sequence[Any]], formats: Sequence[str] = ()) -> None:
    """A workbook of e-Satis 2022; `formats` are those of score and recommendation in each row."""
    book = openpyxl.Workbook()
    book.active.append(OF_E_SATIS)
    for number, row in enumerate(rows):
        book.active.append(list(row))
        for column in (4, 6):
            book.active.cell(number + 2, column).number_format = formats[number] if formats else "General"
    pack.mkdir(exist_ok=True)
    book.save(pack / E_SATIS_2022)


@pytest.mark.unit
def test_words_with_digits_reject_no_line(tmp_path: Path) -> None:
    written = ["Non concerné (< 10 actes)", "NC (2)", "N < 10", "0 dossier", "*", "/", "...", "?", "n.a.", "DI"]
    table = dpa_ssr_2014.table
    outcome = given(tmp_path, table, DPA_2014, of_dpa((text, "") for text in written))
    assert outcome.rejected == []
    found = cells(outcome, table, "tdp_c_etbt", "motif_tdp_c", "dec_c_etbt", "dec_c_den_etbt", "motif_dec_c")
    assert list(found.values()) == [(None, text, 75.5, 80, None) for text in written]


@pytest.mark.integration
def test_only_damaged_numbers_reject_a_line(tmp_path: Path) -> None:
    values = [(str(60 + i), "50") for i in range(20)] + [(text, "50") for text in ("8O.5", "75..5", "12,3,4", "1e")]
    outcome = given(tmp_path, dpa_ssr_2014.table, DPA_2014, of_dpa(values))
    assert outcome.rejected == [(line, "tdp_c_etbt", "not_a_number") for line in range(22, 26)]


@pytest.mark.unit
def test_a_count_with_what_it_counts_is_a_count(tmp_path: Path) -> None:
    table = dpa_ssr_2014.table
    values = [("72.5", "60 dossiers"), ("71", "< 10"), ("70", "1 060")]
    outcome = given(tmp_path, table, DPA_2014, of_dpa(values))
    found = cells(outcome, table, "tdp_c_etbt", "tdp_c_den_etbt", "motif_tdp_c")
    assert list(found.values()) == [(72.5, 60, None), (71.0, None, "< 10"), (70.0, 1060, None)]


@pytest.mark.unit
def test_cells_shown_as_percentages(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["010000024", "Corse", 100, 0.755, "B", 0.55],
        ["010000032", "Corse", 100, 74.5, "B", 60],
        ["010000040", "Corse", 12, "Données insuffisantes (12 réponses)", None, None],
        ["010000057", "Corse", "100 réponses", "75,25 %", "A", "60,5 %"],
    ]
    e_satis(tmp_path / "pack", rows, ["0.0%", "0.0", "0%", "0.00%;[Red]-0.00%"])
    outcome = deliver(esatis48h_mco, tmp_path / "pack", tmp_path / "work")
    names = ("nb_rep_score_all_rea_ajust", "score_all_rea_ajust", "classement", "taux_reco_brut")
    assert cells(outcome, esatis48h_mco, *names) == {
        "010000024": (100, 75.5, "B", 55.0),
        "010000032": (100, 74.5, "B", 60.0),
        "010000040": (12, None, "Données insuffisantes (12 réponses)", None),
        "010000057": (100, 75.25, "A", 60.5),
    }


@pytest.mark.unit
@pytest.mark.parametrize(
    ("fractions", "of_hundred", "blocks"),
    [(10, 0, True), (3, 0, True), (6, 5, True), (5, 20, False), (1, 20, False), (0, 20, None)],
)
def test_fractions_in_place_of_percentages_are_loud(
    tmp_path: Path, fractions: int, of_hundred: int, blocks: bool | None
) -> None:
    """Mostly fractions block the source, others are named in a warning; zeros say nothing."""
    scores = [0.7 + i / 100 for i in range(fractions)] + [70 + i / 10 for i in range(of_hundred)] + [0, None]
    rows: list[list[Any]] = [
        [f"{10000100 + i:09}", "Corse", 100, score, None if score is None else "B", 60]
        for i, score in enumerate(scores)
    ]
    e_satis(tmp_path / "pack", rows)
    # A source of one file only: in the tables of e-Satis, the file would be left out.
    table = replace(esatis48h_mco, rows=replace(delivered_rows(esatis48h_mco), stands_alone=False))
    reading = deliver(table, tmp_path / "pack", tmp_path / "work").reading
    texts = {True: [f.why for f in reading.left_out], False: reading.partly_understood}
    for key, found in texts.items():
        assert len(found) == (key is blocks)
        assert all("'score_all_rea_ajust'" in t and "(fraction_of_1_in_place_of_100, shape 9.9" in t for t in found)


@pytest.mark.unit
def test_a_single_fraction_is_named_with_its_line(tmp_path: Path) -> None:
    """Whole numbers, such as 1 %, are in the real files; no number between 0 and 1 is."""
    scores = [75.5, 70, 0, 1, None, 80.25, 0.755, 82]
    rows: list[list[Any]] = [
        [f"{10000100 + i:09}", "Corse", 100, score, None if score is None else "B", 60]
        for i, score in enumerate(scores)
    ]
    e_satis(tmp_path / "pack", rows)
    outcome = deliver(esatis48h_mco, tmp_path / "pack", tmp_path / "work")
    (text,) = outcome.reading.partly_understood
    assert text == (
        f"{E_SATIS_2022}: 1 of the 7 values (14.3 %) of the column 'score_all_rea_ajust' are not understood "
        f"(fraction_of_1_in_place_of_100, shape 9.999, line 8)"
    )
    assert len(outcome.rows) == len(scores)


@pytest.mark.unit
def test_a_single_percentage_among_ratios_is_named_with_its_line(tmp_path: Path) -> None:
    header = ";".join(c.name for c in ete_ortho_2018.table.columns if c.name != "motif_ete_ortho")
    lines = [f"{10000100 + i:09};A;Corse;{value};754;B;1;2" for i, value in enumerate(("0,7", "12,5", "72,5", "1,1"))]
    outcome = given(tmp_path, ete_ortho_2018.table, ETE_2018, "\n".join([header, *lines]) + "\n")
    (text,) = outcome.reading.partly_understood
    assert "1 of the 4 values" in text and "'ete_ortho_etbt'" in text
    assert text.endswith("(percentage_in_place_of_a_ratio, shape 99,9, line 4)")


@pytest.mark.unit
def test_a_percentage_of_a_ratio(tmp_path: Path) -> None:
    """53 % is the ratio 0.53; ratios below 1 are as usual."""
    header = ";".join(c.name for c in ete_ortho_2018.table.columns if c.name != "motif_ete_ortho")
    values = ["53 %", "0,53", "0.2", "0,7", "1,1"]
    lines = [f"{10000100 + i:09};A;Corse;{value};754;B;1;2" for i, value in enumerate(values)]
    outcome = given(tmp_path, ete_ortho_2018.table, ETE_2018, "\n".join([header, *lines]) + "\n")
    found = cells(outcome, ete_ortho_2018.table, "ete_ortho_etbt")
    assert list(found.values()) == [(0.53,), (0.53,), (0.2,), (0.7,), (1.1,)]
    assert not outcome.reading.misunderstood


@pytest.mark.unit
@pytest.mark.parametrize(
    "header",
    [
        "Raison sociale;Libellé région;Cat;Finess;Sources;RCP2 C2 den etbt;rcp2_c2_etbt;rcp2_c2_icbas_etbt",
        "raison_sociale;LIBELLE_REGION;CAT;FINESS;SOURCES;rcp2-c2-den-etbt;rcp2_c2_etbt;rcp2__c2_icbas_etbt",
    ],
)
def test_blanks_underscores_case_and_accents_of_headers(tmp_path: Path, header: str) -> None:
    text = f"{header};rcp2_c2_ichaut_etbt\nCH A;Rhône Alpes;CH;010780054;2013;60;98,33;91;99\n"
    outcome = given(tmp_path, rcp_mco_2014.table, RCP_2014, text)
    assert outcome.rows == [("CH A", "Rhône Alpes", "CH", "010780054", 2013, 98.33, 60, 91.0, 99.0, None)]
    assert outcome.reading.undeclared == []


@pytest.mark.unit
def test_two_headers_of_one_column_are_refused(tmp_path: Path) -> None:
    header = "Raison sociale;RAISON_SOCIALE;Libelle_region;cat;finess;Sources;rcp2_c2_den_etbt;rcp2_c2_etbt"
    text = f"{header};rcp2_c2_icbas_etbt;rcp2_c2_ichaut_etbt\nA;B;Corse;CH;010780054;2013;60;98;91;99\n"
    with pytest.raises(ChuError, match="'Raison_sociale'"):
        given(tmp_path, rcp_mco_2014.table, RCP_2014, text)


@pytest.mark.unit
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_every_usual_separator(tmp_path: Path, separator: str) -> None:
    columns = [
        c + suffix for c in ("basi_c", "hyg_c") for suffix in ("_den_etbt", "_etbt", "_icbas_etbt", "_ichaut_etbt")
    ]
    lines = [
        ";".join(["Sources;finess;raison_sociale;lib_reg;code_reg;cat", *columns]),
        "2014;010780054;CH A;Corse;94;CH;60;98.3;91;100.4;8;75;;",
        ";010780062;;;;;;;;;9;70.5;.;",
    ]
    text = "\n".join(lines).replace(";", separator) + "\n"
    outcome = given(tmp_path, idm_mco_2015.table, IDM_2015, text)
    assert cells(outcome, idm_mco_2015.table, "Sources", "basi_c_etbt", "hyg_c_den_etbt", "hyg_c_etbt") == {
        "010780054": (2014, 98.3, 8, 75.0),
        "010780062": (None, None, 9, 70.5),
    }


@pytest.mark.unit
@pytest.mark.parametrize(
    "header", ["NAME;LABEL", "Variable;Libellé", "Nom de la variable;Libellé", "nom_variable;TYPE;libelle variable"]
)
def test_headers_of_lexicons(tmp_path: Path, header: str) -> None:
    filler = "x;" * (header.count(";") - 1)
    name = "lexique-iqss-open-data-2020.csv"
    outcome = given(tmp_path, lexiques, name, f"{header}\nete_ortho_ratio_oe;{filler}Ratio\n")
    assert [row[:4] for row in outcome.rows] == [("iqss", "2020", "ete_ortho_ratio_oe", "Ratio")]


@pytest.mark.unit
@pytest.mark.parametrize(
    "text", ["Question;Réponse\na;b\n", "NAME;LABEL\n", "NAME;LABEL\n" + "a;x\na;y\n" * 20, "\0\1\2", "<html><body>"]
)
def test_a_lexicon_that_cannot_be_read_concerns_its_campaign_only(tmp_path: Path, text: str) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "lexique-iqss-open-data-2019.csv").write_text("NAME;LABEL\nres_x;X\n")
    outcome = given(tmp_path, lexiques, "lexique-iqss-open-data-2020.csv", text)
    assert [row[:4] for row in outcome.rows] == [("iqss", "2019", "res_x", "X")]
    (left_out,) = outcome.reading.left_out
    assert left_out.name == "lexique-iqss-open-data-2020.csv"
    assert left_out.name in left_out.why


@pytest.mark.unit
def test_another_file_that_cannot_be_read_stops_its_source(tmp_path: Path) -> None:
    with pytest.raises(ChuError, match="missing among its 2 columns"):
        given(tmp_path, idm_mco_2015.table, IDM_2015, "Question;Réponse\na;b\n")
