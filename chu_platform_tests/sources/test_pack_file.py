"""Every file of a pack is read, or the reason why not is told."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
from pydantic import SecretStr

from chu_platform.graph.catalogue import catalogue
from chu_platform.settings import Settings
from chu_platform.sources.pack_file import pack_file
from chu_platform.tables.table import Computed


def listed(pack: Path, url: str | None = None) -> dict[str, tuple[str, str | None]]:
    """State and readers of each file."""
    assert isinstance(pack_file.rows, Computed)
    settings = Settings(home=pack, sources=pack, postgres_url=SecretStr(url) if url else None)
    found = pack_file.rows.function(settings=settings, tables=catalogue()).to_pylist()
    assert [row["bytes"] for row in found] == [(pack / row["path"]).stat().st_size for row in found]
    return {row["path"]: (row["state"], row["read_by"]) for row in found}


def test_the_34_files_of_the_surveys_are_read(pack: Path) -> None:
    surveys = {path: said for path, said in listed(pack).items() if path.startswith("Satisfaction/")}
    states = Counter(state for state, _ in surveys.values())
    assert states == {"read": 34, "not_a_delivery": 2, "empty": 1}
    assert surveys["Satisfaction/2016/dpa_had_recueil2016_donnee2015_donnees.xlsx"] == ("read", "dpa_had_2016_classeur")


def test_every_other_file_is_read_too(pack: Path) -> None:
    others = {path: said for path, said in listed(pack).items() if not path.startswith("Satisfaction/")}
    assert {state for state, _ in others.values()} == {"read"}
    assert len(others) == sum(not f.is_relative_to(pack / "Satisfaction") and f.is_file() for f in pack.rglob("*"))


@pytest.fixture
def own(pack: Path, tmp_path: Path) -> Path:
    """A pack of a few files that may be changed."""
    shutil.copytree(pack / "Satisfaction", tmp_path / "pack" / "Satisfaction")
    (tmp_path / "pack" / "DATA2023").write_bytes(b"PGDMP")
    return tmp_path / "pack"


def test_what_nobody_knows_is_listed_as_such(own: Path) -> None:
    (own / "enquete.csv").write_text("a;b\n")
    (own / "note.txt.part").write_text("a")
    found = listed(own)
    assert found["enquete.csv"] == ("unknown", None)
    assert found["note.txt.part"] == ("not_a_delivery", None)
    assert found["DATA2023"] == ("read", "PostgreSQL")
    assert listed(own, "postgresql://nowhere/care")["DATA2023"] == ("care_database_is_given", "PostgreSQL")


def test_a_copy_is_not_read_and_two_versions_neither(own: Path) -> None:
    original = own / "Satisfaction/2019/resultats-iqss-open-data-2019.csv"
    copy = own / "resultats-iqss-open-data-2019.csv"
    shutil.copy(original, copy)
    found = listed(own)
    states = [found[f.relative_to(own).as_posix()] for f in (original, copy)]
    assert sorted(states) == [("copy_of_a_file_that_is_read", "iqss_2019"), ("read", "iqss_2019")]
    copy.write_bytes(copy.read_bytes() + b"\n")
    found = listed(own)
    states = [found[f.relative_to(own).as_posix()] for f in (original, copy)]
    assert states == [("source_refused", "iqss_2019")] * 2
