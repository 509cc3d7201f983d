"""The marts on a real server: each role reads what the lake holds for it and no more, and a load is whole or not."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg2
import pytest
import yaml
from deltalake import DeltaTable

from chu_platform.access.gate import Gate
from chu_platform.access.journal import Journal
from chu_platform.automation.following import FollowingRun
from chu_platform.errors import ChuError
from chu_platform.graph.mart_asset import CHECK, KEY
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held
from chu_platform.indicators.small_cells import mask_small_cells
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.kpis.kpi_consultation_rate_by_professional import EXACT as BY_PROFESSIONAL
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.marts import load as loading
from chu_platform.marts.content import Mart, mart_tables
from chu_platform.marts.load import follow_in_marts, load_marts
from chu_platform.marts.roles import new_password
from chu_platform.marts.schema import swap_sql, view_name
from chu_platform.marts.semantics import semantic_description
from chu_platform.marts.server import embedded_answers, embedded_marts
from chu_platform.settings import Settings
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.marts.served import EXACT, NEXT_YEAR, Served, rows, settings_of, two_sites
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.ports import free_port

pytestmark = pytest.mark.integration

TABLE = EXACT.name
QUESTION = view_name(mart_tables(Mart.DIRECTORS)[0])


@pytest.fixture(scope="module")
def served(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Loaded marts, with accounts of all kinds. The server runs until the end of the module."""
    settings = settings_of(tmp_path_factory.mktemp("marts"), made.lake.root, free_port())
    with embedded_marts(settings):
        found = Served(settings, made.lake, two_sites(made.lake))
        large, small = found.sites
        found.add("head-large", Profile.HEAD, Purpose.STEERING, large)
        found.add("head-small", Profile.HEAD, Purpose.STEERING, small)
        found.add("head-both", Profile.HEAD, Purpose.STEERING, large, small)
        found.add("head-research", Profile.HEAD, Purpose.RESEARCH, large)
        found.add("clinician-small", Profile.CLINICIAN, Purpose.CARE_QUALITY, small)
        found.add("clinician-both", Profile.CLINICIAN, Purpose.CARE_QUALITY, large, small)
        found.add("practitioner", Profile.PRACTITIONER, Purpose.CARE_QUALITY, professional="0" * 32)
        for name, key in zip(("practitioner-first", "practitioner-second"), two_professionals(made), strict=True):
            found.add(name, Profile.PRACTITIONER, Purpose.CARE_QUALITY, professional=key)
        found.add("analyst", Profile.ANALYST, Purpose.RESEARCH)
        found.add("bi-server", Profile.PUBLIC, Purpose.INFORMATION)
        load_marts(settings, made.lake, lambda _: None)
        yield found


def two_professionals(made: Home) -> Sequence[str]:
    """The pseudonyms of the two professionals with the most rows in the exact table by professional."""
    counts = Counter(made.lake.arrow(BY_PROFESSIONAL, ["professional_key"])["professional_key"].to_pylist())
    return [key for key, _ in sorted(counts.items(), key=lambda found: (-found[1], found[0]))[:2]]


def same(first: Iterable[Sequence[Any]], second: Iterable[Sequence[Any]]) -> bool:
    """Whether both have the same rows, each as often."""
    return Counter(map(tuple, first)) == Counter(map(tuple, second))


def listed(served: Served, name: str) -> list[str]:
    """All relations of the marts."""
    return [f"{schema}.{table}" for schema, table in served.rows(name, RELATIONS)]


RELATIONS = f"""SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE nspname IN ({", ".join(f"'{mart}'" for mart in Mart)}) AND relkind IN ('r', 'v') ORDER BY 1, 2"""


def test_released_tables_are_those_of_the_manifest_cell_by_cell(served: Served, made: Home) -> None:
    manifest = json.loads((made.lake.root / "published" / ".edition.json").read_text("utf-8"))["tables"]
    for table in mart_tables(Mart.PUBLISHED):
        folder = table.table.folder
        delta = DeltaTable(str(made.lake.root / folder), version=manifest.get(folder)).to_pyarrow_table()
        names = [c.name for c in table.table.columns]
        columns = ", ".join(f'"{n}"' for n in names)
        found = served.rows("bi-server", f"SELECT {columns} FROM publie.{table.name}")
        assert same(found, zip(*(delta[n].to_pylist() for n in names), strict=True)), table.name


