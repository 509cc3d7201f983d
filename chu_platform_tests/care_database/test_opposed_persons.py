"""Persons on the opposition list are not in the embedded copy of the care database, nor in a file of its server."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from chu_platform.care_database.database import CareDatabase
from chu_platform.care_database.opposed_persons import forget_copies
from chu_platform.ingest.oppositions import Oppositions
from chu_platform.ingest.persons import Kind
from chu_platform.settings import Settings

pytestmark = pytest.mark.integration

AT = "2026-11-30T12:00:00+00:00"
DUMP = """
CREATE TABLE public."Patient" ("Id_patient" integer, "Nom" text, "Prenom" text, "Date" text, "EMail" text);
COPY public."Patient" ("Id_patient", "Nom", "Prenom", "Date", "EMail") FROM stdin;
1\tRESTE\tZoé\t7/25/1980\tzoe@example.org
2\tPARTINUMERO\tAnne\t7/26/1980\tpartinumero@example.org
3\tPartiNom\tLéa\t3/1/1950\tpartinom@example.org
\\.
CREATE TABLE public."Consultation" ("Num_consultation" integer, "Id_patient" integer, "Motif" text);
INSERT INTO public."Consultation" VALUES (10, 1, 'reste'), (11, 2, 'PARTINUMERO tousse'), (12, 3, 'x'), (13, 2, 'y');
CREATE TABLE public."Prescription" ("Num_consultation" integer, "Code_CIS" text);
INSERT INTO public."Prescription" VALUES (10, 'a'), (11, 'b'), (12, 'c'), (99, 'd');
CREATE TABLE public."AAAA" ("Nom" text, "Prenom" text);
INSERT INTO public."AAAA" VALUES ('partinom', 'LEA'), ('reste', 'zoe');
CREATE TABLE public."Other" (n integer);
"""
GONE = (b"partinumero", b"partinom")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "DATA2023").write_text(DUMP, encoding="utf-8")
    (tmp_path / "home" / "secrets").mkdir(parents=True)
    return Settings(_env_file=None, home=tmp_path / "home", sources=tmp_path / "pack", postgres_url=None)


def read(settings: Settings) -> dict[str, list[str]]:
    """The first column of each table."""
    messages: list[str] = []
    database = CareDatabase(settings, messages.append)
    try:
        tables = ("Patient", "Consultation", "Prescription", "AAAA")
        return {t: sorted(_texts(database, t)) for t in tables}
    finally:
        database.close()
        assert not any(gone.decode() in message.lower() for gone in GONE for message in messages)


def _texts(database: CareDatabase, table: str) -> Iterator[str]:
    for batch in database.stream(table, database.columns(table)[:1]):
        yield from batch[0].to_pylist()


def found_in_files(settings: Settings) -> list[str]:
    files = [f for f in (settings.work_folder / "postgres").rglob("*") if f.is_file()]
    return [f.name for f in files if any(gone in f.read_bytes().lower() for gone in GONE)]


def test_persons_leave_the_copy_and_the_files(settings: Settings) -> None:
    whole = read(settings)
    assert whole["Patient"] == ["1", "2", "3"] and found_in_files(settings)
    texts = [(Kind.PATIENT, "2"), (Kind.PERSON, "PARTINOM|LEA|1950-03-01"), (Kind.DAY, "1950-03-01")]
    Oppositions(settings.secrets_folder).add("a", [*texts, (Kind.NAME, "PARTINOM|LEA")], AT)
    left = {"Patient": ["1"], "Consultation": ["10"], "Prescription": ["10", "99"], "AAAA": ["reste"]}
    assert read(settings) == left
    assert found_in_files(settings) == []
    assert read(settings) == left
    # A later delivery, and copies of earlier ones.
    (settings.sources_folder / "DATA2023").write_text(f"{DUMP}-- again\n", encoding="utf-8")
    assert read(settings) == left
    forget_copies(settings, lambda _: None)
    assert found_in_files(settings) == []
    database = CareDatabase(settings, lambda _: None)
    database.columns("Patient")
    assert database._server
    with psycopg2.connect(database._server.url("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'dump%'")
        assert cursor.fetchone() == (1,)
    connection.close()
    database.close()
