"""HAS files as users deliver them: the shared cases, and cases found in public repositories (docs/public-cases.md)."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from chu_platform.errors import ChuError
from chu_platform.facts.fact_quality_indicator import fact_quality_indicator
from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.ingest.delivered import rejects_of
from chu_platform.settings import Settings
from chu_platform.sources.dpa_ssr_2014 import dpa_ssr_2014
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.hpp_mco_2015 import hpp_mco_2015
from chu_platform.sources.lexiques import lexiques
from chu_platform.storage.lake import Lake
from chu_platform_tests.facts import compare_has_files
from chu_platform_tests.facts.quality_files import Result, lines, results
from chu_platform_tests.facts.test_quality_indicator import REGISTER, facts, needed
from chu_platform_tests.ingest.real_files import CASES, needs_cases
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

# Place in the pack of each file of the shared cases.
SHARED = {
    "10-hpp-2015/hpp_mco_recueil2015_donnee2014_tables_es.csv": "2015",
    "12-dpa-ssr-2018/dpa-ssr-recueil2018-donnee2017-donnees.csv": "2017-2018",
    "14-iqss-2020/resultats-iqss-open-data-2020.xlsx": "2020",
    "16-esatis-labels/resultats-esatis48h-mco-open-data-2021.xlsx": "2021",
}
E_SATIS_2022 = "resultats-iqss-esatis48h-mco-open-data-2022.xlsx"
HEADER_2022 = [
    *("finess", "rs_finess", "finess_geo", "rs_finess_geo", "type", "region", "participation", "Depot"),
    *("nb_rep_score_ALL_rea_ajust", "score_ALL_rea_ajust", "classement", "evolution", "taux_reco_brut", "nb_reco_brut"),
]
# Two sites of one legal entity; one with the label of another region, one without class, one without results.
SITES_2022 = [
    ["010780054", "CH A", "010000024", "SITE 1", "CH", "Île-de-France", "Oui", "Oui", 81, 75.09, "B", None, 51.9, 81],
    ["010780054", "CH A", "010000032", "SITE 2", "CH", "Auvergne-Rhône-Alpes", "Oui", "Oui", 32, 71, "C", "NA", 45, 31],
    [
        "970400024",
        "CH R",
        "970400057",
        "SITE 3",
        "CH",
        "OCEAN INDIEN",
        "Oui",
        "Oui",
        None,
        "NR",
        None,
        None,
        None,
        None,
    ],
    ["980500003", "CH M", "980500003", "SITE 4", "CH", None, "Oui", "Oui", 40, 70.25, "D", None, "60,5", 39],
]
REGIONS_OF_CASE_16 = {
    "010000024": "84",
    "2A0000154": "94",
    "690000001": "84",
    "750000002": "11",
    "970400003": "04",
    "980500004": "06",
    "130000005": "93",
    "590000006": "32",
    "330000007": "75",
    "350000008": "53",
    "440000009": "52",
    "670000010": "44",
}


def write_cases(pack: Path) -> None:
    """Put the cases of this module into the folder of the surveys."""
    shutil.copytree(Path(__file__).with_name("has_cases"), pack, dirs_exist_ok=True)
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Données 2022"
    for row in (["e-Satis +48h MCO, résultats 2022"], [], HEADER_2022, *SITES_2022):
        sheet.append(row)
    book.create_sheet("Lexique").append(["NAME", "LABEL"])
    (pack / "2022").mkdir()
    book.save(pack / "2022" / E_SATIS_2022)
    lexicon = openpyxl.Workbook()
    lexicon.active.append(["NAME", "LABEL"])
    lexicon.active.append(["score_all_rea_ajust", "Note ajustée de satisfaction globale"])
    lexicon.save(pack / "2022" / E_SATIS_2022.replace("resultats", "lexique"))


@pytest.fixture(scope="module")
def case_pack(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The surveys of the demonstration pack, with the cases in place of its files of the same name."""
    pack = tmp_path_factory.mktemp("cases") / "pack"
    shutil.copytree(made.pack / "Satisfaction", pack / "Satisfaction")
    shutil.copy(made.pack / REGISTER, pack)
    write_cases(pack / "Satisfaction")
    for name, folder in SHARED.items():
        if CASES.is_dir():
            (pack / "Satisfaction" / folder).mkdir(exist_ok=True)
            shutil.copy(CASES / name, pack / "Satisfaction" / folder)
    return pack


@pytest.fixture(scope="module")
def lake(case_pack: Path) -> Lake:
    """The two facts of the surveys, made of the pack."""
    with RunResources(Settings(home=case_pack.with_name("home"), sources=case_pack), lambda _: None) as resources:
        for table in needed(fact_satisfaction, needed(fact_quality_indicator, {})):
            run_step(resources, table, table.partition_scheme.every() if table.partition_scheme else None, "test")
        return resources.lake