def test_heads_read_exactly_what_the_gate_gives_them(served: Served, tmp_path: Path) -> None:
    gate = Gate(served.lake, Journal(tmp_path))
    accounts = Accounts(served.settings.accounts_folder)
    columns = ", ".join(c.name for c in EXACT.columns)
    for name in ("head-large", "head-small", "head-both"):
        principal = accounts.principal(name)
        assert principal
        expected = gate.open_table(principal, EXACT)
        found = served.rows(name, f"SELECT {columns} FROM direction.{TABLE}")
        assert found and same(found, zip(*(c.to_pylist() for c in expected.columns), strict=True))
    sites = {f"F{site}" for site in served.sites}
    assert {code for (code,) in served.rows("head-both", f"SELECT DISTINCT code FROM direction.{TABLE}")} == sites
    for relation in (TABLE, "rubrique"):
        found = served.rows("head-large", f"SELECT DISTINCT code FROM direction.{relation}")
        assert found == [(f"F{served.sites[0]}",)]
    view = served.rows("head-large", f'SELECT DISTINCT "Code", "Période" FROM direction.{QUESTION}')
    assert {code for code, _ in view} == {f"F{served.sites[0]}"} and len(view) > 1


def test_clinicians_read_the_masked_rows_of_the_gate_whatever_other_sites_they_have(
    served: Served, tmp_path: Path
) -> None:
    gate = Gate(served.lake, Journal(tmp_path))
    accounts = Accounts(served.settings.accounts_folder)

    def mask(rows: Any) -> Any:
        return mask_small_cells(kpi_consultation_rate_by_establishment, rows)

    columns = ", ".join([*(c.name for c in EXACT.columns), "is_masked"])
    for name in ("clinician-small", "clinician-both"):
        principal = accounts.principal(name)
        assert principal
        expected = gate.open_table(principal, EXACT, mask_small=mask)
        found = served.rows(name, f"SELECT {columns} FROM praticiens.{TABLE}")
        assert found and same(found, zip(*(c.to_pylist() for c in expected.columns), strict=True))
        assert any(row[-1] for row in found)
    both = served.rows("clinician-both", f"SELECT {columns} FROM praticiens.{TABLE} WHERE code = 'F{served.sites[1]}'")
    assert same(both, served.rows("clinician-small", f"SELECT {columns} FROM praticiens.{TABLE}"))


