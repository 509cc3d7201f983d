"""A delivery with far fewer rows is held back until it is accepted; missing and odd files concern their source only."""

import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psycopg2
import pyarrow as pa
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.catalogue import catalogue
from chu_platform.cli import app
from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import BlockingCheckFailed, run_step
from chu_platform.reports.delivery import deliveries, delivery
from chu_platform.reports.delivery_reading import delivery_reading
from chu_platform.settings import Settings
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante as activities
from chu_platform.sources.deces_insee_csv import deces_insee_csv
from chu_platform.sources.specialites import specialites
from chu_platform.storage.held_deliveries import HeldDeliveries
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table
from chu_platform_tests.facts import death_files
from chu_platform_tests.facts.death_files import ODD

pytestmark = pytest.mark.integration

NAME = "activite_professionnel_sante.csv"
DEATHS = "Deces_2019.csv"


class Platform:
    """A pack, a lake, and the steps of source tables on them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pack = folder / "pack"
        self.pack.mkdir()
        self.settings = Settings(_env_file=None, home=folder, sources=self.pack)
        self.runs = 0
        monkeypatch.setenv("CHU_HOME", str(folder))
        monkeypatch.setenv("CHU_SOURCES", str(self.pack))
        RunResources(self.settings, print).lake.prepare()

    def deliver(self, count: int, name: str = NAME, first: int = 1) -> None:
        rows = [f"{n};F{n};Salarie\n" for n in range(first, first + count)]
        (self.pack / name).parent.mkdir(parents=True, exist_ok=True)
        (self.pack / name).write_text("identifiant;identifiant_organisation;mode_exercice\n" + "".join(rows))

    def read(self, table: Table = activities) -> int:
        """Read a table; returns the number of its rows."""
        self.runs += 1
        with RunResources(self.settings, lambda _: None) as resources:
            every = table.partition_scheme.every() if table.partition_scheme else None
            return run_step(resources, table, every, f"run {self.runs}").commits[table].table_rows

    def refused(self, table: Table = activities) -> str:
        """Read a table, which must fail and leave its version; returns the message."""
        lake = RunResources(self.settings, print).lake
        before = lake.version(table)
        with pytest.raises(BlockingCheckFailed) as failure:
            self.read(table)
        assert lake.version(table) == before
        return str(failure.value)

    def accept(self, *arguments: str) -> str:
        done = CliRunner().invoke(app, ["accept", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    def refuses_to_accept(self, source: str) -> str:
        """`chu accept` must fail; returns the message."""
        done = CliRunner().invoke(app, ["accept", source])
        assert isinstance(done.exception, ChuError), done.output
        return str(done.exception)


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    return Platform(tmp_path, monkeypatch)


def test_a_list_of_withdrawals_that_lost_rows_is_held_back(platform: Platform) -> None:
    """It would publish the deaths that it does not name any more. A new list may have fewer rows and another name."""

    def listed(rows: int, name: str) -> None:
        lines = [f'"199001{n:02}";"69381";"{n}"\n' for n in range(1, rows + 1)]
        (platform.pack / name).write_text('"datedeces";"lieudeces";"actedeces"\n' + "".join(lines))

    death_files.write_csv(platform.pack / "deaths", ODD[:1])
    first, second = "fichier-opposition-deces-2026-01.csv", "fichier-opposition-deces-2026-02.csv"
    listed(20, first)
    assert platform.read(deces_insee_csv) == 1
    (platform.pack / first).unlink()
    assert f"{first}, which had 20 rows, is not delivered any more" in platform.refused(deces_insee_csv)
    listed(19, second)
    assert platform.read(deces_insee_csv) == 1
    listed(0, second)
    # As at the last commit: the list with one row less has changed no row, so that nothing was committed.
    assert f"{second} has 0 rows, 20 before" in platform.refused(deces_insee_csv)
    platform.accept("deces_insee_csv")
    assert platform.read(deces_insee_csv) == 1


def test_a_shrunk_file_is_held_back_until_it_is_accepted(platform: Platform) -> None:
    platform.deliver(40)
    assert platform.read() == 40
    platform.deliver(19)
    message = platform.refused()
    assert f"1 files break it; nothing was committed, the last version stays; {NAME} has 19 rows, 40 before" in message
    assert "`chu accept activite_professionnel_sante`, then run again" in message
    assert "activite_professionnel_sante: held back since 20" in platform.accept()
    assert f"{NAME} has 19 rows, 40 before" in platform.accept("activite_professionnel_sante")
    # Another delivery that is small too is not the accepted one.
    platform.deliver(18)
    assert "has 18 rows, 40 before" in platform.refused()
    platform.deliver(19)
    assert platform.read() == 19
    assert platform.accept() == "no delivery is held back\n"
    commit = RunResources(platform.settings, print).lake.provenance(activities)
    ((name, before, by),) = [(a["name"], a["rows_before"], a["by"]) for a in commit["accepted"]]
    assert (name, before) == (NAME, 40)
    assert by.endswith(f"@{os.uname().nodename}")
    # The same fall, from the same to the same delivery, needs another acceptance.
    platform.deliver(40)
    assert platform.read() == 40
    platform.deliver(19)
    assert "has 19 rows, 40 before" in platform.refused()


def test_a_delivery_that_was_completed_is_not_held_back_any_more(platform: Platform) -> None:
    platform.deliver(40)
    platform.read()
    platform.deliver(19)
    platform.refused()
    platform.deliver(40)
    # No run has seen it yet.
    assert platform.accept() == "no delivery is held back\n"
    message = "is not there any more (activite_professionnel_sante.csv has 19 rows, 40 before): it was completed"
    assert message in platform.refuses_to_accept("activite_professionnel_sante")
    deliveries = HeldDeliveries(Lake(platform.settings.lake_folder))
    assert deliveries.held()
    assert platform.read() == 40
    assert deliveries.held() == [] == deliveries.acceptances()
    assert "no delivery of 'activite_professionnel_sante' is held back" in platform.refuses_to_accept(
        "activite_professionnel_sante"
    )
    # Another truncated delivery cannot be accepted before it was read.
    platform.deliver(19)
    platform.refused()
    platform.deliver(18)
    assert platform.accept() == "no delivery is held back\n"
    platform.refuses_to_accept("activite_professionnel_sante")
    assert "has 18 rows, 40 before" in platform.refused()
    assert "has 18 rows, 40 before" in platform.accept()


def test_an_acceptance_is_over_when_the_delivery_is_whole_again(platform: Platform) -> None:
    platform.deliver(40)
    platform.read()
    platform.deliver(19)
    platform.refused()
    platform.accept("activite_professionnel_sante")
    platform.deliver(40)
    assert platform.read() == 40
    platform.deliver(19)
    assert "has 19 rows, 40 before" in platform.refused()


def test_a_file_that_is_back_is_not_held_back_any_more(platform: Platform) -> None:
    death_files.write_csv(platform.pack / "new", ODD)
    platform.deliver(5)
    platform.read(deces_insee_csv)
    away = [f.rename(platform.pack.parent / f.name) for f in [*(platform.pack / "new").iterdir()]]
    assert "new is an empty folder that is perhaps not mounted" in platform.refused(deces_insee_csv)
    assert "deces_insee_csv: held back" in platform.accept()
    (platform.pack / "new").rmdir()
    assert "new is gone, a folder that is perhaps not mounted" in platform.refused(deces_insee_csv)
    (platform.pack / "new").mkdir()
    for file in away:
        file.rename(platform.pack / "new" / file.name)
    assert platform.accept() == "no delivery is held back\n"
    assert "is not there any more" in platform.refuses_to_accept("deces_insee_csv")


def test_the_register_says_who_accepted_a_delivery(platform: Platform) -> None:
    none = {t: t.schema.empty_table() for t in (delivery, delivery_reading)}

    def registered(before: pa.Table) -> pa.Table:
        instance = dg.DagsterInstance.ephemeral()
        return deliveries(platform.settings, instance, catalogue(), none[delivery_reading], before)

    platform.deliver(40)
    platform.read()
    first = registered(none[delivery])
    platform.deliver(1)
    platform.refused()
    platform.accept("sources/activite_professionnel_sante")
    second = registered(first)
    found = {(r["bytes"] < 100, r["present"]): r["accepted_by"] for r in second.to_pylist()}
    assert found[False, False] is None
    assert found[True, True].endswith(f"@{os.uname().nodename}")
    platform.read()
    (platform.pack / NAME).unlink()
    assert [r["accepted_at"] for r in registered(second).to_pylist()] == second["accepted_at"].to_pylist()


def vanish(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def dangle(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.with_name("nowhere"))


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (vanish, "is not delivered any more; if"),
        (empty, f"is not delivered any more ({DEATHS} is empty (0 bytes), ask for it again); if"),
        (dangle, f"is not delivered any more ({DEATHS} is a link to nothing); if"),
        (pipe, f"is not delivered any more ({DEATHS} is a pipe or a device, not a file); if"),
    ],
)
def test_an_optional_file_may_not_vanish(platform: Platform, change: Callable[[Path], None], cause: str) -> None:
    assert platform.read(deces_insee_csv) == 0, "it was never delivered"
    death_files.write_csv(platform.pack / "new", ODD)
    (platform.pack / "new" / DEATHS).rename(platform.pack / DEATHS)
    for other in (platform.pack / "new").iterdir():
        other.unlink()
    count = platform.read(deces_insee_csv)
    assert count > 0
    platform.deliver(5)
    change(platform.pack / DEATHS)
    assert f"{DEATHS}, which had {count} rows, {cause}" in platform.refused(deces_insee_csv)
    assert platform.read() == 5, "other sources are read"
    if change is vanish:
        platform.accept("deces_insee_csv")
        assert platform.read(deces_insee_csv) == 0


def test_an_unmounted_folder_empties_nothing(platform: Platform) -> None:
    """As in the issue laurent22/joplin#961, where all notes were deleted when the folder was unmounted."""
    death_files.write_csv(platform.pack / "new", ODD)
    platform.deliver(5)
    platform.read()
    platform.read(deces_insee_csv)
    mounted = platform.pack.rename(platform.pack.with_name("mounted"))
    platform.pack.mkdir()
    assert "(the folder is empty: is it mounted?)" in platform.refused(deces_insee_csv)
    with pytest.raises(ChuError, match=r"in the pack .*: the folder is empty: is it mounted\?"):
        platform.read()
    platform.pack.rmdir()
    mounted.rename(platform.pack)
    assert platform.read() == 5


