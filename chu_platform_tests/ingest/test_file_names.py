"""Names of delivered files that people and programs have changed, and files that no source reads."""

from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

import pytest

from chu_platform.automation.main_job import MAX_NAMED_FILES, warn_of_unread_files
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.ingest.file_names import plain_groups
from chu_platform.ingest.files import scan_pack
from chu_platform.ingest.pack_contents import COPY, OTHER, TAKEN, ambiguous_files, file_statuses, tables_for_file
from chu_platform.settings import Settings
from chu_platform.sources.deces import deces
from chu_platform.sources.opposition_deces import opposition_deces
from chu_platform_tests.facts.test_death_cases import HEADER, LIST_HEADER, died, write
from chu_platform_tests.ingest.deliveries import deliver, table_of
from chu_platform_tests.ingest.test_delivered_files import GOOD, put

pytestmark = pytest.mark.unit

# The files of a pack, as their publishers name them, and the table that reads each.
NAMES = {
    "professionnel_sante.csv": "professionnel_sante",
    "activite_professionnel_sante.csv": "activite_professionnel_sante",
    "deces-2020-m01.txt": "deces_insee_fixe",
    "deces-2020-t1.txt": "deces_insee_fixe",
    "resultats-esatis48h-mco-open-data-2019.csv": "esatis48h_mco",
    "resultats-esatisca-mco-open-data-2020.xlsx": "esatisca_mco",
    "ESATIS48H_MCO_recueil2017_lexique.csv": "lexiques",
    "lexique-iqss-open-data-2019.csv": "lexiques",
    "DPA_SSR_recueil2014_donnee2013_table_es.csv": "dpa_ssr_2014",
    "DPA_SSR_recueil2014_donnee2013_table_lexique.csv": "lexiques",
    "RCP_MCO_recueil2014_donnee2013_table_es.csv": "rcp_mco_2014",
    "RCP_MCO_recueil2014_donnee2013_table_participant.csv": "participants",
    "hpp_mco_recueil2015_donnee2014_tables_es.csv": "hpp_mco_2015",
    "hpp_mco_recueil2015_donnee2014_lexique.csv": "lexiques",
    "idm_mco_recueil2015_donnee2014_tables_es.csv": "idm_mco_2015",
    "dan_mco_recueil2016_donnee2015_donnees.csv": "dan_mco_2016",
    "dpa_had_recueil2016_donnee2015_donnees.csv": "dpa_had_2016",
    "dpa_had_recueil2016_donnee2015_donnees.xlsx": "dpa_had_2016_classeur",
    "dpa-ssr-recueil2018-donnee2017-donnees.csv": "dpa_ssr_2018",
    "ete-ortho-ipaqss-2017-2018-donnees.csv": "ete_ortho_2018",
    "ete-ortho-ipaqss-2017-2018-lexique.csv": "lexiques",
    "rcp-mco-recueil2018-donnee2017-donnees.csv": "rcp_mco_2018",
    "resultats-iqss-open-data-2019.csv": "iqss_2019",
    "fichier-opposition-deces-2026-05-07.csv": "opposition_deces",
    "resultats-iqss-esatis48h-mco-open-data-2023.xlsx": "esatis48h_mco",
    "ESATIS48H_MCO_recueil2017_donnees.csv": "esatis48h_mco",
    "resultats-iqss-open-data-2020.xlsx": "iqss_2020",
    "DPA_SSR_recueil2014_donnee2013_table_participant.csv": "participants",
    "dan_mco_recueil2016_donnee2015_lexique.csv": "lexiques",
    "etablissement_sante.csv": "etablissement_sante",
    "Hospitalisations.csv": "Hospitalisations",
    "deces.csv": "deces",
    "Deces_2020_M01.csv": "deces_insee_csv",
    "deces-2019.txt": "deces_insee_fixe",
}