def test_practitioners_read_their_own_counts_and_not_those_of_colleagues(
    served: Served, made: Home, tmp_path: Path
) -> None:
    gate = Gate(served.lake, Journal(tmp_path))
    accounts = Accounts(served.settings.accounts_folder)
    names = [c.name for c in BY_PROFESSIONAL.columns if c.name != "professional_key"]
    columns = ", ".join(names)
    read = f"SELECT {columns} FROM praticiens.{BY_PROFESSIONAL.name}"
    for name, key in zip(("practitioner-first", "practitioner-second"), two_professionals(made), strict=True):
        principal = accounts.principal(name)
        assert principal
        expected = gate.open_table(principal, BY_PROFESSIONAL).select(names)
        assert {*made.lake.arrow(BY_PROFESSIONAL, ["events"], condition=f"professional_key = '{key}'").to_pydict()}
        found = served.rows(name, read)
        assert found and same(found, zip(*(c.to_pylist() for c in expected.columns), strict=True))
        (view,) = (view_name(t) for t in mart_tables(Mart.PRACTITIONERS) if t.table is BY_PROFESSIONAL)
        assert served.rows(name, f"SELECT count(*) FROM praticiens.{view}") == [(len(found),)]
        for other in ("professional_key", "*"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                served.rows(name, f"SELECT {other} FROM praticiens.{BY_PROFESSIONAL.name}")
    assert served.rows("practitioner", read) == []
    for name in ("clinician-small", "head-large", "bi-server"):
        try:
            assert served.rows(name, read) == []
        except psycopg2.errors.InsufficientPrivilege:
            continue
    with served.owner() as connection:
        loaded = rows(connection, f"SELECT DISTINCT professional_key FROM praticiens.{BY_PROFESSIONAL.name} ORDER BY 1")
    assert loaded == [(key,) for key in sorted(two_professionals(made))]


@pytest.mark.parametrize(
    "name", ["bi-server", "head-research", "analyst", "practitioner", "head-large", "clinician-small"]
)
def test_every_other_relation_is_denied_or_empty(served: Served, name: str) -> None:
    """A connection of several people reads released figures only; so does a purpose or profile without a mart."""
    own = {"head-large": "direction.", "clinician-small": "praticiens.", "practitioner": "praticiens.periode"}.get(name)
    of_professionals = {
        f"praticiens.{found}"
        for table in mart_tables(Mart.PRACTITIONERS)
        if table.of_professionals
        for found in (table.name, view_name(table))
    }
    with served.as_(name) as connection:
        for relation in listed(served, name):
            is_own = own is not None and relation.startswith(own) and relation not in of_professionals
            if is_own or relation.startswith("publie."):
                assert rows(connection, f"SELECT count(*) FROM {relation}") is not None
                continue
            try:
                found = rows(connection, f"SELECT * FROM {relation}")
            except psycopg2.errors.InsufficientPrivilege:
                continue
            assert found == [], relation


def test_nothing_else_is_open_to_a_login(served: Served) -> None:
    large, small = served.sites
    attempts = [
        "SELECT * FROM acces.tenu",
        "SELECT * FROM acces.chargement",
        f"UPDATE acces.tenu SET cles = ARRAY['F{small}']",
        "SET ROLE chu",
        'SET ROLE "head-small"',
        'SET ROLE "chu:clinician"',
        f'SET ROLE "chu:head"; SELECT * FROM direction.{TABLE}',
        "SET SESSION AUTHORIZATION 'head-small'",
        "SET ROLE none; CREATE TABLE publie.x (a int)",
        "CREATE TABLE public.x (a int)",
        "CREATE TEMP TABLE x (a int)",
        "CREATE SCHEMA x",
        "CREATE ROLE x",
        f"SET row_security = off; SELECT * FROM direction.{TABLE}",
        f"ALTER TABLE direction.{TABLE} DISABLE ROW LEVEL SECURITY",
        f"CREATE POLICY open ON direction.{TABLE} USING (true)",
        f"DELETE FROM direction.{TABLE}",
        "SELECT lo_create(0)",
        "SELECT pg_read_file('postgresql.conf')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_ls_dir('.')",
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_statistic",
        'ALTER ROLE "head-large" SUPERUSER',
        'GRANT "chu:clinician" TO "head-large"',
    ]
    for attempt in attempts:
        with served.as_("head-large") as connection, pytest.raises(psycopg2.Error):
            rows(connection, f"SET default_transaction_read_only = off; {attempt}; SELECT 1")
    for database in ("postgres", "template1"):
        with (
            pytest.raises(psycopg2.OperationalError, match="permission denied for database"),
            served.as_("head-large", dbname=database),
        ):
            pass
    with (
        pytest.raises(psycopg2.OperationalError, match="authentication failed"),
        served.as_("head-small", password=served.passwords["head-large"]),
    ):
        pass
    # Statistics, and conditions that fail for a row, tell it nothing of another site.
    with served.as_("head-large") as connection:
        assert (
            rows(connection, f"SELECT * FROM pg_stats WHERE tablename = '{TABLE}' AND schemaname = 'direction'") == []
        )
        assert rows(
            connection,
            f"SELECT count(*) FROM direction.{TABLE} WHERE 1 / (CASE code WHEN 'F{small}' THEN 0 ELSE 1 END) = 0",
        ) == [(0,)]
        assert rows(connection, "SELECT acces.cles('head', 'steering')") == [([f"F{large}"],)]


def test_the_schemas_are_complete_and_closed(served: Served) -> None:
    with served.owner() as connection:
        without_comment = """SELECT n.nspname, c.relname, a.attname
            FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum >= 0 AND NOT a.attisdropped
            WHERE n.nspname IN ('publie', 'direction', 'praticiens') AND relkind IN ('r', 'v')
                AND col_description(c.oid, a.attnum) IS NULL"""
        assert rows(connection, without_comment) == []
        open_views = """SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE relkind = 'v' AND nspname IN ('publie', 'direction', 'praticiens')
                AND NOT coalesce(reloptions @> ARRAY['security_invoker=true'], false)"""
        assert rows(connection, open_views) == []
        unsecured = """SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE relkind = 'r' AND nspname IN ('direction', 'praticiens') AND NOT relrowsecurity"""
        assert rows(connection, unsecured) == []
        keys = """SELECT n.nspname || '.' || c.relname, confrelid::regclass::text FROM pg_constraint k
            JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE contype = 'f'"""
        found = set(rows(connection, keys))
        assert (f"direction.{TABLE}", "direction.rubrique") in found
        assert ("publie.kpi_mortality", "publie.rubrique") in found
        assert ("publie.kpi_deaths_by_region", "publie.region") in found
        views = {name for (name,) in rows(connection, "SELECT viewname FROM pg_views WHERE schemaname = 'publie'")}
        assert views == {view_name(t) for t in mart_tables(Mart.PUBLISHED) if t.indicator}


def test_what_the_semantic_description_names_can_be_asked(served: Served) -> None:
    with served.owner() as connection:
        for document in yaml.safe_load_all(semantic_description()):
            if model := document.get("semantic_model"):
                relation = model["node_relation"]
                parts = [*model["entities"], *model["dimensions"], *model.get("measures", [])]
                listed = ", ".join(part["expr"] for part in parts)
                rows(connection, f"SELECT {listed} FROM {relation['schema_name']}.{relation['alias']} LIMIT 1")
        rows(connection, "SELECT jour FROM publie.calendrier LIMIT 1")


def test_a_login_ends_with_its_account_and_with_its_grant(served: Served) -> None:
    accounts = Accounts(served.settings.accounts_folder)
    served.add("leaving", Profile.HEAD, Purpose.STEERING, served.sites[0])
    query = f"SELECT count(*) > 0 FROM direction.{TABLE}"
    with served.as_("leaving") as connection:
        assert rows(connection, query) == [(True,)]
        # A grant that is over: the connection that is open reads nothing more, without any command.
        with served.owner() as owner:
            rows(owner, "UPDATE acces.tenu SET fin = current_date - 1 WHERE compte = 'leaving' RETURNING compte")
        assert rows(connection, query) == [(False,)]
        accounts.remove("leaving")
        follow_in_marts(served.settings)
        with pytest.raises(psycopg2.Error):
            rows(connection, "SELECT 1")
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"), served.as_("leaving"):
        pass
    # A later account of that name has not the password of the former one.
    accounts.add("leaving", Held(Profile.HEAD, Purpose.STEERING, NEXT_YEAR, frozenset(served.sites)))
    assert "leaving" not in {login.name for login in follow_in_marts(served.settings)}
    with pytest.raises(ChuError, match="there is no account nobody"), served.owner() as owner:
        new_password(served.settings, owner, "nobody")
    accounts.add("chu", Held(Profile.PUBLIC, Purpose.INFORMATION, NEXT_YEAR))
    with pytest.raises(ChuError, match="reserved"), served.owner() as owner:
        new_password(served.settings, owner, "chu")


def written(logs: Path) -> str:
    """What the files of a folder say."""
    return "".join(log.read_text("utf-8", errors="replace") for log in sorted(logs.iterdir()))


def test_passwords_are_kept_nowhere_and_queries_are_logged(served: Served) -> None:
    home = Path(served.settings.home)
    file = home / "secrets" / "marts" / "logins.json"
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    served.rows("head-large", "SELECT 'question of a reader'")
    logs = home / "work" / "marts" / "data" / "log"
    end = time.monotonic() + 30
    # The server's own process writes its log, a moment later.
    while "question of a reader" not in (text := written(logs)) and time.monotonic() < end:
        time.sleep(0.1)
    assert "head-large@chu_marts" in text and "question of a reader" in text
    kept = text + file.read_text("utf-8") + (home / "work" / "marts" / "server.log").read_text("utf-8")
    assert not any(password in kept for password in served.passwords.values())
    assert "SCRAM-SHA-256" not in text and "direction__nouveau" not in text


def test_a_load_that_ends_anywhere_leaves_the_former_edition(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {relation: served.rows("bi-server", f"SELECT count(*) FROM {relation}") for relation in PUBLIC_SAMPLE}
    exact = served.rows("head-large", f"SELECT * FROM direction.{TABLE} ORDER BY 1, 2")
    real = loading._run
    parts = ("_fill", "_run", "_show", "swap_sql")

    class Ended(RuntimeError):
        pass

    def after(statements: int) -> Any:
        def run(connection: Any, given: Iterable[str]) -> None:
            real(connection, islice(iter(given), statements))
            raise Ended

        return run

    def half_of_the_swap() -> Iterator[str]:
        yield from list(swap_sql())[:3]
        raise Ended

    for part in parts:
        with monkeypatch.context() as patch:
            if part == "swap_sql":
                patch.setattr(loading, part, half_of_the_swap)
            elif part == "_run":
                patch.setattr(loading, part, after(5))
            else:

                def end(*_: Any) -> None:
                    raise Ended

                patch.setattr(loading, part, end)
            with pytest.raises(Ended):
                load_marts(served.settings, served.lake, lambda _: None, force=True)
        assert {r: served.rows("bi-server", f"SELECT count(*) FROM {r}") for r in PUBLIC_SAMPLE} == before
        assert served.rows("head-large", f"SELECT * FROM direction.{TABLE} ORDER BY 1, 2") == exact
    # One who reads the former edition is not waited for; one snapshot of both editions is an error, never empty.
    with (
        served.as_("bi-server") as reader,
        served.as_("head-large") as other,
        reader.cursor() as cursor,
        other.cursor() as snapshot,
    ):
        cursor.execute("BEGIN")
        cursor.execute("SELECT count(*) FROM publie.kpi_mortality")
        first = cursor.fetchall()
        snapshot.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        snapshot.execute("SELECT count(*) FROM publie.kpi_mortality")
        lines: list[str] = []
        loaded = load_marts(served.settings, served.lake, lines.append, force=True)
        assert len(loaded.tables) > 10 and any("somebody still reads" in line for line in lines)
        cursor.execute("SELECT count(*) FROM publie.kpi_mortality")
        assert cursor.fetchall() == first
        with pytest.raises(psycopg2.OperationalError):
            snapshot.execute("SELECT count(*) FROM publie.kpi_mortality")
    again = load_marts(served.settings, served.lake, lambda _: None)
    assert again.tables == [] and again.edition == loaded.edition
    load_marts(served.settings, served.lake, lambda _: None, force=True)
    with served.owner() as owner:
        left = rows(owner, r"SELECT nspname FROM pg_namespace WHERE nspname LIKE '%\_\_%'")
        assert left == []


PUBLIC_SAMPLE = ("publie.kpi_mortality", "publie.published_diagnosis", "publie.periode")


def test_other_cells_are_not_shown(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(table: Any, lake: Any, server: Any) -> None:
        same_cells(table, lake, server.slice(1))

    same_cells = loading._require_same
    monkeypatch.setattr(loading, "_require_same", other)
    with pytest.raises(loading.OtherCells, match="does not hold the rows of published/"):
        load_marts(served.settings, served.lake, lambda _: None, force=True)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://chu:verysecret@127.0.0.1:1/chu_marts", r"failed \(connection refused\): start it, or check"),
        ("postgresql://chu:verysecret@marts.example.org/chu_marts", "CHU_MARTS_URL leads to marts.example.org without"),
    ],
)
def test_a_server_that_is_absent_or_not_safe_is_one_clear_error(
    made: Home, tmp_path: Path, url: str, message: str
) -> None:
    settings = settings_of(tmp_path, made.lake.root, free_port(), marts_url=url)
    with pytest.raises(ChuError, match=message) as caught:
        load_marts(settings, made.lake, lambda _: None)
    assert "verysecret" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_port_that_is_taken_is_named(made: Home, tmp_path: Path, served: Served) -> None:
    settings = settings_of(tmp_path, made.lake.root, served.settings.marts_port)
    with pytest.raises(ChuError, match=r"port \d+ of 127.0.0.1 is taken: .* CHU_MARTS_PORT"):
        load_marts(settings, made.lake, lambda _: None)


def test_runs_that_follow_a_changed_table_load_the_marts_if_there_are_any() -> None:
    run = FollowingRun([EXACT], None)
    assert KEY in (run.request("key", marts=True).asset_selection or ())
    assert KEY not in (run.request("key").asset_selection or ())
    others = FollowingRun([kpi_deaths_by_region.exact], None)
    assert KEY not in (others.request("key", marts=True).asset_selection or ())


def test_the_embedded_server_runs_as_long_as_its_process(tmp_path: Path) -> None:
    """`chu serve` starts this process, and looks whether it answers."""
    settings = Settings(home=tmp_path, marts=True, marts_port=free_port())
    home = {"CHU_HOME": str(tmp_path), "CHU_MARTS": "1", "CHU_MARTS_PORT": str(settings.marts_port)}
    process = subprocess.Popen([sys.executable, "-m", "chu_platform.marts"], env=os.environ | home)
    deadline = time.monotonic() + 120
    while not embedded_answers(settings, 2):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.terminate()
    assert process.wait(60) == 130 and not embedded_answers(settings, 2)


def test_the_asset_is_skipped_visibly_and_the_commands_work(made: Home, served: Served, tmp_path: Path) -> None:
    # A home of its own with the lake, the accounts and the server of the others.
    environment = {"CHU_LAKE": str(made.lake.root), "CHU_MARTS_PORT": str(served.settings.marts_port)}
    home = Home(Path(served.settings.home), made.pack, environment)
    off = home.chu("materialize", "--select", "key:serving/marts")
    assert off.returncode == 0 and "serving/marts: skipped, CHU_MARTS is not set" in off.stdout
    refused = home.chu("marts", "status")
    assert refused.returncode == 1 and "CHU_MARTS is not set: set CHU_MARTS=1" in refused.stderr
    on = Home(home.folder, made.pack, {**environment, "CHU_MARTS": "1"})
    done = on.chu("materialize", "--select", "key:serving/marts")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"serving/marts: edition 1 of {date.today()}" in done.stdout or "is loaded already" in done.stdout
    with home.instance() as instance:
        event = instance.get_latest_materialization_event(KEY)
        assert event is not None
        checks = instance.event_log_storage.get_latest_asset_check_execution_by_key([dg.AssetCheckKey(KEY, CHECK.name)])
        assert [c.status.value for c in checks.values()] == ["SUCCEEDED"]
    status = on.chu("marts", "status")
    assert "login    head-large: public, head" in status.stdout and "edition 1 of" in status.stdout
    assert on.chu("user", "add", "new", *NEW_HEAD, served.sites[0]).returncode == 0
    given = on.chu("marts", "password", "new")
    (secret,) = [line.split()[1] for line in given.stdout.splitlines() if line.startswith("password")]
    served.passwords["new"] = secret
    assert served.rows("new", f"SELECT DISTINCT code FROM direction.{TABLE}") == [(f"F{served.sites[0]}",)]
    assert on.chu("user", "remove", "new").returncode == 0
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"), served.as_("new"):
        pass
    described = on.chu("semantics", str(tmp_path / "chu.yml"))
    assert described.returncode == 0 and (tmp_path / "chu.yml").read_text("utf-8") == semantic_description()


NEW_HEAD = ("--profile", "head", "--purpose", "steering", "--expires", str(NEXT_YEAR), "--establishment")
