"""Registers as users deliver them: places of establishments, identifiers of professionals, joins that find nothing."""

import os
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb
import pytest

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.dimensions.establishment_history import establishment_history
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import BlockingCheckFailed, run_step
from chu_platform.ingest.delivered import rejects_of
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.recomputation.register_inputs import create_organisations
from chu_platform.settings import Settings
from chu_platform.sources.etablissement_sante import etablissement_sante
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table
from chu_platform.trace.rebuild import rebuild
from chu_platform_tests.conftest import CARE
from chu_platform_tests.facts.test_quality_indicator import needed
from chu_platform_tests.ingest.real_files import CASES, needs_cases
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

COLUMNS: Final = [c.name for c in etablissement_sante.columns]
Make = Callable[[Path, Table], RunResources]


@pytest.fixture
def make(postgres: EmbeddedPostgres, tmp_path: Path) -> Make:
    """Makes a table and what it needs, in a new lake, from a pack and the care database of the demonstration pack."""

    def made(pack: Path, table: Table) -> RunResources:
        settings = Settings(home=tmp_path / "home", sources=pack, postgres_url=postgres.url(CARE))
        log: list[str] = []
        with RunResources(settings, log.append) as resources:
            for one in needed(table, {}):
                run_step(resources, one, None, "test")
            return resources

    return made


def write_register(pack: Path, lines: Sequence[dict[str, str]]) -> None:
    """Write etablissement_sante.csv with these cells."""
    pack.mkdir(exist_ok=True)
    text = [";".join(COLUMNS), *(";".join(cells.get(name, "") for name in COLUMNS) for cells in lines)]
    (pack / "etablissement_sante.csv").write_text("\n".join([*text, ""]), encoding="utf-8")


def places(lake: Lake) -> dict[str, tuple[str, str]]:
    """Department and region of each establishment."""
    found = rows(lake, dim_establishment).to_pylist()
    return {row["establishment_key"]: (row["department_code"], row["region_key"]) for row in found}


def recomputed(lake: Lake) -> dict[str, tuple[str, str]]:
    """The same by the independent recomputation."""
    with duckdb.connect() as connection:
        for name in ("etablissement_sante_history", "department"):
            table = next(t for t in needed(dim_establishment, {}) if t.name == name)
            connection.execute(f"CREATE VIEW raw_{name} AS FROM {lake.relation(table)}")
        connection.execute(
            "CREATE TABLE raw_activite_professionnel_sante(identifiant VARCHAR, identifiant_organisation VARCHAR)"
        )
        create_organisations(connection)
        return {
            key: (a, b)
            for key, a, b in connection.execute("SELECT id, department, region FROM organisation").fetchall()
        }