def of(found: set[Result], survey: str, campaign: str) -> dict[tuple[str, str], Sequence[Any]]:
    """Value, denominator, bounds, class and control by site and code of indicator."""
    return {(r.site, r.indicator.split(".")[1]): r[4:] for r in found if (r.survey, r.campaign) == (survey, campaign)}


def satisfaction(lake: Lake, campaign: str) -> dict[str, Mapping[str, Any]]:
    listed = rows(lake, fact_satisfaction).to_pylist()
    return {row["site_finess"]: row for row in listed if row["campaign_year"] == campaign}


def test_files_are_read_whatever_stands_before_the_header(tmp_path: Path) -> None:
    """By the independent reader: a notice as first sheet, a mark of UTF-8, a title."""
    book = openpyxl.Workbook()
    book.active.append(["finess", "FINESS du site"])
    sheet = book.create_sheet("Résultats")
    for row in (["Titre 2020"], ["Finess", "region", "score"], ["010000024", "Corse", 1.5]):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "b.csv").write_text("Titre\nfiness;region;score\n010000024;Rhône;1.5\n", encoding="utf-8-sig")
    assert lines(tmp_path / "a.xlsx") == [{"finess": "010000024", "region": "Corse", "score": "1.5"}]
    assert lines(tmp_path / "b.csv") == [{"finess": "010000024", "region": "Rhône", "score": "1.5"}]


def test_every_result_of_the_cases(case_pack: Path, lake: Lake) -> None:
    assert facts(lake) == results(case_pack)


def test_no_value_of_any_column_is_lost(case_pack: Path, lake: Lake) -> None:
    delivered, lost = compare_has_files.compare(case_pack, compare_has_files.Lake(Path(lake.root)))
    assert {column for column, count in lost.items() if count} == {(E_SATIS_2022, "type")}, "it is in quarantine"
    assert len({file for file, _ in delivered}) == (18 if CASES.is_dir() else 17)
    assert delivered.total() > 100_000


def test_the_values_of_a_table_that_the_lake_does_not_have_are_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "resultats-esatis48h-mco-open-data-2019.csv").write_text(
        "finess_geo;classement;participation\n010000024;A;Oui\n010000032;B;Oui\n"
    )
    assert compare_has_files.main(str(tmp_path), str(tmp_path / "lake")) == 1
    *_, source, fact, source_table, total = ["", *capsys.readouterr().out.splitlines()]
    assert source.endswith("participation: 2 delivered, 2 lost")
    assert fact == "pseudonymised/facts/fact_satisfaction is not in the lake: its values count as lost"
    assert source_table == "restricted/sources/esatis48h_mco is not in the lake: its values count as lost"
    assert total == "6 values delivered, 6 lost"


def test_a_point_is_an_empty_cell(lake: Lake) -> None:
    assert of(facts(lake), "idm_mco", "2015") == {
        ("010780054", "basi_c"): (98.3, 60, 91.0, 100.4, None, None),
        ("010780054", "hyg_c"): (75.0, 8, None, None, None, None),
        ("2A0000014", "hyg_c"): (63.64, 33, 45.0, 80.0, None, None),
        ("970400024", "basi_c"): (50.0, 12, 21.0, 79.0, None, None),
    }


def test_names_in_capitals_and_controls_without_results(lake: Lake) -> None:
    assert of(facts(lake), "rcp_mco", "2018") == {
        ("010780054", "rcp2_c2"): (98.33, 60, 91.0, 99.0, "A", "Validé"),
        ("980500003", "rcp2_c2"): (None, None, None, None, None, "Non validé"),
        ("750000002", "rcp2_c2"): (77.8, 9, None, None, "Effectif < 10", "Validé"),
    }


def test_few_stays_have_no_position(lake: Lake) -> None:
    assert of(facts(lake), "ete_ortho", "2018") == {
        ("010780054", "ete_ortho"): (0.83, 754, None, None, "B", None),
        ("920000684", "ete_ortho"): (0.0, 7, None, None, None, None),
    }


def test_words_in_place_of_results_are_classes(lake: Lake) -> None:
    found = of(facts(lake), "dpa_ssr", "2014")
    assert found["830100103", "tdp_c"] == (None, None, None, None, "NR", None)
    assert found["830100103", "dec_c"] == (None, 5, None, None, "Effectif < 10", None)
    assert found["830100103", "dtn1_c1"] == (75.0, 80, 64.0, 84.0, None, None)
    rejects = rows(lake, rejects_of(dpa_ssr_2014.table)).to_pylist()
    assert [(r["line"], r["column"], r["reason"]) for r in rejects] == [(4, "finess", "not_a_finess")]


