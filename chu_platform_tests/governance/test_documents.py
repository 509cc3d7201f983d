"""The documents of data protection: made of the declarations and of what was measured, and of nothing else."""

import ast
import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import pytest
import typer.main

from chu_platform.catalogue import catalogue
from chu_platform.cli import app
from chu_platform.description.file import IN_LAKE, current_catalogue
from chu_platform.errors import ChuError
from chu_platform.governance.cnil import CHECKS, UNCOVERED, Evidence, covered, requirements
from chu_platform.governance.inputs import require_policies
from chu_platform.governance.write import DOCUMENTS, RECORD, write_documents
from chu_platform.settings import PROJECT, Settings
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.html import Element, parsed
from chu_platform_tests.pipeline.home import Home

DAY: Final = datetime.date(2026, 11, 30)
TESTS: Final = PROJECT / "chu_platform_tests"
MADE: Final = [made for table in catalogue() for made in table.outputs]


@pytest.fixture(scope="module")
def folder(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents of the made lake."""
    folder = tmp_path_factory.mktemp("governance") / "written"
    write_documents(Settings(home=made.folder, sources=made.pack), folder, DAY)
    return folder


def page(folder: Path, name: str) -> Element:
    return parsed((folder / f"{name}.html").read_text(encoding="utf-8"))


def rows_of(element: Element, caption: str) -> list[list[str]]:
    """The cells of the table with this title."""
    (found,) = (t for t in element.all("table") if t.one("caption").text == caption)
    return [[cell.text for cell in row.all("td")] for row in found.all("tbody tr")]


@pytest.mark.integration
def test_seven_documents_state_lake_version_date_and_what_is_missing(folder: Path, made: Home) -> None:
    written = sorted(p.name for p in folder.iterdir())
    assert len(written) == 2 * len(DOCUMENTS) + 1
    assert RECORD in written
    for name in (n.removesuffix(".html") for n in written if n.endswith(".html")):
        text = (folder / f"{name}.html").read_text(encoding="utf-8")
        assert "30 novembre 2026" in text
        assert "version 0." in text
        assert str(made.lake.root).rpartition("/")[2] in text
        assert "édition" in text
        # What is in one form is in the other.
        markdown = (folder / f"{name}.md").read_text(encoding="utf-8")
        assert markdown.count("**Manque :**") == len(re.findall(r'class="missing"', text))


@pytest.mark.integration
def test_the_register_has_an_entry_for_each_declared_purpose(folder: Path) -> None:
    shown = page(folder, "registre-des-traitements")
    declared = {t.access.purpose for t in MADE if t.access}
    granted = {grant.purpose for t in MADE if t.access for grant in t.access.grants}
    assert granted - declared == {Purpose.RESEARCH, Purpose.CARE_QUALITY}
    # No table exists for the operation of the platform: what it keeps of itself has an entry nevertheless.
    assert {*Purpose} - declared - granted == {Purpose.OPERATION}
    assert len(shown.all("section")) == 1 + len(Purpose)
    listed = {cell for table in shown.all("table") for row in table.all("tbody tr") for cell in [row.all("td")[0].text]}
    assert {f"{t.layer}/{t.name}" for t in MADE} <= listed
    assert {"Journal des accès", "Comptes et sessions", "Demandes d’effacement et certificats"} <= listed
    audit = next(s for s in shown.all("section") if "Vérifier les accès" in s.text)
    assert "12 mois" in audit.text and "titulaires d’un compte" in audit.text
    schedule = rows_of(page(folder, "calendrier-de-conservation"), "Ce qui existe à côté des tables")
    assert {"Journal des accès", "Comptes et sessions"} <= {row[0] for row in schedule}


@pytest.mark.integration
def test_the_access_rights_are_those_of_the_policies(folder: Path) -> None:
    shown = page(folder, "droits-d-acces")
    counted = {
        row[0]: [int(n) for n in row[1:]] for row in rows_of(shown, "Nombre de tables que chaque profil lit, par zone")
    }
    zones = ["restricted", "pseudonymised", "published"]

    def expected(profile: Profile) -> list[int]:
        granted = [t for t in MADE if t.access and any(g.profile is profile for g in t.access.grants)]
        return [sum(t.zone == zone for t in granted) for zone in zones]

    assert counted["analyste"] == expected(Profile.ANALYST)
    assert counted["gestionnaire des données"] == expected(Profile.STEWARD)
    assert counted["exploitant"] == [0, 0, 0]
    assert counted["directeur d’établissement"] == expected(Profile.HEAD) == [0, 2, 0]
    own = rows_of(shown, "Accords du profil « clinicien »")
    assert [row[3] for row in own] == ["lignes de ses propres sites, cellules de 1 à 10 masquées"]


@pytest.mark.integration
def test_the_documents_show_what_was_measured(folder: Path, made: Home) -> None:
    checks = rows_of(
        page(folder, "liste-de-controle-cnil"), page(folder, "liste-de-controle-cnil").all("caption")[-1].text
    )
    measured = made.lake.arrow(next(t for t in MADE if t.name == "check_result")).to_pylist()
    assert int(checks[0][1]) == sum(row["status"] == "passed" for row in measured)
    risks = page(folder, "projet-d-aipd").all("table")[-1].all("tbody tr")
    assert len(risks) >= 3
    assert "aucun exercice n’a été fait" in page(folder, "exercice-de-restauration").text


@pytest.mark.integration
def test_every_table_has_one_retention(folder: Path) -> None:
    rows = rows_of(page(folder, "calendrier-de-conservation"), "Chaque durée, sa raison et ses tables")
    listed = [name for row in rows for name in row[3].split(", ")]
    assert sorted(listed) == sorted(f"{t.layer}/{t.name}" for t in MADE)
    assert [int(row[2]) for row in rows] == [len(row[3].split(", ")) for row in rows]
    assert {row[0] for row in rows} == {"sans âge limite", "1 an", "20 ans"}


@pytest.mark.integration
def test_without_its_purpose_a_table_stops_the_command(made: Home) -> None:
    """As if the declaration of a table had lost its policy: the described catalogue is what the command reads."""
    settings = Settings(home=made.folder, sources=made.pack)
    tables = current_catalogue(made.lake.root, settings.work_folder).tables
    one = next(t for t in tables if t.identifier == "facts/fact_death")
    assert one.access
    for access, what in (
        (None, "no access policy (`access`)"),
        (replace(one.access, purpose=cast(Purpose, "")), "no purpose"),
        (replace(one.access, legal_basis=" "), "no legal basis"),
        (replace(one.access, retention_reason=""), "no reason of its retention"),
    ):
        changed = [replace(t, access=access) if t is one else t for t in tables]
        with pytest.raises(ChuError) as raised:
            require_policies(changed)
        assert str(raised.value) == (
            f"facts/fact_death declares {what}: add it at {one.declared_at}; no document was written"
        )


@pytest.mark.integration
def test_the_command_fails_without_a_policy(made: Home, tmp_path: Path) -> None:
    described = json.loads((made.lake.root / IN_LAKE).read_bytes())
    next(t for t in described["tables"] if t["name"] == "fact_death")["access"] = None
    settings = without_lake(tmp_path, json.dumps(described))
    with pytest.raises(ChuError, match=r"^facts/fact_death declares no access policy"):
        write_documents(settings, tmp_path / "written", DAY)
    assert not (tmp_path / "written").exists()


def without_lake(folder: Path, described: str) -> Settings:
    """Settings of a lake without tables, with the described catalogue."""
    lake = folder / "lake"
    (lake / "published").mkdir(parents=True)
    (lake / IN_LAKE).write_text(described, encoding="utf-8")
    return Settings(_env_file=None, home=folder / "home", lake=lake)


@pytest.mark.integration
def test_a_folder_with_other_files_stays_as_it_is(made: Home, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ChuError, match="neither an empty folder nor one with documents of data protection"):
        write_documents(Settings(home=made.folder, sources=made.pack), tmp_path, DAY)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.integration
def test_without_a_lake_the_documents_say_what_is_missing(made: Home, tmp_path: Path) -> None:
    settings = without_lake(tmp_path, (made.lake.root / IN_LAKE).read_text(encoding="utf-8"))
    written = write_documents(settings, tmp_path / "written", DAY)
    assert len(written) == len(DOCUMENTS)
    assert "qui n’existe pas encore" in page(tmp_path / "written", "projet-d-aipd").text
    assert "le lac n’existe pas encore" in page(tmp_path / "written", "calendrier-de-conservation").text


@pytest.mark.unit
def test_every_requirement_is_one_row_with_known_evidence() -> None:
    listed = requirements()
    assert len(listed) > 30
    assert len({r.text for r in listed}) == len(listed)
    for requirement in listed:
        assert requirement.theme
        assert requirement.evidence or requirement.note, requirement.text
        for evidence in requirement.evidence:
            assert evidence.kind in ("command", "test", CHECKS), requirement.text


@pytest.mark.unit
def test_the_evidence_exists() -> None:
    names = commands()
    for requirement in requirements():
        for evidence in covered(requirement):
            if evidence.kind == "command":
                program, *words = evidence.text.split()
                assert program == "chu"
                assert any(" ".join(words[:n]) in names for n in (1, 2)), evidence.text
            if evidence.kind == "test":
                file, _, test = evidence.text.partition("::")
                tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
                assert test in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}, evidence.text


def commands(group: object | None = None, prefix: str = "") -> set[str]:
    """The names of all commands, those of groups with the name of their group."""
    inside: Mapping[str, object] = getattr(group or typer.main.get_command(app), "commands", {})
    return {f"{prefix}{name}" for name in inside} | {
        found for name, command in inside.items() for found in commands(command, f"{prefix}{name} ")
    }


@pytest.mark.unit
def test_evidence_of_a_module_that_is_not_there_does_not_count() -> None:
    assert Evidence("command", "chu verify").is_there
    assert Evidence("command", "chu verify", "governance.drill").is_there
    assert not Evidence("command", "chu verify", "governance.nothing").is_there
    assert not Evidence("command", "chu verify", "nothing.at_all").is_there
    uncovered = [r for r in requirements() if not covered(r)]
    assert uncovered, f"a requirement without evidence is shown as {UNCOVERED}"
