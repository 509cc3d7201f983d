"""Dumps as hospitals hand them over: every format, what is missing here, other encodings, and hostile ones."""

import gzip
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import psycopg2
import pytest
from pydantic import SecretStr

from chu_platform.care_database.database import CareDatabase
from chu_platform.care_database.dump_script import DumpScript
from chu_platform.care_database.embedded_postgres import DUMP_ROLE, EmbeddedPostgres, _binary, _server_ids
from chu_platform.care_database.restore import Restoration
from chu_platform.errors import ChuError
from chu_platform.settings import Settings

pytestmark = pytest.mark.integration

ROWS: Final = 500
# Each is a place where a reader of SQL may lose its way.
TEXTS: Final = ("a\\b\nc;'$$x", None, "\\.", 'é"(', "'", "--", "/* ", "$a$", "E'\\'", "l'été\r\n", "")
ORIGIN: Final = """
CREATE TABLE "Patient" AS SELECT i AS "Id_patient", md5(i::text) AS "Nom" FROM generate_series(1, %s) i;
ALTER TABLE "Patient" ADD PRIMARY KEY ("Id_patient");
CREATE TABLE texts (n int, "t""ext" text DEFAULT 'a;b');
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql
    BEGIN ATOMIC SELECT CASE WHEN $1 > 0 THEN 1 ELSE 2 END; SELECT 2; END;
CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN PERFORM ';'; RETURN NEW; END; $x$;
CREATE TRIGGER t BEFORE INSERT ON "Patient" FOR EACH ROW EXECUTE FUNCTION g();
CREATE RULE r AS ON DELETE TO texts DO ALSO (SELECT 1; SELECT 2);
CREATE VIEW v AS SELECT * FROM "Patient";
CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM "Patient";
CREATE SEQUENCE s;
COMMENT ON TABLE "Patient" IS 'l''hôpital; a (comment';
SELECT nextval('s'), lo_from_bytea(4711, 'object');
"""


def run(
    server: EmbeddedPostgres, database: str, statement: str, values: Sequence[object] | None = None
) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(server.url(database))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall() if cursor.description else []
    connection.close()
    return rows


