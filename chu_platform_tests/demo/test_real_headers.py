"""The demonstration pack has the headers of the real HAS files."""

import csv
from contextlib import closing
from pathlib import Path

import pytest
from openpyxl import load_workbook

from chu_platform_tests.ingest.real_files import REAL, needs_real_files

pytestmark = pytest.mark.integration

OF_2015 = "Sources;finess;raison_sociale;lib_reg;code_reg;cat;"
# Headers that were read off real files that are not on the machines of the project.
HEADERS = {
    "2015/hpp_mco_recueil2015_donnee2014_tables_es.csv": OF_2015
    + "del1_c1_den_etbt;del1_c1_etbt;del1_c1_icbas_etbt;del1_c1_ichaut_etbt;"
    + "peci_hppi_c_den_etbt;peci_hppi_c_etbt;peci_hppi_c_icbas_etbt;peci_hppi_c_ichaut_etbt;"
    + "surmin_c_den_etbt;surmin_c_etbt;surmin_c_icbas_etbt;surmin_c_ichaut_etbt",
    "2015/idm_mco_recueil2015_donnee2014_tables_es.csv": OF_2015
    + "basi_c_den_etbt;basi_c_etbt;basi_c_icbas_etbt;basi_c_ichaut_etbt;"
    + "hyg_c_den_etbt;hyg_c_etbt;hyg_c_icbas_etbt;hyg_c_ichaut_etbt",
    "2017-2018/dpa-ssr-recueil2018-donnee2017-donnees.csv": (
        "finess;Raison_sociale;Enquete_obligatoire;Participation;Resultat_doc;doc_c_den_etbt;doc_c_etbt;"
        "doc_c_icbas_etbt;doc_c_ichaut_etbt;doc_c_pos_seuil_etbt;doc_c_pos_evol_etbt;Resultat_dtn;dtn2_c2_den_etbt;"
        "dtn2_c2_etbt;dtn2_c2_icbas_etbt;dtn2_c2_ichaut_etbt;dtn2_c2_pos_seuil_etbt;dtn2_c2_pos_evol_etbt;Lib_reg"
    ),
    "2017-2018/rcp-mco-recueil2018-donnee2017-donnees.csv": (
        "finess;Raison_sociale;Enquete_obligatoire;Participation;Resultat_rcp2;rcp2_c2_den_etbt;rcp2_c2_etbt;"
        "rcp2_c2_icbas_etbt;rcp2_c2_ichaut_etbt;rcp2_c2_pos_seuil_etbt;rcp2_c2_pos_evol_etbt;Lib_reg"
    ),
    "2017-2018/ete-ortho-ipaqss-2017-2018-donnees.csv": (
        "finess;rs;region;ete_ortho_cible_etbt;ete_ortho_obs_etbt;ete_ortho_att_etbt;ete_ortho_etbt;"
        "ete_ortho_pos_seuil_etbt"
    ),
    "2020/resultats-iqss-open-data-2020.xlsx": (
        "finess;nom_ES;region;type;ete_ortho_ratio_oe;ete_ortho_alerte_sup;ete_ortho_evol;iso_ortho_ratio_oe;"
        "iso_ortho_alerte_sup"
    ),
}


def rows(file: Path) -> list[list[str]]:
    if file.suffix == ".xlsx":
        with closing(load_workbook(file, read_only=True)) as book:
            return [[str(cell) for cell in row] for row in book.worksheets[0].iter_rows(values_only=True)]
    lines = file.read_text(encoding="cp1252").splitlines()
    return list(csv.reader(lines, delimiter=max(";,", key=lines[0].count)))


def labels(lexicon: list[list[str]]) -> dict[str, str]:
    """Labels by column, without blanks at their ends."""
    return {row[0]: "" if row[1] == "None" else row[1].strip() for row in lexicon[1:] if any(row)}


@pytest.mark.parametrize("name", HEADERS)
def test_the_header_is_that_of_the_real_file(pack: Path, name: str) -> None:
    assert rows(pack / "Satisfaction" / name)[0] == HEADERS[name].split(";")


@needs_real_files
def test_every_header_is_that_of_the_real_file_at_hand(pack: Path) -> None:
    ours = pack / "Satisfaction"
    real = sorted(f.relative_to(REAL / "Satisfaction") for f in (REAL / "Satisfaction").rglob("*") if f.is_file())
    assert len(real) > 20
    for name in real:
        theirs = rows(REAL / "Satisfaction" / name)
        assert rows(ours / name)[0] == theirs[0], name
        if "lexique" in name.name:
            described, really = (labels(table) for table in (rows(ours / name), theirs))
            assert described.keys() == really.keys(), name
            indicators = {column for column in really if column.startswith(("res_", "score_")) or "ortho" in column}
            indicators |= {column for column in really if column.endswith("_etbt")}
            assert {c: described[c] for c in indicators} == {c: really[c] for c in indicators}, name
