"""Care databases of hospitals: typed columns, odd dates, encodings, row-level security, schemas, a standby."""

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import psycopg2
import pytest
from pydantic import SecretStr

from chu_platform.care_database.database import CareDatabase
from chu_platform.care_database.embedded_postgres import (
    SERVER_OPTIONS,
    EmbeddedPostgres,
    _as_server_user,
    _binary,
    _server_ids,
)
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError, TransientError
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.ingest.reading import Reading, ReadingContext, read
from chu_platform.settings import Settings
from chu_platform_tests.ingest.deliveries import stored
from chu_platform_tests.pipeline.processes import main_process, stopped

PATIENTS: Final = 3000
Rows = list[tuple[object, ...]]
Before = Callable[[str], Rows]
CARE: Final = {t.name: t for t in delivered_tables(catalogue()) if delivered_rows(t).reader.database}


@dataclass
class Hospital:
    """A copy of the care database of the demonstration pack that a test may change, and a reader of its tables."""

    url: str
    folder: Path
    messages: list[str] = field(default_factory=list)

    def run(self, *statements: str) -> None:
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def ask(self, query: str) -> Rows:
        """The rows of a query."""
        with psycopg2.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            rows = cursor.fetchall()
        connection.close()
        return rows

    @contextmanager
    def database(self, url: str | None = None) -> Iterator[CareDatabase]:
        given = Settings(_env_file=None, home=self.folder, postgres_url=SecretStr(url or self.url))
        database = CareDatabase(given, self.messages.append)
        try:
            yield database
        finally:
            database.close()

    def read(self, name: str, url: str | None = None) -> tuple[Reading, Rows]:
        """Read a table into typed rows; returns these in order."""
        with self.database(url) as database:
            return self.read_from(database, name)

    def read_from(self, database: CareDatabase, name: str) -> tuple[Reading, Rows]:
        """As `read`, from an opened database."""
        table = CARE[name]
        place = self.folder / f"{name}{len(list(self.folder.iterdir()))}"
        for folder in ("scratch", "written", "quarantine"):
            (place / folder).mkdir(parents=True)
        context = ReadingContext(place, place / "scratch", database, self.messages.append)
        reading = read(table, None, place / "written", place / "quarantine", context)
        return reading, sorted(stored(place / "written", [c.name for c in table.columns], "ALL"), key=repr)


@pytest.fixture
def hospital(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Hospital]:
    postgres._psql("CREATE DATABASE hospital TEMPLATE care")
    yield Hospital(postgres.url("hospital"), tmp_path)
    postgres.drop_database("hospital")
    postgres._psql("DROP ROLE IF EXISTS chu_lecteur")