def pg_dump(server: EmbeddedPostgres, database: str, target: Path, *options: str) -> Path:
    done = server._run("pg_dump", [*options, f"--file={target}", database])
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def server(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    run(postgres, "postgres", "CREATE DATABASE formats")
    run(postgres, "formats", ORIGIN, [ROWS])
    for number, text in enumerate(TEXTS):
        run(postgres, "formats", "INSERT INTO texts VALUES (%s, %s)", [number, text])
    return postgres


@pytest.fixture
def restored(server: EmbeddedPostgres) -> Iterator[Callable[[Path], list[str]]]:
    """Restores a dump into the database `restored`, which exists until the end of the test; gives the warnings."""
    yield lambda dump: server.restore(dump, "restored")
    server.drop_database("restored")


@pytest.fixture(scope="module")
def run_script(server: EmbeddedPostgres) -> Iterator[Callable[[Path], None]]:
    """Runs a plain dump in an empty schema, as a restore does, without a database of its own."""
    server._create_dump_role()
    server.create_database("scripts", DUMP_ROLE)
    connection = psycopg2.connect(server.url("scripts", DUMP_ROLE))
    connection.autocommit = True

    def run_script(dump: Path) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK; RESET ALL; DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
        with dump.open("rb") as stream:
            Restoration(connection, has_encoding=True).run(DumpScript(stream))

    yield run_script
    connection.close()
    server.drop_database("scripts")


def require_same(server: EmbeddedPostgres) -> None:
    """The restored database has every object and row of the origin."""
    for query in (
        'SELECT * FROM "Patient" ORDER BY 1',
        "SELECT * FROM texts ORDER BY n",
        "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal UNION SELECT rulename FROM pg_rewrite",
        "SELECT count FROM m",
        "SELECT last_value FROM s",
        "SELECT obj_description('\"Patient\"'::regclass)",
        "SELECT convert_from(lo_get(4711), 'UTF8')",
    ):
        rows = run(server, "restored", query)
        assert rows and rows == run(server, "formats", query), query


def gzipped(dump: Path) -> Path:
    target = dump.with_name("packed")
    target.write_bytes(gzip.compress(dump.read_bytes(), 1))
    return target


def in_tar(dump: Path, mode: str = "w", at: str = "DATA2023") -> Path:
    target = dump.with_name("archive")
    with tarfile.open(target, mode) as archive:  # type: ignore[call-overload]
        archive.add(dump, at)
    return target


def as_it_is(dump: Path) -> Path:
    return dump


@pytest.mark.parametrize(
    ("options", "packed"),
    [
        (["--format=custom"], as_it_is),
        (["--format=custom"], gzipped),
        (["--format=custom", "--inserts"], lambda dump: in_tar(dump, "w:gz")),
        (["--format=tar"], as_it_is),
        (["--format=directory"], as_it_is),
        (["--format=directory"], lambda dump: in_tar(dump, "w:gz")),
        (["--format=directory", "--compress=0"], lambda dump: in_tar(dump, at=".")),
        ([], as_it_is),
        ([], gzipped),
        (["--inserts"], as_it_is),
        (["--column-inserts", "--rows-per-insert=7"], as_it_is),
        (["--create", "--clean", "--if-exists"], as_it_is),
        (["--clean"], as_it_is),
        (["--format=custom", "--statistics"], as_it_is),
        (["--quote-all-identifiers", "--disable-dollar-quoting", "--use-set-session-authorization"], as_it_is),
    ],
)
def test_every_format(
    server: EmbeddedPostgres,
    tmp_path: Path,
    options: list[str],
    packed: Callable[[Path], Path],
    restored: Callable[[Path], list[str]],
) -> None:
    """No name says the format: a gzip without .gz, a plain dump without .sql."""
    dump = packed(pg_dump(server, "formats", tmp_path / "DATA2023", *options))
    assert restored(dump) == []
    require_same(server)
    assert list(server.folder.glob("dump.*")) == []


def cut(dump: Path, share: float) -> None:
    target = max(dump.iterdir(), key=lambda f: f.stat().st_size) if dump.is_dir() else dump
    content = target.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ([], 0.02),
        ([], 0.5),
        ([], 0.99),
        (["--inserts"], 0.5),
        (["--format=tar"], 0.5),
        (["--format=tar"], 0.999),
        (["--format=directory"], 0.999),
    ],
)
def test_a_cut_dump(
    server: EmbeddedPostgres,
    tmp_path: Path,
    options: list[str],
    share: float,
    restored: Callable[[Path], list[str]],
) -> None:
    dump = pg_dump(server, "formats", tmp_path / "DATA2023", *options)
    cut(dump, share)
    with pytest.raises(ChuError, match=r"^DATA2023 could not be restored: .*(cut|ask for it again)") as raised:
        restored(dump)
    assert "\n" not in str(raised.value) and str(tmp_path) not in str(raised.value)
    assert not server.has_database("restored") and not server.has_database("restored__restoring")


def test_a_cut_gzip_and_a_missing_part(
    server: EmbeddedPostgres, tmp_path: Path, restored: Callable[[Path], list[str]]
) -> None:
    packed = gzipped(pg_dump(server, "formats", tmp_path / "plain"))
    cut(packed, 0.9)
    with pytest.raises(ChuError, match="packed could not be restored: it ends in the middle of the rows"):
        restored(packed)
    folder = pg_dump(server, "formats", tmp_path / "folder", "--format=directory")
    max(folder.iterdir(), key=lambda f: f.stat().st_size).unlink()
    with pytest.raises(ChuError, match=r"folder could not be restored: .*could not open input file.*ask for it again"):
        restored(folder)