UNKNOWN: Final = ("inconnu", "inconnu")
# Country, commune, postal code, cedex, and where the establishment is.
PLACES: Final = [
    ("", "1053", "1000", "", ("01", "84")),
    ("", "", "1000", "", ("01", "84")),
    ("FRANCE", "", "1000.0", "", ("01", "84")),
    ("99100", "", "1000", "", ("01", "84")),
    ("", "", "", "01440 VIRIAT", ("01", "84")),
    ("", "", "", "\u00a001440\u00a0VIRIAT CEDEX", ("01", "84")),
    ("", "2a004", "20000", "", ("2A", "94")),
    ("", "2b033", "", "", ("2B", "94")),
    ("", "20004", "20000", "", ("2A", "94")),
    ("", "20033", "20200", "", ("2B", "94")),
    ("", "20033", "", "", ("inconnu", "94")),
    ("", "", "20600", "", ("2B", "94")),
    ("", "", "20700", "", ("inconnu", "94")),
    ("", "97411", "97400", "", ("974", "04")),
    ("LA REUNION", "", "97400", "", ("974", "04")),
    ("La Réunion", "", "97400", "", ("974", "04")),
    ("", "97611", "97600", "", ("976", "06")),
    ("", "98506", "", "", ("976", "06")),
    # Collectivities that are in no region, Saint-Barthélemy and Saint-Martin also with codes of Guadeloupe.
    ("", "97701", "97133", "", UNKNOWN),
    ("", "97123", "", "", UNKNOWN),
    ("", "97133", "97141", "", ("971", "01")),
    ("", "97125", "97150", "", ("971", "01")),
    ("", "", "97150", "", UNKNOWN),
    ("", "98735", "98714", "", UNKNOWN),
    # Other countries: four digits are a postal code there, five may be one of a department.
    ("Belgique", "99131", "1000", "", UNKNOWN),
    ("Belgique", "", "1000", "", UNKNOWN),
    ("ALLEMAGNE", "", "75012", "", UNKNOWN),
    ("Italie", "", "20100", "", UNKNOWN),
    ("SUISSE", "", "", "01200 BELLEGARDE", UNKNOWN),
    # The same with codes of countries, whatever the codes of the place.
    ("99134", "", "28001", "", UNKNOWN),
    ("99134.0", "", "28001", "", UNKNOWN),
    (" 99109", "", "", "66100 SARREBRUCK", UNKNOWN),
    ("99131", "", "1000", "", UNKNOWN),
    ("724", "", "28001", "", UNKNOWN),
    ("E", "", "28001", "", UNKNOWN),
    ("ES", "28085", "28001", "", UNKNOWN),
    ("Espagne", "28085", "", "", UNKNOWN),
    # France in other words, and codes before a postal code.
    *(
        (france, "", "69003", "", ("69", "84"))
        for france in ("F", "f ", "FR", "FRA", "France", "METROPOLE", "Métropole", "France métropolitaine", "99000")
    ),
    ("250", "", "69003", "", ("69", "84")),
    ("99100.0", "", "69003", "", ("69", "84")),
    ("RE", "", "97400", "", ("974", "04")),
    ("", "", "FR75004", "", ("75", "11")),
    ("", "", "F 75004", "", ("75", "11")),
    ("F", "", "", "F-75004 PARIS", ("75", "11")),
    ("", "", "", "\u00a0fr-75004 PARIS CEDEX 04", ("75", "11")),
    ("", "", "", "E-28001 MADRID", UNKNOWN),
    # Codes of places as in the register of deaths.
    ("", "91352", "", "", UNKNOWN),
    ("", "92353", "16000", "", UNKNOWN),
    ("", "93354", "", "31000 ORAN", UNKNOWN),
    ("", "94352", "", "", UNKNOWN),
    ("", "99352", "75012", "", UNKNOWN),
    ("", "91228", "91000", "", ("91", "11")),
    ("", "98405", "", "", ("974", "04")),
    ("", "98611", "", "", UNKNOWN),
    # Damage: the postal code counts.
    ("", "XX", "69001", "", ("69", "84")),
    ("", "010", "69001", "", ("69", "84")),
    ("", "", "6900", "", ("06", "93")),
    ("", "", "690011", "", UNKNOWN),
]


def test_places_of_establishments(make: Make, tmp_path: Path) -> None:
    keys = [f"F69000{n:04}" for n in range(len(PLACES))]
    cells = [
        dict(
            zip(("pays", "code_commune", "code_postal", "cedex"), place[:4], strict=True), identifiant_organisation=key
        )
        for key, place in zip(keys, PLACES, strict=True)
    ]
    write_register(tmp_path / "pack", cells)
    lake = make(tmp_path / "pack", dim_establishment).lake
    expected = {key: place[4] for key, place in zip(keys, PLACES, strict=True)}
    assert places(lake) == {**expected, "inconnu": UNKNOWN}
    assert recomputed(lake) == expected


def test_a_register_without_places_is_not_committed(make: Make, tmp_path: Path) -> None:
    """On a first delivery too: the codes of all places are written in another way."""
    cells = [{"identifiant_organisation": f"F69000{n:04}", "code_commune": f"commune {n}"} for n in range(10)]
    write_register(tmp_path / "pack", cells)
    with pytest.raises(BlockingCheckFailed, match=r"region_key = inconnu.*: 1, not 0 to 0\.9; nothing was committed"):
        make(tmp_path / "pack", dim_establishment)