def changed(name: str) -> list[str]:
    """A name as programs and people change it."""
    stem, _, suffix = name.rpartition(".")
    words = stem.replace("_", "-").split("-")
    stems = [stem.upper(), "_".join(words), "-".join(words), " ".join(words).title(), stem.replace("deces", "décès")]
    stems += [f"{stem} (1)", f"{stem}(12)", f"{stem}-v2", f"{stem}_V1.1", f"{stem} - Copie", f"{stem} - Copie (2)"]
    stems += [f"20261128_{stem}", f"2026-11-28 {stem}", f"{stem}_20261128", f"{stem}-28-11-2026", f"{stem} - copie"]
    stems += [f"{stem}_2026-11-28_153000 (1)"]
    stems += [f"Copie de {stem}", f"{stem} ", f"{stem}.{suffix}", f"{stem}.{suffix} (1)"]
    return [*(f"{s}.{suffix}" for s in stems), f"{stem}.{suffix}.txt", f"{stem}.{suffix.upper()}"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_means_its_source(name: str) -> None:
    for other in changed(name):
        for form in ("NFC", "NFD"):
            assert tables_for_file(normalize(form, other), catalogue()) == [NAMES[name]], other
    reader = next(delivered_rows(t).reader for t in delivered_tables(catalogue()) if t.name == NAMES[name])
    if name.startswith("fichier-opposition"):
        return  # the day is that of the list
    found = {plain_groups(match.groups()) for other in changed(name) if (match := reader.match(other))}
    assert len(found) == 1, "a changed name is the same delivery"


@pytest.mark.parametrize(
    "name",
    [
        "fichier-oppositions-deces-2026-06.csv",
        "opposition-deces-2026.csv",
        "opposition_décès.txt",
        "Liste des oppositions aux décès.csv",
        "deces-opposition-2026.csv",
        "fichier-opposition-deces-mai-2026.csv",
    ],
)
def test_the_opposition_list_has_many_names(tmp_path: Path, name: str) -> None:
    pack = tmp_path / "pack"
    write(pack, "deces.csv", [HEADER, ",".join(died("2019-03-12")), ",".join(died("2019-03-13"))])
    write(pack, name, [LIST_HEADER, '"20190312";"69381";"7"'])
    reading = deliver(deces, pack, tmp_path / "work").reading
    assert (reading.kept, reading.withdrawn, reading.remarks) == (1, 1, [])


def test_other_names_mean_no_source() -> None:
    for name in (
        "notes.csv",
        "personnel 2019.csv",
        "deces2.csv",
        "deces-2019-bis.csv",
        "opposition.csv",
        "DATA2023 (1)",
    ):
        assert tables_for_file(name, catalogue()) == [], name


def test_a_name_of_several_sources_is_named(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    put(pack, "things.csv")
    put(pack, "sub/Things (1).csv")
    twins = [table_of(), replace(table_of(), name="others")]
    found = ambiguous_files(scan_pack(pack), twins)
    assert sorted(file.name for file in found) == ["Things (1).csv", "things.csv"]
    assert all(names == ["others", "things"] for names in found.values())
    assert ambiguous_files(scan_pack(pack), twins[:1]) == {}


def test_every_opposition_list_is_read_once(tmp_path: Path) -> None:
    """All lists apply, also several with the same name; a copy is no second list."""
    pack = tmp_path / "pack"
    lists = {
        "a/fichier-opposition-deces": "12",
        "fichier-opposition-deces (1)": "13",
        "b/fichier-opposition-deces": "12",
    }
    for name, day in (lists | {"fichier-opposition-deces-2026-05-07-v2": "13"}).items():
        put(pack, f"{name}.csv", f'{LIST_HEADER}\n"201903{day}";"69381";"7"\n')
    outcome = deliver(opposition_deces, pack, tmp_path / "work")
    assert sorted(row[0] for row in outcome.rows) == ["20190312", "20190313"]
    states = sorted(s.state for s in file_statuses(pack, [opposition_deces], False).values())
    assert states == [COPY, COPY, TAKEN, TAKEN]


def test_a_file_with_its_own_name_is_read_first(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    put(pack, "things.csv")
    put(pack, "things (1).csv")
    assert deliver(table_of(), pack, tmp_path / "copy").reading.remarks == []
    put(pack, "things (1).csv", GOOD + "2;b;;1\n")
    reading = deliver(table_of(), pack, tmp_path / "other").reading
    assert [d.origin.name for d in reading.deliveries] == ["things.csv"]
    (remark,) = reading.remarks
    assert remark.startswith("things (1).csv is not read, because another file has the name things.")
    assert {f.name: s.state for f, s in file_statuses(pack, [table_of()], False).items()} == {
        "things.csv": TAKEN,
        "things (1).csv": OTHER,
    }


def test_changed_names_alone_are_read_and_must_be_copies(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    put(pack, "Things (1).csv")
    put(pack, "things-v2.csv.csv")
    assert deliver(table_of(), pack, tmp_path / "copies").reading.rows_in == 1
    put(pack, "things-v2.csv.csv", GOOD + "2;b;;1\n")
    with pytest.raises(ChuError, match=r"have different content: Things \(1\)\.csv, things-v2\.csv\.csv; keep one"):
        deliver(table_of(), pack, tmp_path / "others")


def test_an_opposition_list_that_is_not_read_is_named(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    resources = RunResources(Settings(home=tmp_path / "home", sources=pack), lambda _: None)
    for name in ("fichier-opposition-deces.csv", "fichier-opposition-deces-2024.xlsx", "Liste-Opposition.csv"):
        put(pack, name)
    warn_of_unread_files(resources)
    unread = " may be an opposition list, but is NOT read"
    named = [text.split(unread)[0] for text in resources.warnings if unread in text]
    assert sorted(named) == ["Liste-Opposition.csv", "fichier-opposition-deces-2024.xlsx"]


def test_files_that_no_source_reads_are_named(tmp_path: Path) -> None:
    """Some of them; documents and files of other programs are no deliveries."""
    pack = tmp_path / "pack"
    for name in ("deces.csv", "lisez-moi.txt", "Notice.pdf", ".DS_Store", "~$a.xlsx", "DATA2023.sql", "x/toc.dat"):
        put(pack, name)
    put(pack, "empty.csv", "")
    log: list[str] = []
    resources = RunResources(Settings(home=tmp_path / "home", sources=pack), log.append)
    warn_of_unread_files(resources)
    assert resources.warnings == []
    for number in range(MAX_NAMED_FILES + 2):
        put(pack, f"sub/personnel {number:02}.csv")
    warn_of_unread_files(resources)
    (warning,) = resources.warnings
    assert warning.count("sub/personnel ") == MAX_NAMED_FILES
    assert warning.endswith("sub/personnel 09.csv, and 2 more")