CASE_27: Final = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE COLLATION public.francais (provider = libc, locale = 'C');
ALTER TABLE public."Consultation" SET TABLESPACE ts_essai;
ALTER TABLE public."Patient" OWNER TO owner_essai;
GRANT SELECT ON public."Patient" TO reader_essai;
CREATE POLICY voit_peu ON public."Patient" FOR SELECT TO reader_essai USING ("Id_patient" < 10);
ALTER TABLE public."Patient" ENABLE ROW LEVEL SECURITY;
ALTER TABLE public."Patient" FORCE ROW LEVEL SECURITY;
CREATE PUBLICATION pub_essai FOR TABLE public."Patient";
CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.watch();
CREATE SUBSCRIPTION sub_essai CONNECTION 'host=nowhere' PUBLICATION pub_essai WITH (connect = false);
ALTER SUBSCRIPTION sub_essai SET (slot_name = NONE);
"""


@pytest.mark.parametrize("options", [["--format=custom"], []])
def test_what_does_not_exist_here_is_named(server: EmbeddedPostgres, tmp_path: Path, options: list[str]) -> None:
    """The case 27-pg-source/tablespace_and_roles.sql and more, on all tables of the demonstration pack."""
    folder = tmp_path / "tablespace"
    folder.mkdir()
    os.chown(folder, *_server_ids())
    tmp_path.chmod(0o755)
    run(server, "postgres", "CREATE DATABASE hospital TEMPLATE care")
    run(server, "postgres", "CREATE ROLE reader_essai; CREATE ROLE owner_essai")
    run(server, "postgres", f"CREATE TABLESPACE ts_essai LOCATION '{folder}'")
    try:
        run(server, "hospital", CASE_27)
        dump = pg_dump(server, "hospital", tmp_path / "DATA2023", *options)
    finally:
        run(server, "hospital", "DROP SUBSCRIPTION IF EXISTS sub_essai")
        server.drop_database("hospital")
        run(server, "postgres", "DROP TABLESPACE ts_essai")
        run(server, "postgres", "DROP ROLE reader_essai; DROP ROLE owner_essai")
    # An extension that is not installed here: a name of the same length.
    for file in dump.iterdir() if dump.is_dir() else [dump]:
        file.write_bytes(file.read_bytes().replace(b"vector", b"victor"))
    (warning,) = server.restore(dump, "restored")
    assert warning == (
        "DATA2023: all tables are restored with their rows; not restored, and not needed to read them: "
        "event triggers: watch; extensions: victor; policies: voit_peu; publications: pub_essai; "
        "roles: owner_essai, reader_essai; row-level security: public.Patient; subscriptions: sub_essai; "
        "tablespaces: ts_essai"
    )
    tables = [name for (name,) in run(server, "care", "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert len(tables) == 13
    for name in tables:
        query = f'SELECT count(*), sum(hashtext(t::text)) FROM "{name}" t'
        assert run(server, "restored", query) == run(server, "care", query)
    # The reader of the platform sees every row.
    connection = psycopg2.connect(server.url("restored", DUMP_ROLE))
    with connection, connection.cursor() as cursor:
        cursor.execute('SET row_security = off; SELECT count(*) FROM "Patient"')
        assert cursor.fetchall() == run(server, "care", 'SELECT count(*) FROM "Patient"')
    connection.close()
    server.drop_database("restored")


HEADER: Final = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped by pg_dump version {version}\n\n"
END: Final = "\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n"


def script(folder: Path, text: str | bytes, version: str = "17.6") -> Path:
    """A dump in plain SQL with the header and the end of pg_dump."""
    target = folder / "DATA2023"
    body = text if isinstance(text, bytes) else text.encode()
    target.write_bytes(HEADER.format(version=version).encode() + b"\\restrict x\n" + body + END.encode())
    return target


PLACES: Final = """
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;
CREATE COLLATION public.francais (provider = icu, locale = 'fr-FR', deterministic = false);
CREATE TABLE public.places (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    name public.citext COLLATE public.francais NOT NULL,
    town text COLLATE pg_catalog."fr_FR.utf8" DEFAULT 'x, y'::text,
    "where" public.geometry(Point,4326)
)
USING columnar;
COPY public.places (id, name, town, "where") FROM stdin;
6f1f7b9a-92a5-4f0c-8f69-6a9a3a3c9b7e\tHôpital\tÉvry\t0101000020E6100000
6f1f7b9a-92a5-4f0c-8f69-6a9a3a3c9b7f\tHÔPITAL\t\\N\t\\N
\\.
ALTER TABLE ONLY public.places ALTER COLUMN town SET COMPRESSION lz4;
ALTER TABLE ONLY public.places ADD CONSTRAINT places_pkey PRIMARY KEY (id);
CREATE INDEX places_name ON public.places USING gin (name public.gin_trgm_ops);
CREATE FUNCTION public.py() RETURNS integer LANGUAGE plpython3u AS $$return 1$$;
CREATE VIEW public.near AS SELECT * FROM public.places WHERE public.st_dwithin("where", "where", 1);
CREATE SERVER other FOREIGN DATA WRAPPER oracle_fdw;
CREATE FOREIGN TABLE public.far (id integer) SERVER other;
SET unknown_setting = on;
"""


def test_what_a_table_can_do_without(
    server: EmbeddedPostgres, tmp_path: Path, restored: Callable[[Path], list[str]]
) -> None:
    """Types, collations, defaults and indexes of extensions that are not here: the rows are the same."""
    (warning,) = restored(script(tmp_path, PLACES))
    assert warning.partition("needed to read them: ")[2] == (
        "collations: public.francais; extensions: citext, postgis, uuid-ossp; "
        "foreign servers and tables: other, public.far; functions: public.py; indexes: places_name; "
        "settings of tables: public.places; types that are read as text: public.citext, public.geometry; "
        "views: public.near"
    )
    assert run(server, "restored", 'SELECT name::text, town, "where"::text FROM public.places ORDER BY id') == [
        ("Hôpital", "Évry", "0101000020E6100000"),
        ("HÔPITAL", None, None),
    ]


TABLE: Final = "CREATE TABLE t (a text);\n"
NUMBERS: Final = "CREATE TABLE t (a int);\n"
COMMENTS: Final = "-- a comment\n" * 400
TWICE: Final = "INSERT INTO t VALUES ('CANARI'), ('CANARI');\nALTER TABLE ONLY t ADD CONSTRAINT p PRIMARY KEY (a);"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{NUMBERS}COPY t (a) FROM stdin;\n1\nCANARI\n\\.\n", "the rows of t, row 2, column a: invalid input syntax"),
        (f"{NUMBERS}COPY t (a) FROM stdin;\n1\tCANARI\n\\.\n", "the rows of t, row 1: extra data"),
        (f"{NUMBERS}INSERT INTO t VALUES (1);\nINSERT INTO t VALUES ('CANARI');", "the rows of t: invalid input"),
        (f"{NUMBERS}INSERT INTO u VALUES ('CANARI');", 'the rows of u: relation "u" does not exist'),
        (f"{TABLE}{TWICE}", "ALTER TABLE t: could not create unique index"),
        ("CREATE TABLE t (a public.citext);\nINSERT INTO t VALUES ('CANARI');", "CREATE TABLE t: type .* not exist"),
        (f"{TABLE}{TABLE}", 'CREATE TABLE t: relation "t" already exists'),
        (f"{TABLE}INSERT INTO t VALUES 'CANARI;", "ends in the middle of a statement"),
        (f"BEGIN;\n{TABLE}INSERT INTO t VALUES ('CANARI');", "begins a transaction"),
        (f"{TABLE}{COMMENTS}INSERT INTO t VALUES ('CANARI\0');", "contains a zero byte"),
        (f"{TABLE}SELECT 'CANARI'::integer;", "a statement: invalid input syntax for type integer"),
        (f"\\connect a\n{TABLE}\\connect b\nCREATE TABLE u (a int);", r"several databases \(also b\)"),
        (
            f"SET row_security = on;\n{TABLE}ALTER TABLE t ENABLE ROW LEVEL SECURITY;",
            "pg_dump --enable-row-security` and may lack rows of t: ask",
        ),
        (f"SET client_encoding = 'KLINGON';\n{TABLE}", "invalid value for parameter"),
    ],
)
def test_no_row_is_lost_in_silence(tmp_path: Path, text: str, message: str, run_script: Callable[[Path], None]) -> None:
    with pytest.raises(ChuError, match=message) as raised:
        run_script(script(tmp_path, text))
    assert "CANARI" not in str(raised.value) and "\n" not in str(raised.value)


HOSTILE: Final = {
    "a program of psql": "\\! touch {mark}\n",
    "psql reads from a program": "\\copy t from program 'touch {mark}'\n",
    "psql writes to a program": "\\o | touch {mark}\n",
    "psql behind a query": "SELECT 1 \\g | touch {mark}\n",
    "psql runs what a query gives": "SELECT 'SELECT 1' \\gexec\n",
    "psql reads a file": "\\i {mark}.sql\n",
    "psql sets a variable from a program": "\\set x `touch {mark}`\n\\if :x\n\\endif\n",
    "the server reads from a program": "COPY t FROM PROGRAM 'touch {mark}';\n",
    "the server writes to a program": "COPY t TO PROGRAM 'touch {mark}';\n",
    "the server reads a file": "COPY t FROM '/etc/passwd';\n",
    "the server writes a file": "COPY t TO '{mark}';\n",
    "in a block": "DO $$ BEGIN EXECUTE 'COPY t FROM PROGRAM ''touch {mark}'''; END $$;\n",
    "in a trigger": """CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN COPY t FROM PROGRAM 'touch {mark}'; RETURN NEW; END $$;
        CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO t VALUES ('a');\n""",
    "a function of the system": "SELECT pg_read_file('/etc/passwd');\n",
    "a large object": "SELECT lo_import('/etc/passwd');\n",
    "the configuration": "ALTER SYSTEM SET archive_command = 'touch {mark}';\n",
    "another role": "DO $$ BEGIN EXECUTE 'SET ROLE chu'; END $$;\n",
    "more rights": "DO $$ BEGIN EXECUTE 'ALTER ROLE chu_dump SUPERUSER'; END $$;\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_dump_runs_no_program(tmp_path: Path, name: str, run_script: Callable[[Path], None]) -> None:
    mark = tmp_path / "it ran"
    tmp_path.chmod(0o777)
    dump = script(tmp_path, "CREATE TABLE t (a text);\n" + HOSTILE[name].replace("{mark}", str(mark)))
    with pytest.raises(ChuError, match=r"(which is not run|permission denied|must)"):
        run_script(dump)
    assert not mark.exists()


def test_what_a_dump_leaves_behind_runs_no_program(
    server: EmbeddedPostgres, tmp_path: Path, restored: Callable[[Path], list[str]]
) -> None:
    """Functions in C are not created; a view with a function is read without rights, and roles are not changed."""
    mark = tmp_path / "it ran"
    tmp_path.chmod(0o777)
    dump = script(
        tmp_path,
        f"""CREATE TABLE public.t (a text); INSERT INTO public.t VALUES ('a');
        ALTER ROLE chu_dump SUPERUSER; SET SESSION AUTHORIZATION chu; SET ROLE chu;
        CREATE FUNCTION public.c() RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'system';
        CREATE FUNCTION public.f(text) RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN COPY public.t FROM PROGRAM 'touch {mark}'; RETURN $1; END $$;
        CREATE VIEW public."Patient" AS SELECT public.f(a) AS a FROM public.t;\n""",
    )
    (warning,) = restored(dump)
    assert "functions: public.c" in warning
    url = SecretStr(server.url("restored", DUMP_ROLE))
    database = CareDatabase(Settings(_env_file=None, home=tmp_path, postgres_url=url), lambda _: None)
    try:
        with pytest.raises(ChuError, match="may not read it"):
            list(database.stream("Patient", database.columns("Patient")))
    finally:
        database.close()
    assert not mark.exists()


def test_a_dump_of_a_newer_version(
    server: EmbeddedPostgres, tmp_path: Path, restored: Callable[[Path], list[str]]
) -> None:
    version = subprocess.run([_binary("pg_dump"), "--version"], capture_output=True, check=True).stdout.split()[2]
    newer = b"19" + version[2:]
    asked = rf"written by pg_dump {newer.decode()}, and PostgreSQL 18 restores it here: ask for it in plain SQL"
    for archive_format in ("custom", "directory", "tar"):
        dump = pg_dump(server, "formats", tmp_path / archive_format, f"--format={archive_format}")
        file = dump / "toc.dat" if dump.is_dir() else dump
        content = file.read_bytes()
        at = content.index(b"PGDMP")
        assert content.index(version) < 1000
        changed = content[: at + 6] + b"\x63" + content[at + 7 :]
        file.write_bytes(changed.replace(version, newer, 2))
        with pytest.raises(ChuError, match=rf"could not be restored: .*unsupported version.*{asked}"):
            restored(dump)
        # An archive that does not say which version wrote it, also compressed.
        file.write_bytes(changed)
        unknown = [dump]
        if not dump.is_dir():
            unknown.append(tmp_path / f"{archive_format}.gz")
            unknown[-1].write_bytes(gzip.compress(changed))
        for other in unknown:
            with pytest.raises(
                ChuError, match=r"unsupported version .*another version of pg_dump.*server and pg_dump up to 18"
            ):
                restored(other)
    plain = script(tmp_path, "CREATE TABLE t (a int) WITH A NEW CLAUSE;", newer.decode())
    with pytest.raises(ChuError, match=rf"CREATE TABLE t: .*{asked}"):
        restored(plain)
    # What is understood is restored.
    assert restored(script(tmp_path, "SET new_setting = 0;\nCREATE TABLE t (a int);", newer.decode())) == []


def test_a_compression_that_is_not_here(
    server: EmbeddedPostgres, tmp_path: Path, restored: Callable[[Path], list[str]]
) -> None:
    dump = pg_dump(server, "formats", tmp_path / "DATA2023", "--format=custom")
    content = bytearray(dump.read_bytes())
    assert content[11] == 1, "gzip"
    content[11] = 3  # zstd
    dump.write_bytes(content)
    with pytest.raises(ChuError, match=r"does not support compression.*; ask for it with `pg_dump --compress=gzip`"):
        restored(dump)


def test_strings_of_an_old_dump(
    server: EmbeddedPostgres, tmp_path: Path, restored: Callable[[Path], list[str]]
) -> None:
    """Before PostgreSQL 9.1, a backslash was an escape in every string."""
    text = """SET standard_conforming_strings = off; CREATE TABLE t (a text);
        INSERT INTO t VALUES ('l\\'hôpital; a'), (E'\\\\');
        SET standard_conforming_strings = on;
        INSERT INTO t VALUES ('\\'), ('b;');"""
    assert restored(script(tmp_path, text)) == []
    assert run(server, "restored", "SELECT a FROM t ORDER BY 1") == [("\\",), ("\\",), ("b;",), ("l'hôpital; a",)]


def test_a_dump_of_a_whole_server(tmp_path: Path, restored: Callable[[Path], list[str]]) -> None:
    """As pg_dumpall writes it: roles with passwords, then each database, of which one has tables."""
    part = HEADER.format(version="17.6")
    cluster = (
        "--\n-- PostgreSQL database cluster dump\n--\nCREATE ROLE nurse;\n"
        "ALTER ROLE nurse WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:CANARI';\n\\connect template1\n"
        f"{part}{END}\\connect care\n{part}CREATE TABLE t (a int);\n{END}"
    )
    complete = "\n--\n-- PostgreSQL database cluster dump complete\n--\n"
    dump = tmp_path / "DATA2023"
    dump.write_text(cluster)
    with pytest.raises(ChuError, match="the end mark of pg_dump is missing"):
        restored(dump)
    dump.write_text(cluster + complete)
    (warning,) = restored(dump)
    assert warning.endswith("needed to read them: roles: nurse")


def test_part_of_a_directory_dump(
    server: EmbeddedPostgres, tmp_path: Path, restored: Callable[[Path], list[str]]
) -> None:
    folder = pg_dump(server, "formats", tmp_path / "folder", "--format=directory")
    alone = shutil.copy(folder / "toc.dat", tmp_path / "DATA2023")
    with pytest.raises(ChuError, match="only the table of contents of a directory dump: deliver the whole folder"):
        restored(Path(alone))
    both = tmp_path / "both"
    both.mkdir()
    for name in ("one", "two"):
        (both / name).write_bytes(b"CREATE TABLE t (a int);")
    with pytest.raises(ChuError, match="an archive of 2 files, and not of one dump"):
        restored(in_tar(both))