def test_a_site_without_a_region_label_has_the_region_of_its_finess(lake: Lake) -> None:
    regions = {(r["survey"], r["site_finess"]): r["region_key"] for r in rows(lake, fact_quality_indicator).to_pylist()}
    assert regions["idm_mco", "2A0000014"] == "94"
    assert regions["idm_mco", "970400024"] == "04"
    assert regions["rcp_mco", "980500003"] == "06"
    assert regions["dpa_ssr", "830100103"] == "93", "of a military hospital too"


def test_e_satis_of_2022(lake: Lake) -> None:
    """A new name, another sheet, a title above the header, an unknown column, sub-scores that are missing."""
    found = satisfaction(lake, "2022")
    columns = ("region_key", "score", "answers", "class", "recommendation_rate", "recommendation_answers")
    assert {site: tuple(row[c] for c in columns) for site, row in found.items()} == {
        "010000024": ("11", 75.09, 81, "B", 51.9, 81),
        "010000032": ("84", 71.0, 32, "C", 45.0, 31),
        "970400057": ("04", None, None, "NR", None, None),
        "980500003": ("06", 70.25, 40, "D", 60.5, 39),
    }


def test_the_lexicon_of_2022(lake: Lake) -> None:
    found = [r for r in rows(lake, lexiques).to_pylist() if r["recueil"] == "2022"]
    assert [(r["enquete"], r["NAME"]) for r in found] == [("esatis48h_mco", "score_all_rea_ajust")]


@needs_cases
def test_shared_case_of_hpp(lake: Lake) -> None:
    found = of(facts(lake), "hpp_mco", "2015")
    assert len(found) == 3 * 12
    assert Counter(code for _, code in found) == {"del1_c1": 12, "peci_hppi_c": 12, "surmin_c": 12}
    assert found["750000002", "peci_hppi_c"] == (None, 0, None, None, None, None)
    assert found["670000010", "del1_c1"] == (81.0, 60, 60.0, 80.0, None, None)


@needs_cases
def test_shared_case_of_dpa(lake: Lake) -> None:
    found = of(facts(lake), "dpa_ssr", "2018")
    assert len(found) == 2 * 12
    assert found["010000024", "doc_c"] == (71.0, 6, 65.0, 77.0, "Effectif < 10", "Validé")
    assert found["2A0000154", "doc_c"] == (71.0, 80, 65.0, 77.0, "B", "Validé")
    assert found["750000002", "dtn2_c2"] == (None, 0, None, None, None, "Validé")


@needs_cases
def test_shared_case_of_iqss(lake: Lake) -> None:
    found = of(facts(lake), "iqss", "2020")
    assert len(found) == 2 * 12
    absent = (None, None, None, None, "Non concerné (pas d'activité)", None)
    assert (found["970400003", "ete_ortho"], found["970400003", "iso_ortho"]) == (absent, absent)
    assert found["690000001", "iso_ortho"] == (0.0, None, None, None, "1", None)


@needs_cases
def test_shared_case_of_region_labels(lake: Lake) -> None:
    found = satisfaction(lake, "2021")
    assert {site: row["region_key"] for site, row in found.items()} == REGIONS_OF_CASE_16
    assert (found["2A0000154"]["score"], found["2A0000154"]["class"]) == (None, "B")
    assert sum(row["score"] is not None for row in found.values()) == 11


@pytest.mark.parametrize(
    ("name", "column", "table"),
    [
        ("2015/hpp_mco_recueil2015_donnee2014_tables_es.csv", "_c", hpp_mco_2015.table),
        ("2019/resultats-esatis48h-mco-open-data-2019.csv", "score_all_rea_ajust", esatis48h_mco),
    ],
)
def test_a_file_without_a_result_is_not_committed(
    made: Home, tmp_path: Path, name: str, column: str, table: Any
) -> None:
    shutil.copytree(made.pack / "Satisfaction", tmp_path / "pack")
    file = tmp_path / "pack" / name
    header, *lines = file.read_text(encoding="cp1252").splitlines()
    emptied = [i for i, name in enumerate(header.split(";")) if column in name and not name.startswith("nb_")]
    assert emptied
    for number, line in enumerate(lines):
        cells = [("." if i in emptied else cell) for i, cell in enumerate(line.split(";"))]
        lines[number] = ";".join(cells)
    file.write_text("\n".join([header, *lines]) + "\n", encoding="cp1252")
    with RunResources(Settings(home=tmp_path / "home", sources=tmp_path / "pack"), lambda _: None) as resources:
        every = table.partition_scheme.every() if table.partition_scheme else None
        with pytest.raises(ChuError, match='"each file gives at least one result": 1 files break it'):
            run_step(resources, table, every, "test")
        # A care-quality file that fails concerns itself alone: its table exists, without rows.
        assert resources.lake.open(table) is None or len(resources.lake.arrow(table)) == 0