def test_a_database_table_that_has_shrunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: EmbeddedPostgres
) -> None:
    """No two snapshots of a server are equal: an acceptance holds as long as the table does not shrink further."""
    platform = Platform(tmp_path, monkeypatch)
    postgres.create_database("shrunk")
    url = postgres.url("shrunk")
    monkeypatch.setenv("CHU_POSTGRES_URL", url)
    platform.settings = Settings(_env_file=None, home=tmp_path, sources=platform.pack, postgres_url=SecretStr(url))

    def fill(count: int) -> None:
        connection = psycopg2.connect(url)
        with connection, connection.cursor() as cursor:
            cursor.execute('DROP TABLE IF EXISTS "Specialites"')
            numbers = f"generate_series(1, {count}) i"
            columns = 'i::text "Code_specialite", \'f\' "Fonction", \'s\' || i "Specialite"'
            cursor.execute(f'CREATE TABLE "Specialites" AS SELECT {columns} FROM {numbers}')
        connection.close()

    fill(0)
    with pytest.raises(BlockingCheckFailed, match='PostgreSQL table "Specialites" has no rows; if'):
        platform.read(specialites)
    fill(30)
    assert platform.read(specialites) == 30
    fill(20)
    assert 'PostgreSQL table "Specialites" has 20 rows, 30 before' in platform.refused(specialites)
    # Rows were added: it has shrunk no more, or less than before. Or it has shrunk further.
    for rows, is_held in ((30, False), (27, False), (26, True), (20, True), (19, False)):
        fill(rows)
        assert platform.accept().startswith("Specialites: held back") is is_held, rows
    assert "is not there any more" in platform.refuses_to_accept("Specialites")
    fill(20)
    platform.accept("Specialites")
    fill(19)
    assert "has 19 rows, 30 before" in platform.refused(specialites)
    fill(21)
    assert platform.read(specialites) == 21
    fill(10)
    assert "has 10 rows, 21 before" in platform.refused(specialites)


def test_a_file_may_move_and_be_replaced(platform: Platform) -> None:
    platform.deliver(40)
    platform.read()
    (platform.pack / NAME).unlink()
    platform.deliver(38, f"other folder/{NAME.upper()}")
    assert platform.read() == 38


def test_a_wrong_checksum_is_refused(platform: Platform) -> None:
    platform.deliver(5)
    (platform.pack / f"{NAME}.sha256").write_text("0" * 64 + f"  {NAME}\n")
    with pytest.raises(ChuError, match=f"{NAME} does not have the checksum in {NAME}.sha256"):
        platform.read()
    (platform.pack / f"{NAME}.sha256").unlink()
    assert platform.read() == 5