@pytest.fixture(scope="module")
def before(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Before:
    """The rows of a table before any change; each is read once."""
    unchanged = Hospital(postgres.url("care"), tmp_path_factory.mktemp("before"))
    return cache(lambda name: unchanged.read(name)[1])


TYPED: Final = """ALTER TABLE public."Patient" ALTER COLUMN "Date" TYPE {} USING {}"""
BIRTH: Final = """to_date("Date", 'MM/DD/YYYY')"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("type_", "expression"),
    [
        ("date", BIRTH),
        ("timestamp", BIRTH),
        ("timestamptz", f"{BIRTH}::timestamp AT TIME ZONE 'Europe/Paris'"),
        ("text", f"to_char({BIRTH}, 'DD/MM/YYYY')"),
        ("text", f"to_char({BIRTH}, 'FMDD.FMMM.YYYY')"),
        ("integer", f"to_char({BIRTH}, 'YYYYMMDD')::integer"),
        ("text", f"to_char({BIRTH}, 'YYYY/MM/DD HH24:MI:SS')"),
        ("text", f'CASE WHEN "Id_patient" % 3 = 0 THEN to_char({BIRTH}, \'YYYY.MM.DD\') ELSE "Date" END'),
        ("text", f'CASE WHEN "Id_patient" % 2 = 0 THEN to_char({BIRTH}, \'YYYY-MM-DD\') ELSE "Date" END'),
    ],
)
def test_birth_dates_in_other_forms_are_the_same_days(
    hospital: Hospital, before: Before, type_: str, expression: str
) -> None:
    """The case 27-pg-source/typed_dates.sql and more: every row of the table is the same as before."""
    hospital.run(TYPED.format(type_, expression), "ALTER DATABASE hospital SET datestyle = 'German, DMY'")
    reading, after = hospital.read("Patient")
    assert len(after) == PATIENTS and after == before("Patient")
    assert (reading.rejects, reading.not_understood) == ([], [])
    assert any("dates of 'Date' are not in the declared form" in m for m in hospital.messages)


@pytest.mark.integration
def test_birth_dates_in_the_declared_form_stay_as_they_are(hospital: Hospital) -> None:
    hospital.read("Patient")
    assert hospital.messages == []
    hospital.run("""UPDATE "Patient" SET "Date" = '13/01/1980' WHERE "Id_patient" < 6""")
    _, rows = hospital.read("Patient")
    assert sum("13/01/1980" in row for row in rows) == 5, "a few errors do not exchange day and month of the others"


@pytest.mark.integration
def test_birth_dates_in_two_orders_are_refused(hospital: Hospital) -> None:
    french = TYPED.format(
        "text", f'CASE WHEN "Id_patient" % 2 = 0 THEN to_char({BIRTH}, \'DD/MM/YYYY\') ELSE "Date" END'
    )
    hospital.run(french)
    with pytest.raises(ChuError, match=r"'Date' has dates in two orders: in \d+ rows the day comes before the month"):
        hospital.read("Patient")


REAL_TYPES: Final = {
    "Patient": {
        "Id_patient": "numeric(12,2)",
        "Age": "double precision",
        "Taille": "integer",
        "Code_postal": "char(12)",
        "Sexe": "char(20)",
    },
    "Consultation": {
        "Num_consultation": "bigint",
        "Id_patient": "numeric",
        "Date": "timestamp",
        "Id_prof_sante": "char(40)",
    },
    "Medicaments": {"Code_CIS": "numeric(20,0)"},
    "Prescription": {"Num_consultation": "double precision", "Code_CIS": "bigint"},
}


@pytest.mark.integration
@pytest.mark.parametrize("name", REAL_TYPES)
def test_columns_with_other_types_have_the_same_values(hospital: Hospital, before: Before, name: str) -> None:
    for column, type_ in REAL_TYPES[name].items():
        hospital.run(f'ALTER TABLE "{name}" ALTER COLUMN "{column}" TYPE {type_} USING "{column}"::{type_}')
    reading, after = hospital.read(name)
    assert after and after == before(name)
    assert (reading.rejects, reading.not_understood) == ([], [])


@pytest.mark.integration
@pytest.mark.parametrize("form", ["DD/MM/YYYY", "YYYY-MM-DD HH24:MI:SS"])
def test_days_of_consultations_as_text(hospital: Hospital, before: Before, form: str) -> None:
    hospital.run(f"""ALTER TABLE "Consultation" ALTER COLUMN "Date" TYPE text USING to_char("Date", '{form}')""")
    assert hospital.read("Consultation")[1] == before("Consultation")


@pytest.mark.integration
def test_dates_out_of_range_are_rejects_of_their_row(hospital: Hospital, before: Before) -> None:
    """The case 27-pg-source/extreme_dates.sql and the limits of PostgreSQL."""
    odd = ["infinity", "-infinity", "0044-03-15 BC", "20190-01-01", "4713-01-01 BC", "5874897-12-31"]
    numbers = sorted(int(str(row[0])) for row in before("Consultation"))[: len(odd)]
    for number, text in zip(numbers, odd, strict=True):
        hospital.run(f'UPDATE "Consultation" SET "Date" = \'{text}\' WHERE "Num_consultation" = {number}')
    reading, rows = hospital.read("Consultation")
    assert [r[2:4] for r in reading.rejects] == [("Date", "not_a_date")] * len(odd)
    assert rows == [row for row in before("Consultation") if row[0] not in numbers]
    hospital.run("""UPDATE "Patient" SET "Date" = 'infinity' WHERE "Id_patient" = 1""")
    assert len(hospital.read("Patient")[1]) == PATIENTS, "a birth date is text, and unknown if it is no date"


@pytest.mark.integration
def test_a_timestamp_out_of_range(hospital: Hospital) -> None:
    hospital.run(
        'ALTER TABLE "Consultation" ALTER COLUMN "Date" TYPE timestamp',
        """UPDATE "Consultation" SET "Date" = '294276-12-31 23:59:59' WHERE ctid = '(0,1)'""",
    )
    reading, _ = hospital.read("Consultation")
    assert [r[2:4] for r in reading.rejects] == [("Date", "not_a_date")]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("column", "text", "shape"),
    [
        ("Date", "'vers 1980'", "aaaa 9999"),
        ("Date", "'25.07.80'", "99.99.99"),
        ("Date", "'7/25/80'", "9/99/99"),
        ("Sexe", "'2'", "9"),
    ],
)
def test_a_column_that_is_null_in_every_row_is_found(hospital: Hospital, column: str, text: str, shape: str) -> None:
    hospital.run(f'UPDATE "Patient" SET "{column}" = {text}')
    (found,) = hospital.read("Patient")[0].not_understood
    expected = f"none of the {PATIENTS} values of the column '{column}' is understood (not_understood, shape {shape})"
    assert expected in found
    hospital.run(f'UPDATE "Patient" SET "{column}" = NULL')
    assert hospital.read("Patient")[0].not_understood == [], "no text was delivered"
    hospital.run(f'UPDATE "Patient" SET "{column}" = {text} WHERE "Id_patient" < 10')
    assert hospital.read("Patient")[0].not_understood == [], "nine may be typing errors"


@pytest.mark.integration
def test_repeated_rows_of_a_table_without_its_key_are_rejects(hospital: Hospital, before: Before) -> None:
    """A part of the rows again, and one other row with the number of a consultation."""
    ((key,),) = hospital.ask(
        "SELECT conname FROM pg_constraint WHERE contype = 'p' AND conrelid = '\"Consultation\"'::regclass"
    )
    count, changed = len(before("Consultation")), min(int(str(row[0])) for row in before("Consultation"))
    of_one = f'FROM "Consultation" WHERE "Num_consultation" = {changed} LIMIT 1'
    columns = '"Num_consultation", "Id_patient", "Code_diag", "Date"'
    other = f"""SELECT "Num_consultation", 0, "Code_diag", "Date" {of_one}"""
    hospital.run(
        f'ALTER TABLE "Consultation" DROP CONSTRAINT "{key}" CASCADE',
        f'INSERT INTO "Consultation" SELECT * FROM "Consultation" WHERE "Num_consultation" <> {changed} LIMIT 50',
        f'INSERT INTO "Consultation" ({columns}) {other}',
    )
    reading, rows = hospital.read("Consultation")
    assert Counter(r[2:4] for r in reading.rejects) == {
        ("Num_consultation", "repeated_row"): 50,
        ("Num_consultation", "contradictory_row"): 2,
    }
    assert (reading.rows_in, reading.kept) == (count + 51, count - 1)
    assert rows == [row for row in before("Consultation") if row[0] != changed]


@pytest.mark.integration
@pytest.mark.parametrize(("column", "text", "shape"), [("Date", "'vers 1980'", "aaaa 9999"), ("Sexe", "'2'", "9")])
def test_a_part_of_a_column_that_is_not_understood(hospital: Hospital, column: str, text: str, shape: str) -> None:
    """Every such value is counted: above one percent a warning, above ten percent the source stops."""
    change = f'UPDATE "Patient" SET "{column}" = {text} WHERE "Id_patient" <= '
    hospital.run("""UPDATE "Patient" SET "Date" = '1/1/1980' WHERE "Date" IS NULL""", change + "30")
    assert hospital.read("Patient")[0].misunderstood == []
    for count, share in ((31, "1.0"), (300, "10.0"), (301, "10.0"), (1500, "50.0")):
        hospital.run(f"{change}{count}")
        reading, rows = hospital.read("Patient")
        (found,) = reading.misunderstood
        many = f"{count} of the {PATIENTS} values ({share} %) of the column '{column}' are not understood"
        assert found.text == f'PostgreSQL table "Patient": {many} (not_understood, shape {shape})'
        assert found.blocks == (count > 300)
        assert len(rows) == PATIENTS


@pytest.mark.integration
def test_sexes_in_letters_and_words_and_dates_in_blanks(hospital: Hospital, before: Before) -> None:
    hospital.run("""UPDATE "Patient" SET "Sexe" = CASE "Sexe"
        WHEN 'male' THEN (ARRAY['M', 'h', ' Homme', 'MALE'])[1 + "Id_patient" % 4]
        ELSE (ARRAY['F', 'f ', 'Femme', 'féminin'])[1 + "Id_patient" % 4] END, "Date" = rpad("Date", 10)
        WHERE "Id_patient" % 2 = 0""")
    reading, rows = hospital.read("Patient")
    assert rows == before("Patient")
    assert reading.misunderstood == []


READER: Final = """CREATE ROLE chu_lecteur LOGIN PASSWORD 'essai';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO chu_lecteur;
ALTER TABLE public."Consultation" ENABLE ROW LEVEL SECURITY;
CREATE POLICY un_site ON public."Consultation" FOR SELECT TO chu_lecteur USING ("Num_consultation" % 10 = 0);"""


@pytest.mark.integration
def test_row_level_security_is_an_error_and_never_fewer_rows(hospital: Hospital, before: Before) -> None:
    """The case 27-pg-source/row_level_security.sql."""
    count = len(before("Consultation"))
    hospital.run(READER)
    url = hospital.url.replace("chu@", "chu_lecteur:essai@")
    with hospital.database(url) as database:
        with pytest.raises(
            ChuError, match=r"public.Consultation .* row-level security hides rows .* BYPASSRLS"
        ) as raised:
            database.columns("Consultation")
        assert "essai" not in str(raised.value) and "\n" not in str(raised.value)
        assert database.count("Patient") == PATIENTS, "other tables are read"
    # A view with the rights of its reader, over the table.
    hospital.run(
        'ALTER TABLE "Consultation" RENAME TO hidden',
        'CREATE VIEW "Consultation" WITH (security_invoker) AS SELECT * FROM hidden',
        'GRANT SELECT ON "Consultation" TO chu_lecteur',
    )
    with pytest.raises(ChuError, match=r"counting table 'Consultation': row-level security hides rows"):
        hospital.read("Consultation", url)
    hospital.run("ALTER ROLE chu_lecteur BYPASSRLS")
    assert hospital.read("Consultation", url)[0].rows_in == count
    hospital.run("ALTER ROLE chu_lecteur NOBYPASSRLS", "ALTER TABLE hidden DISABLE ROW LEVEL SECURITY")
    assert hospital.read("Consultation", url)[0].rows_in == count


@pytest.mark.integration
def test_a_table_without_the_right_to_read_it_concerns_no_other(hospital: Hospital, before: Before) -> None:
    """Missing rights to a table, a schema or a part of the columns, and a view that fails, in one snapshot."""
    hospital.run(
        READER,
        'ALTER TABLE public."Consultation" DISABLE ROW LEVEL SECURITY',
        'REVOKE SELECT ON "Adher", "Mutuelle" FROM chu_lecteur',
        'GRANT SELECT ("Id_Mut", "Nom") ON "Mutuelle" TO chu_lecteur',
        'CREATE SCHEMA soins; ALTER TABLE "Diagnostic" SET SCHEMA soins',
        'ALTER TABLE "Laboratoire" RENAME TO laboratoires',
        'CREATE VIEW "Laboratoire" AS SELECT "Id_labo" / 0 AS "Id_labo", "Laboratoire", "Pays" FROM laboratoires',
        'GRANT SELECT ON "Laboratoire" TO chu_lecteur',
        'ALTER TABLE "Specialites" RENAME TO specialites_0',
        'CREATE VIEW "Specialites" WITH (security_invoker) AS SELECT * FROM specialites_0',
        'GRANT SELECT ON "Specialites" TO chu_lecteur; REVOKE SELECT ON specialites_0 FROM chu_lecteur',
    )
    right = "let the administrator of the server run"
    refused = {
        "Adher": rf'table "public"."Adher" .*{right} GRANT SELECT ON "public"."Adher" TO this user',
        "Diagnostic": rf'{right} GRANT USAGE ON SCHEMA "soins" and GRANT SELECT ON "soins"."Diagnostic" TO',
        "Mutuelle": "'Adresse' missing",
        "Laboratoire": "reading table 'Laboratoire': division by zero",
        "Specialites": "'Specialites': the user of CHU_POSTGRES_URL may not read it.*GRANT SELECT",
    }
    url = hospital.url.replace("chu@", "chu_lecteur:essai@")
    with hospital.database(url) as database:
        fingerprints = set()
        for name, message in refused.items():
            with pytest.raises(ChuError, match=message) as raised:
                hospital.read_from(database, name)
            assert "essai" not in str(raised.value)
            fingerprints.add(database.fingerprint)
            assert hospital.read_from(database, "Patient")[1] == before("Patient"), name
            assert not database.failed
        assert len(fingerprints) == 1, "one snapshot"
    assert any('may not read the columns Adresse of "public"."Mutuelle"' in m for m in hospital.messages)


@pytest.mark.integration
def test_the_owner_under_forced_row_level_security(hospital: Hospital) -> None:
    hospital.run(
        READER, 'ALTER TABLE "Patient" OWNER TO chu_lecteur', 'ALTER TABLE "Patient" ENABLE ROW LEVEL SECURITY'
    )
    url = hospital.url.replace("chu@", "chu_lecteur:essai@")
    assert hospital.read("Patient", url)[0].rows_in == PATIENTS
    hospital.run('ALTER TABLE "Patient" FORCE ROW LEVEL SECURITY')
    with pytest.raises(ChuError, match="row-level security hides rows"):
        hospital.read("Patient", url)


@pytest.mark.integration
def test_another_schema_and_another_letter_case(hospital: Hospital, before: Before) -> None:
    rows = before("Specialites")
    hospital.run("CREATE SCHEMA soins", 'ALTER TABLE "Specialites" SET SCHEMA soins')
    assert hospital.read("Specialites")[1] == rows
    hospital.run('ALTER TABLE soins."Specialites" RENAME TO specialites')
    assert hospital.read("Specialites")[1] == rows
    hospital.run("CREATE SCHEMA archive", "CREATE TABLE archive.specialites AS TABLE soins.specialites")
    with pytest.raises(ChuError, match=r"several tables for 'Specialites': archive.specialites, soins.specialites"):
        hospital.read("Specialites")
    hospital.run('CREATE TABLE public."Specialites" AS TABLE soins.specialites')
    assert hospital.read("Specialites")[1] == rows, "the usual place is read first"


@pytest.mark.integration
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ('"Nom"::integer AS "Id_Mut", "Nom", "Nom" AS "Adresse"', "invalid input syntax for type integer$"),
        ('fail("Nom") AS "Id_Mut", "Nom", "Nom" AS "Adresse"', "a function raised an error$"),
    ],
)
def test_an_error_of_the_server_shows_no_value(hospital: Hospital, columns: str, message: str) -> None:
    hospital.run(
        """CREATE FUNCTION fail(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'unknown: %', $1; END $$""",
        """UPDATE "Patient" SET "Nom" = 'CANARI'""",
        'DROP TABLE "Mutuelle"',
        f'CREATE VIEW "Mutuelle" AS SELECT {columns} FROM "Patient"',
    )
    with pytest.raises(ChuError, match=f"failed while .*: {message}") as raised:
        hospital.read("Mutuelle")
    assert "CANARI" not in str(raised.value)


NAMES: Final = {"GRÉGOIRE": "latin-1", "ŒUVRARD": "cp1252", "LÉA": "utf-8", "a\x81b": "latin-1", "PLAIN": "ascii"}


@pytest.mark.integration
@pytest.mark.parametrize(("encoding", "as_dump"), [("SQL_ASCII", False), ("SQL_ASCII", True), ("WIN1252", False)])
def test_other_encodings(postgres: EmbeddedPostgres, tmp_path: Path, encoding: str, as_dump: bool) -> None:
    """The case 27-pg-source/sql_ascii.sql: bytes of several encodings in one column, from a server and from a dump."""
    postgres._psql("DROP DATABASE IF EXISTS hospital")
    postgres._psql(f"CREATE DATABASE hospital TEMPLATE template0 ENCODING '{encoding}'")
    hospital = Hospital(postgres.url("hospital"), tmp_path)
    names = dict.fromkeys(("GRÉGOIRE", "ŒUVRARD", "PLAIN"), "cp1252") if encoding == "WIN1252" else NAMES
    values = [f"({i}, convert_from('\\x{n.encode(e).hex()}', '{encoding}'))" for i, (n, e) in enumerate(names.items())]
    # Lengths of such a database are counted in bytes.
    hospital.run(
        'CREATE TABLE "Mutuelle" ("Id_Mut" integer, "Nom" varchar(8), "Adresse" text)',
        f'INSERT INTO "Mutuelle" VALUES {", ".join(values)}',
    )

    def read() -> list[str]:
        return sorted(str(row[1]) for row in hospital.read("Mutuelle")[1])

    try:
        if not as_dump:
            assert read() == sorted(names)
            return
        for form in ("custom", "plain"):
            dump = tmp_path / "DATA2023"
            assert postgres._run("pg_dump", [f"--format={form}", f"--file={dump}", "hospital"]).returncode == 0
            if form == "plain":
                # A script that does not say its encoding.
                dump.write_bytes(re.sub(rb"SET client_encoding[^\n]*\n", b"", dump.read_bytes()))
            postgres.drop_database("hospital")
            assert postgres.restore(dump, "hospital") == []
            assert read() == sorted(names)
    finally:
        postgres.drop_database("hospital")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("ERROR:  canceling statement due to conflict with recovery", "apply changes of its primary"),
        ("FATAL:  terminating connection due to conflict with recovery", "apply changes of its primary"),
        ("server closed the connection unexpectedly", "cut the connection"),
    ],
)
def test_a_conflict_on_a_standby_can_be_tried_again(tmp_path: Path, message: str, cause: str) -> None:
    given = Settings(_env_file=None, home=tmp_path, postgres_url=SecretStr("postgresql://u:hush@host/care"))
    database = CareDatabase(given, print)
    with pytest.raises(TransientError, match=cause) as raised, database._errors("reading table 'Patient'"):
        raise OSError(message)
    assert "hush" not in str(raised.value)


@pytest.fixture
def standby(tmp_path: Path) -> Iterator[str]:
    """The URL of a database on a server that recovers and never ends to: a standby, and it is read only."""
    folder = tmp_path / "standby"
    with EmbeddedPostgres(folder) as server:
        server.create_database("care")
        hospital = Hospital(server.url("care"), tmp_path)
        columns = 'i "Id_Mut", i::text "Nom", i::text "Adresse"'
        hospital.run(f'CREATE TABLE "Mutuelle" AS SELECT {columns} FROM generate_series(1, 9) i')
        url = server.url("care")
    # The log of a minimal level cannot be recovered: one start with another level changes it.
    options = [f"-c{k}={v}" for k, v in {**SERVER_OPTIONS, "wal_level": "replica"}.items()]
    options += [f"-cunix_socket_directories={folder / 'data'}", "-crestore_command=/bin/false"]
    pg_ctl = _as_server_user([_binary("pg_ctl"), "-w", "-s", "-D", str(folder / "data")])
    start = [*pg_ctl, "-l", str(folder / "data" / "log"), "-o", " ".join(options), "start"]
    stop = [*pg_ctl, "-m", "fast", "stop"]
    if "host=" + str(folder / "data").replace("/", "%2F") not in url:
        pytest.skip("the path of the socket is too long here")
    for command in (start, stop):
        subprocess.run(command, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    signal = folder / "data" / "standby.signal"
    signal.touch()
    os.chown(signal, *_server_ids())
    subprocess.run(start, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield url
    finally:
        subprocess.run(stop, check=True, cwd="/")


@pytest.mark.integration
def test_a_hot_standby_is_read(standby: str, tmp_path: Path) -> None:
    hospital = Hospital(standby, tmp_path)
    reading, rows = hospital.read("Mutuelle")
    assert [row[0] for row in rows] == list(range(1, 10))
    assert "@" in reading.deliveries[0].origin.fingerprint


@pytest.mark.parametrize(
    "when",
    [
        pytest.param("before connecting", marks=pytest.mark.system),
        pytest.param("while reading", marks=pytest.mark.integration),
    ],
)
def test_a_server_that_is_stopped_is_given_up(hospital: Hospital, postgres: EmbeddedPostgres, when: str) -> None:
    """A stopped process keeps its connections and never answers; without a limit, the reader would wait for ever."""
    given = Settings(_env_file=None, home=hospital.folder, postgres_url=SecretStr(hospital.url), engine_patience=4)
    database = CareDatabase(given, hospital.messages.append)
    if when == "while reading":
        assert database.count("Patient")
    with stopped(main_process(postgres)):
        begun = time.monotonic()
        with pytest.raises(TransientError, match=r"timeout expired|does not answer|did not answer for 4 s while"):
            database.count("Patient")
        assert time.monotonic() - begun < 60
        database.close()
    with hospital.database() as again:
        assert again.count("Patient")
