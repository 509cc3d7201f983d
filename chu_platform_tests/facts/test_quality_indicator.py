"""fact_quality_indicator has exactly the results of the delivered files. Of the real files: `test_real_results`."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from chu_platform.dimensions.dim_quality_indicator import dim_quality_indicator
from chu_platform.errors import ChuError
from chu_platform.facts.fact_quality_indicator import fact_quality_indicator
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.settings import Settings
from chu_platform.sources.dpa_had_2016 import dpa_had_2016
from chu_platform.sources.dpa_had_2016_classeur import dpa_had_2016_classeur
from chu_platform.sources.iqss_2019 import iqss_2019
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table
from chu_platform_tests.facts.quality_files import Result, lines, results
from chu_platform_tests.ingest.deliveries import deliver
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

REGISTER = "Etablissement de SANTE/etablissement_sante.csv"


def facts(lake: Lake) -> set[Result]:
    columns = ["campaign_year", "survey", "site_finess", "indicator_key", "value", "denominator"]
    columns += ["lower_bound", "upper_bound", "class", "control"]
    found = rows(lake, fact_quality_indicator)
    listed = [Result(*row.values()) for row in found.select(columns).to_pylist()]
    assert len(set(listed)) == len(listed)
    return set(listed)


def needed(table: Table, found: dict[Table, None]) -> dict[Table, None]:
    for other in table.needs:
        needed(other, found)
    found.setdefault(table)
    return found


def make_fact(folder: Path, pack: Path) -> Lake:
    with RunResources(Settings(home=folder, sources=pack), lambda _: None) as resources:
        for table in needed(fact_quality_indicator, {}):
            run_step(resources, table, table.partition_scheme.every() if table.partition_scheme else None, "test")
        return resources.lake


def test_every_result_of_the_pack(made: Home) -> None:
    expected = results(made.pack / "Satisfaction")
    assert {r.campaign for r in expected} == {"2014", "2015", "2016", "2018", "2019", "2020"}
    assert facts(made.lake) == expected


def test_every_site_has_its_region(made: Home) -> None:
    regions = Counter(rows(made.lake, fact_quality_indicator)["region_key"].to_pylist())
    assert len(regions) == 18, "no site is elsewhere or unknown"
    found = rows(made.lake, fact_quality_indicator).to_pylist()
    by_site = {(row["campaign_year"], row["site_finess"]): row["region_key"] for row in found}
    file = made.pack / "Satisfaction/2014/DPA_SSR_recueil2014_donnee2013_table_es.csv"
    labels = {line["finess"]: line["libelle_region"] for line in lines(file)}
    for label, region in (("Rhône Alpes", "84"), ("Basse Normandie", "28"), ("Franche Comté", "27"), ("Centre", "24")):
        assert {by_site["2014", site] for site in labels if labels[site] == label} == {region}


def labels(found: dict[str, dict[str, Any]], key: str) -> tuple[str, str | None]:
    return found[key]["indicator_label"], found[key]["lexicon_campaign"]


def test_every_indicator_has_a_label(made: Home) -> None:
    found = {row["indicator_key"]: row for row in rows(made.lake, dim_quality_indicator).to_pylist()}
    assert {r.indicator for r in results(made.pack / "Satisfaction")} == set(found)
    assert labels(found, "dpa_ssr.tdp_c") == ("Tenue du dossier patient", "2014")
    assert labels(found, "hpp_mco.surmin_c") == ("Surveillance clinique minimale", "2015")
    assert labels(found, "dpa_ssr.doc_c") == ("Document de sortie de SSR", "2018")
    # The lexicon of 2014 does not describe it, that of 2018 does.
    assert labels(found, "rcp_mco.rcp2_c2") == ("RCP niveau 2 : plurisdisciplinarité de la concertation", "2018")
    # Two campaigns describe it: the last label stays.
    assert labels(found, "iqss.ete_ortho") == ("Evènement thrombo-embolique après prothèse de hanche/genou", "2020")
    # The lexicon of 2018 calls it by its unit.
    thrombosis = "Événement thrombo-embolique après prothèse de hanche ou de genou"
    assert labels(found, "ete_ortho.ete_ortho") == (thrombosis, None)
    # No lexicon describes heart attacks.
    diet = "Conseils sur l’alimentation et le mode de vie après un infarctus du myocarde"
    assert labels(found, "idm_mco.hyg_c") == (diet, None)


@pytest.mark.parametrize("absent", ["csv", "xlsx"])
def test_a_csv_file_and_the_workbook_of_its_lines_count_once(made: Home, tmp_path: Path, absent: str) -> None:
    """Either of the two files gives the same facts as both."""
    pack = tmp_path / "pack"
    for file in ("Satisfaction/2016", REGISTER):
        source = made.pack / file
        copy = shutil.copytree if source.is_dir() else shutil.copy
        (pack / file).parent.mkdir(parents=True, exist_ok=True)
        copy(source, pack / file)
    (pack / f"Satisfaction/2016/dpa_had_recueil2016_donnee2015_donnees.{absent}").unlink()
    (pack / "Satisfaction/2016/dan_mco_recueil2016_donnee2015_donnees.csv").unlink()
    expected = {r for r in results(made.pack / "Satisfaction") if r.survey == "dpa_had"}
    assert len(expected) > 100
    assert facts(make_fact(tmp_path / "home", pack)) == expected


def test_a_workbook_that_contradicts_its_csv_file_is_not_committed(made: Home, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(made.pack / "Satisfaction/2016", pack / "2016")
    shutil.copy(made.pack / REGISTER, pack)
    target = pack / "2016/dpa_had_recueil2016_donnee2015_donnees.xlsx"
    book = load_workbook(target)
    cell = book.worksheets[0].cell(2, 1)
    cell.value = f"{cell.value}".rsplit(",", 1)[0] + ",987"
    book.save(target)
    with pytest.raises(ChuError, match='is unique": 1 rows break it'):
        make_fact(tmp_path / "home", pack)


def test_formats_of_results(tmp_path: Path) -> None:
    """Percentages, both decimal marks, texts without a result. Any other text rejects its line only."""
    header = [c.name for c in iqss_2019.table.columns]
    written = {"010000001": "72%", "010000002": "75,09", "010000003": "71.36", "010000004": "Non répondant"}
    written |= {"010000008": "72\u00a0%", "010000009": "7.5E1"}
    bad = {"010000005": "7O%", "010000006": "101%", "010000007": "-1"}
    body = [
        ";".join({"finess": site, "res_dpa_pcd_mco": text, "classe_DPA_pcd_MCO": "A"}.get(name, "") for name in header)
        for site, text in {**written, **bad}.items()
    ]
    (tmp_path / "pack").mkdir()
    file = tmp_path / "pack" / "resultats-iqss-open-data-2019.csv"
    file.write_bytes("\n".join([";".join(header), *body]).encode("cp1252"))
    outcome = deliver(iqss_2019.table, tmp_path / "pack", tmp_path / "work")
    position = header.index("res_dpa_pcd_mco")
    assert {row[0]: row[position] for row in outcome.rows} == dict(
        zip(written, (72.0, 75.09, 71.36, None, 72.0, 75.0), strict=True)
    )
    reasons = ("not_a_number", "out_of_range", "out_of_range")
    assert outcome.rejected == [(8 + n, "res_dpa_pcd_mco", reason) for n, reason in enumerate(reasons)]


def test_a_missing_column_stops_only_its_source(made: Home, tmp_path: Path) -> None:
    shutil.copytree(made.pack / "Satisfaction/2016", tmp_path / "pack")
    broken = tmp_path / "pack" / "dpa_had_recueil2016_donnee2015_donnees.csv"
    broken.write_bytes(broken.read_bytes().replace(b"tdp_c_etbt", b"tdp_d_etbt", 1))
    with pytest.raises(ChuError, match=r"donnees\.csv: 'tdp_c_etbt' missing"):
        deliver(dpa_had_2016.table, tmp_path / "pack", tmp_path / "stopped")
    assert deliver(dpa_had_2016_classeur.table, tmp_path / "pack", tmp_path / "read").reading.kept == 60