@needs_cases
def test_shared_case_of_establishments(make: Make, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    shutil.copy(CASES / "18-etablissements" / "etablissement_sante.csv", tmp_path / "pack")
    resources = make(tmp_path / "pack", dim_establishment)
    found = places(resources.lake)
    assert found == {**recomputed(resources.lake), "inconnu": UNKNOWN}
    assert {key: where for key, where in found.items() if not key.startswith("F69")} == {
        **dict.fromkeys(("F010000024", "F010000025"), ("01", "84")),
        **dict.fromkeys(("F2A0000154", "F2A0000155"), ("2A", "94")),
        "F2B0000156": ("2B", "94"),
        **dict.fromkeys(("F970100157", "S990000159", "inconnu"), UNKNOWN),
        "F980500158": ("976", "06"),
        # All but F750000162, whose quote has no end.
        **{f"F75000016{n}": ("75", "11") for n in (0, 1, 3, 4, 5, 6)},
    }
    labels = {
        row["establishment_key"]: row["establishment_label"]
        for row in rows(resources.lake, dim_establishment).to_pylist()
    }
    assert (labels["F750000160"], labels["F750000163"]) == ("LATIN UN: HÔPITAL", "DEUX\nLIGNES")
    rejects = rows(resources.lake, rejects_of(etablissement_sante)).to_pylist()
    assert [(r["line"], r["reason"]) for r in rejects] == [(24, "unterminated_quote")]
    (warning,) = (w for w in resources.warnings if "etablissement_sante" in w)
    assert "one encoding" in warning
    assert warning.endswith(": 1 lines break it: etablissement_sante.csv (1 lines are not UTF-8)")


PROFESSIONALS: Final = "professionnel_sante.csv"
ACTIVITIES: Final = "activite_professionnel_sante.csv"


def write_professionals(pack: Path, register: Sequence[str], activities: Sequence[tuple[str, str]]) -> None:
    """Write the files of professionals, with these identifiers and organisations."""
    lines = [
        "identifiant;civilite;categorie_professionnelle;nom;prenom;commune;profession;specialite;type_identifiant",
        *(f"{identifier};M;Civil;NOM;PRENOM;Lyon;Testeur;Essais;8" for identifier in register),
    ]
    (pack / PROFESSIONALS).write_text("\n".join([*lines, ""]), encoding="utf-8")
    lines = ["identifiant;identifiant_organisation;mode_exercice", *(f"{a};{b};Salarie" for a, b in activities)]
    (pack / ACTIVITIES).write_text("\n".join([*lines, ""]), encoding="utf-8")


def attachments(lake: Lake) -> set[tuple[str, str, str]]:
    """Identifier, profession and establishment of each attachment."""
    with duckdb.connect() as connection:
        for name, table in (
            ("bridge", bridge_professional_establishment),
            ("pseudonym", professional_pseudonym),
            ("professional", dim_professional),
        ):
            connection.execute(f"CREATE VIEW {name} AS FROM {lake.relation(table)}")
        query = (
            "SELECT Identifiant, profession_label, establishment_key FROM bridge "
            "JOIN pseudonym USING (professional_key) JOIN professional USING (professional_key)"
        )
        return {(str(a), str(b), str(c)) for a, b, c in connection.execute(query).fetchall()}


SITES: Final = [f"F69000{n:04}" for n in range(8)]
# Identifiers in the register and in the activities, and their one form.
IDENTIFIERS: Final = [
    ("810000000001", "10000000001", "10000000001"),
    ("10000000002", "810000000002", "10000000002"),
    ("\u00a010000000003", "10000000003.0", "10000000003"),
    ("0011234567", "11234567", "011234567"),
    ("011234568", "0011234568", "011234568"),
    ("01a003753", "1A003753", "01A003753"),
    ("2A1234567", "02A1234567", "2A1234567"),
    ('"=""011234569"""', "'011234569", "011234569"),
]


def test_identifiers_of_professionals_are_joined(make: Make, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    write_register(pack, [{"identifiant_organisation": site, "code_commune": "69381"} for site in SITES])
    organisations = [SITES[0][:1] + SITES[0][1:].lower(), f" {SITES[1]}", SITES[2][1:], *SITES[3:]]
    activities = [(b, site) for (_, b, _), site in zip(IDENTIFIERS, organisations, strict=True)]
    write_professionals(pack, [a for a, _, _ in IDENTIFIERS], activities)
    lake = make(pack, bridge_professional_establishment).lake
    assert attachments(lake) == {(c, "Testeur", site) for (_, _, c), site in zip(IDENTIFIERS, SITES, strict=True)}


@pytest.mark.parametrize(
    ("register", "organisation", "table", "message"),
    [
        (
            "10000000{n:03}",
            "E69000{n:04}",
            bridge_professional_establishment,
            "identifiant_organisation of activite_professionnel_sante",
        ),
        ("P{n:03}", "F69000{n:04}", dim_professional, "identifiant of activite_professionnel_sante"),
    ],
)
def test_a_join_that_finds_nothing_is_not_committed(
    make: Make, tmp_path: Path, register: str, organisation: str, table: Table, message: str
) -> None:
    """On a first delivery too. One of twenty rows is nearly nothing."""
    pack = tmp_path / "pack"
    numbers = range(20)
    write_register(pack, [{"identifiant_organisation": f"F69000{n:04}", "code_commune": "69381"} for n in numbers])
    activities = [(f"10000000{n:03}", organisation.format(n=n)) for n in numbers[1:]]
    known = [register.format(n=n) for n in numbers[1:]]
    write_professionals(pack, ["10000000000", *known], [("10000000000", "F690000000"), *activities])
    with pytest.raises(BlockingCheckFailed) as error:
        make(pack, table)
    assert f'{table.layer}/{table.name}: "at most 90 % of the values {message} do not exist in' in str(error.value)
    assert ": 0.95, not 0 to 0.9" in str(error.value)
    assert "0000000" not in str(error.value), "no value of a row"


@pytest.mark.parametrize("lost", [1, 8])
def test_a_join_that_loses_a_part_is_a_warning(make: Make, tmp_path: Path, lost: int) -> None:
    """On a first delivery too; one row of twenty is usual."""
    pack = tmp_path / "pack"
    sites = [f"F69000{n:04}" for n in range(20)]
    write_register(pack, [{"identifiant_organisation": site, "code_commune": "69381"} for site in sites])
    register = [f"100000{n:05}" for n in range(20)]
    activities = [f"P{n}" if n < lost else identifier for n, identifier in enumerate(register)]
    write_professionals(pack, register, list(zip(activities, sites, strict=True)))
    warnings = make(pack, dim_professional).warnings
    message = "at most 15 % of the values identifiant of activite_professionnel_sante do not exist"
    assert [f": {lost / 20:g}" in w for w in warnings if message in w] == [True] * (lost > 1)


@needs_cases
def test_shared_case_of_professionals(make: Make, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    shutil.copy(CASES / "18-etablissements" / "etablissement_sante.csv", pack)
    for name in (PROFESSIONALS, ACTIVITIES):
        shutil.copy(CASES / "20-rpps" / name, pack)
    lake = make(pack, bridge_professional_establishment).lake
    expected = {(f"1000000000{n}", "Médecin", f"F69000000{n}") for n in range(10)}
    assert attachments(lake) == {*expected, ("011234567", "Infirmier", "F690000001")}


def test_an_establishment_that_moves_has_a_version_for_each_place(tmp_path: Path, make: Make) -> None:
    pack = tmp_path / "pack"
    deliveries = [("2016-05-01", "69001"), ("2019-07-02", "06000"), ("2020-01-01", "06000")]
    for day, postal in deliveries:
        moved = {"identifiant_organisation": "F690000001", "raison_sociale_site": "LES PINS", "code_postal": postal}
        write_register(pack, [moved, {"identifiant_organisation": "F750000001", "code_postal": "75001"}])
        moment = datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()
        os.utime(pack / "etablissement_sante.csv", (moment, moment))
        resources = make(pack, dim_establishment)
    lake = resources.lake
    found = rows(lake, establishment_history).to_pylist()
    assert {
        (r["establishment_version"], str(r["valid_to"]), r["region_key"]) for r in found if r["region_key"] != "inconnu"
    } == {
        ("F690000001@1800-01-01", "2019-07-02", "84"),
        ("F690000001@2019-07-02", "9999-12-31", "93"),
        ("F750000001@1800-01-01", "9999-12-31", "11"),
    }
    assert places(lake) == {"F690000001": ("06", "93"), "F750000001": ("75", "11"), "inconnu": UNKNOWN}
    # The third delivery has made no version of the table.
    history = establishment_history.reads["register"]
    assert lake.version(history) == 1
    result = rebuild(resources.settings, history.folder, None, lambda _: None)
    assert result.equal and result.stored == 3
