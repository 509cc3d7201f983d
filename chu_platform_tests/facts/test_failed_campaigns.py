"""A care-quality file that cannot be read concerns its own campaign only; regions of sites overseas."""

from collections import Counter
from pathlib import Path

import pytest

from chu_platform.facts.fact_quality_indicator import fact_quality_indicator
from chu_platform.sources.dpa_ssr_2018 import dpa_ssr_2018
from chu_platform.sources.etablissement_sante import etablissement_sante
from chu_platform.sources.idm_mco_2015 import idm_mco_2015
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

# Region by FINESS number and label, by the laws of 2003 and 2007 on overseas collectivities.
REGIONS = {
    ("970107249", "SAINT-MARTIN"): "99",
    ("970100160", "St Barthélemy"): "99",
    ("970500039", "Collectivités outre-mer à statut particulier"): "99",
    ("975100142", "St Pierre et Miquelon"): "99",
    ("980000010", "TOM"): "99",
    ("988800001", "Nouvelle Calédonie"): "99",
    ("987000001", "Polynésie"): "99",
    ("986000001", ""): "99",
    ("970100020", "Guadeloupe"): "01",
    ("970100021", ""): "01",
    ("970200022", "Antilles"): "02",
    ("970300023", "Guyane française"): "03",
    ("970400024", "OCEAN INDIEN"): "04",
    ("980500003", "Océan Indien"): "06",
    ("330000001", "Saint-Martin"): "75",
    ("2A0000014", "CORSE"): "94",
}


def dpa_2018() -> str:
    delivered = [c.name for c in dpa_ssr_2018.table.columns if not c.name.startswith("motif_")]
    lines = [
        ";".join({"finess": site, "Lib_reg": label, "doc_c_etbt": "71.5"}.get(name, "") for name in delivered)
        for site, label in REGIONS
    ]
    return "\n".join([";".join(delivered), *lines]) + "\n"


def test_other_campaigns_are_made(tmp_path: Path) -> None:
    """On the first delivery: the file of 2015 has other columns, and a lexicon has another form."""
    pack = tmp_path / "pack"
    pack.mkdir()
    register = [c.name for c in etablissement_sante.columns]
    known = {"identifiant_organisation": "F330000001", "code_commune": "33063", "code_postal": "33000"}
    for name, text in {
        "etablissement_sante.csv": ";".join(register) + "\n" + ";".join(known.get(c, "") for c in register) + "\n",
        "idm_mco_recueil2015_donnee2014_tables_es.csv": "Question;Réponse\na;b\n",
        "lexique-iqss-open-data-2020.csv": "Question;Réponse\na;b\n",
        "dpa-ssr-recueil2018-donnee2017-donnees.csv": dpa_2018(),
    }.items():
        (pack / name).write_text(text, encoding="utf-8")
    home = Home(tmp_path / "home", pack)
    done = home.chu("materialize", "--select", "+key:facts/fact_quality_indicator")
    printed = done.stdout + done.stderr
    assert done.returncode == 1, printed
    assert "idm_mco_recueil2015_donnee2014_tables_es.csv: 'Sources', 'finess', " in printed
    assert "is made of the last version of restricted/sources/idm_mco_2015" in printed
    assert "lexique-iqss-open-data-2020.csv: 'NAME', 'LABEL' missing" in printed
    assert rows(home.lake, idm_mco_2015.table).num_rows == 0
    found = rows(home.lake, fact_quality_indicator).to_pylist()
    assert {r["site_finess"]: r["region_key"] for r in found} == {site: region for (site, _), region in REGIONS.items()}
    assert Counter((r["campaign_year"], r["value"]) for r in found) == {("2018", 71.5): len(REGIONS)}
