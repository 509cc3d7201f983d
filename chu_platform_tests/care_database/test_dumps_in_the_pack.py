"""Dumps under the names that hospitals give them, and what is reported of them."""

import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from chu_platform.care_database.database import CareDatabase
from chu_platform.care_database.embedded_postgres import DUMP_ROLE, EmbeddedPostgres
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.ingest.dump_files import dump_fingerprint, dumps, the_dump
from chu_platform.ingest.pack_contents import PART, TAKEN, file_statuses, tables_for_file
from chu_platform.settings import Settings

pytestmark = pytest.mark.integration

# The case 26-dump-names.
PLAIN: Final = b"""CREATE TABLE public."Patient" ("Id_patient" integer, "Nom" text, "Sexe" text, "Date" text);
INSERT INTO public."Patient" VALUES (1, 'NOM INVENTE', 'female', '7/25/1980');
"""


@pytest.fixture(scope="module")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose embedded server restores the dumps of all tests of this module."""
    return tmp_path_factory.mktemp("home")


def patients(pack: Path, home: Path) -> Sequence[object]:
    database = CareDatabase(Settings(_env_file=None, home=home, sources=pack, postgres_url=None), lambda _: None)
    try:
        return [row for batch in database.stream("Patient", database.columns("Patient")) for row in batch.to_pylist()]
    finally:
        database.close()


def deliver(pack: Path, name: str, content: bytes) -> Path:
    (pack / name).parent.mkdir(parents=True, exist_ok=True)
    (pack / name).write_bytes(content)
    return pack / name


@pytest.mark.parametrize(
    "names",
    [
        ["DATA2023"],
        ["BDD PostgreSQL/data2024.sql"],
        ["DATA2023.sql.gz", "DATA2023.sql", "plain-named-as-custom/DATA2023"],
    ],
)
def test_a_plain_dump_under_any_name(tmp_path: Path, server_folder: Path, names: list[str]) -> None:
    for name in names:
        deliver(tmp_path, name, gzip.compress(PLAIN) if name.endswith(".gz") else PLAIN)
    row = {"Id_patient": "1", "Nom": "NOM INVENTE", "Sexe": "female", "Date": "7/25/1980"}
    assert patients(tmp_path, server_folder) == [row]


def test_a_changed_dump_leaves_one_embedded_copy(tmp_path: Path, server_folder: Path) -> None:
    settings = Settings(_env_file=None, home=server_folder, sources=tmp_path, postgres_url=None)
    deliver(tmp_path, "DATA2023", PLAIN)
    reading = CareDatabase(settings, lambda _: None)
    assert reading.count("Patient") == 1
    before = reading.current_fingerprint()
    deliver(tmp_path, "DATA2023", PLAIN.replace(b"INVENTE", b"CORRIGE"))
    lines: list[str] = []
    corrected = CareDatabase(settings, lines.append)
    try:
        # The copy that is being read stays until nobody reads it.
        assert corrected.count("Patient") == 1
        assert [line for line in lines if "former" in line] == [
            "1 copies of former dumps are being read, and are dropped the next time"
        ]
        assert copies(server_folder) == sorted(name_of(f) for f in (before, corrected.current_fingerprint()))
        reading.close()
        again = CareDatabase(settings, lines.append)
        assert again.count("Patient") == 1
        again.close()
        assert copies(server_folder) == [name_of(corrected.current_fingerprint())]
    finally:
        reading.close()
        corrected.close()


def name_of(fingerprint: str) -> str:
    return f"dump_{fingerprint[:16]}"


def copies(home: Path) -> list[str]:
    """The databases of dumps of the embedded server."""
    with EmbeddedPostgres(home / "work" / "postgres") as server:
        listed = server._run("psql", ["-d", "postgres", "-At", "-c", "SELECT datname FROM pg_database ORDER BY 1"])
    return [name for name in listed.stdout.split() if name.startswith("dump_")]


@pytest.mark.parametrize(
    "name",
    ["DATA2023.tar", "DATA2023.backup", "DATA2023.dump.gz", "DATA2024.dump", "DATA2023_v2.bak", "DATA2023.sql.gz"],
)
def test_the_name_of_a_dump(tmp_path: Path, name: str) -> None:
    file = deliver(tmp_path, f"folder/{name}", PLAIN)
    assert the_dump(tmp_path) == file
    assert "Patient" in tables_for_file(name, catalogue())


@pytest.mark.parametrize("name", ["DATA2023.csv", "DATA2023.xlsx", "DATA23", "METADATA2023", "DATA2023.dump.part"])
def test_what_is_no_name_of_a_dump(tmp_path: Path, name: str) -> None:
    deliver(tmp_path, name, PLAIN)
    assert dumps(tmp_path) == []
    with pytest.raises(ChuError, match=r"no file named like DATAYYYY in the pack"):
        the_dump(tmp_path)


def test_a_dump_in_directory_format(postgres: EmbeddedPostgres, tmp_path: Path, server_folder: Path) -> None:
    postgres.create_database("small")
    folder = tmp_path / "pack" / "BDD PostgreSQL" / "DATA2023"
    folder.parent.mkdir(parents=True)
    try:
        assert postgres._run("psql", ["-d", "small", "-c", PLAIN.decode()]).returncode == 0
        assert postgres._run("pg_dump", ["--format=directory", f"--file={folder}", "small"]).returncode == 0
    finally:
        postgres.drop_database("small")
    pack = tmp_path / "pack"
    assert the_dump(pack) == folder
    assert len(patients(pack, server_folder)) == 1
    statuses = file_statuses(pack, catalogue(), database_is_given=False)
    assert {p.name: s.state for p, s in statuses.items()} == {
        f.name: TAKEN if f.name == "toc.dat" else PART for f in folder.iterdir()
    }
    assert all(tables_for_file(f.name, catalogue()) for f in folder.iterdir())
    before = dump_fingerprint(folder)
    shutil.copytree(folder, pack / "copy")
    assert the_dump(pack) == folder, "a copy is the same dump"
    with max(folder.iterdir(), key=lambda f: f.stat().st_size).open("ab") as part:
        part.write(b"\n")
    assert dump_fingerprint(folder) != before
    with pytest.raises(ChuError, match=r"have different content: BDD PostgreSQL/DATA2023, copy; keep one of them"):
        the_dump(pack)


def test_a_restored_dump_is_read_without_rights(tmp_path: Path, server_folder: Path) -> None:
    """A view of a dump may call a function of the dump."""
    deliver(tmp_path, "DATA2023", b'CREATE TABLE t (a int); CREATE VIEW public."Patient" AS SELECT current_user;')
    assert patients(tmp_path, server_folder) == [{"current_user": DUMP_ROLE}]


def test_two_dumps_of_different_content_are_refused(tmp_path: Path) -> None:
    deliver(tmp_path, "DATA2023", PLAIN)
    deliver(tmp_path, "DATA2024.sql.gz", gzip.compress(PLAIN + b"-- more"))
    with pytest.raises(ChuError, match=r"several dumps .* different content: DATA2023, DATA2024.sql.gz; keep one"):
        the_dump(tmp_path)
