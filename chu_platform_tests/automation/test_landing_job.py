"""Copying files from servers by Dagster: the sensor, the job, and the main job."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from deltalake import DeltaTable

from chu_platform.automation import landing_job
from chu_platform.automation.build_definitions import build_defs
from chu_platform.automation.landing_job import FIRST_WAIT_SECONDS, Requested, arriving_on_servers, land_files
from chu_platform.automation.main_job import run_all
from chu_platform.errors import ChuError
from chu_platform.graph.dagster_instance import open_instance
from chu_platform.graph.run_resources import RunResources
from chu_platform.landing import landing
from chu_platform_tests.landing.conftest import MOMENT, PACE, Platform, write
from chu_platform_tests.landing.servers import PASSWORD, SERVER, SftpServer

PEOPLE = "Etablissement de SANTE/professionnel_sante.csv"
HEADER = "identifiant;civilite;categorie_professionnelle;nom;prenom;commune;profession;specialite;type_identifiant"
ROWS = "11;Mme;Civil;Nom;Zoé;Lyon;Médecin;;RPPS\n12;Mme;Civil;Nom;Zoé;Lyon;Médecin;;RPPS\n"


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    secrets = tmp_path / "home" / "secrets"
    secrets.mkdir(parents=True, mode=0o700)
    (secrets / "server_password").write_text(PASSWORD, encoding="utf-8")
    return Platform(tmp_path / "home")


@pytest.fixture
def server(tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[SftpServer]:
    """A server with one delivery, and the settings of the platform in the environment."""
    started = SftpServer(write(tmp_path / "served", PEOPLE, f"{HEADER}\n{ROWS}".encode("cp1252")).parent.parent)
    platform.places["depot"] = started.place()
    monkeypatch.setenv("CHU_HOME", str(platform.home))
    monkeypatch.setenv("CHU_SOURCES", str(platform.settings.sources))
    monkeypatch.setattr(landing, "Pace", lambda: PACE)
    yield started
    started.stop()


@pytest.mark.unit
def test_the_same_files_are_requested_again_after_growing_waits() -> None:
    state = Requested()
    keys = [state.run_key(["a", "b"], now) for now in (0, 60, FIRST_WAIT_SECONDS, FIRST_WAIT_SECONDS + 60)]
    assert [key is not None for key in keys] == [True, False, True, False]
    assert len({*keys} - {None}) == 2
    assert state.run_key(["b", "a"], 3 * FIRST_WAIT_SECONDS) is not None
    # Other files are requested at once.
    assert state.run_key(["c"], 3 * FIRST_WAIT_SECONDS) is not None
    # An evaluation that is repeated gives the same key.
    again = [Requested().run_key(["a"], 0) for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.integration
def test_the_sensor_starts_one_run_for_new_files(server: SftpServer, platform: Platform) -> None:
    def tick(cursor: str | None) -> dg.SensorResult:
        with dg.build_sensor_context(cursor=cursor) as context:
            result = arriving_on_servers(context)
        assert isinstance(result, dg.SensorResult)
        return result

    seen = tick(None)
    # Nobody knows yet whether the upload has ended.
    assert seen.run_requests == []
    first = tick(seen.cursor)
    (request,) = first.run_requests or ()
    assert tick(first.cursor).run_requests == []
    platform.land()
    nothing = tick(first.cursor)
    assert nothing.run_requests == []
    assert nothing.skip_reason == dg.SkipReason("nothing new on the servers")
    write(server.folder, PEOPLE, f"{HEADER}\n{ROWS}"[:-1].encode("cp1252"), MOMENT + 60)
    (later,) = tick(tick(nothing.cursor).cursor).run_requests or ()
    assert later.run_key != request.run_key
    server.stop()
    dead = tick(nothing.cursor)
    assert "nothing listens there" in str(dead.skip_reason)
    assert PASSWORD not in f"{dead}{first}"


@pytest.mark.integration
def test_a_sensor_without_servers_does_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHU_SOURCES", str(tmp_path))
    with dg.build_sensor_context() as context:
        assert "names no servers" in str(arriving_on_servers(context))
    monkeypatch.setenv("CHU_SOURCES", str(tmp_path / "sources.toml"))
    with dg.build_sensor_context() as context:
        assert "cannot be read: No such file or directory; check CHU_SOURCES" in str(arriving_on_servers(context))


@pytest.mark.integration
def test_the_main_job_copies_first_and_makes_tables_without_a_dead_server(
    server: SftpServer, platform: Platform, capfd: pytest.CaptureFixture[str]
) -> None:
    """The register of deliveries names server and path. The run of the landing shows its failure in the UI."""
    place = server.place()
    platform.places["dead"] = {**place, "url": f"sftp://{SERVER}:1/"}
    settings = platform.settings
    lines: list[str] = []
    with RunResources(settings, lines.append) as resources, open_instance(settings) as instance:
        failed = run_all(
            resources,
            instance,
            'key:"sources/professionnel_sante" or key:"reports/delivery" or key:"reports/delivery_reading"',
            None,
            lines.append,
        )
        (run,) = instance.get_runs(dg.RunsFilter(job_name=land_files.name))
        assert run.status is dg.DagsterRunStatus.FAILURE
    assert len(failed) == 1, failed
    (failure,) = failed
    assert failure.asset == "copy_files"
    assert failure.cause.startswith(f"place dead (sftp://{SERVER}:1): connecting: nothing listens there")
    source = DeltaTable(platform.home / "lake/restricted/sources/professionnel_sante").to_pyarrow_table()
    assert len(source) == 2
    (row,) = DeltaTable(platform.home / "lake/restricted/reports/delivery").to_pyarrow_table().to_pylist()
    assert (row["path"], row["server"], row["server_path"], row["gone_at"], row["state"]) == (
        f"depot/{PEOPLE}",
        f"sftp://{SERVER}:{server.port}",
        f"/{PEOPLE}",
        None,
        "read",
    )
    everything = f"{lines}{failed}{capfd.readouterr()}"
    assert PASSWORD not in everything and "server_password" not in everything


@pytest.mark.integration
def test_a_mistake_in_the_list_ends_the_main_job(tmp_path: Path) -> None:
    platform = Platform(tmp_path, {"depot": {"url": "sftp://a@b"}})
    with (
        RunResources(platform.settings, print) as resources,
        open_instance(platform.settings) as instance,
        pytest.raises(ChuError, match=r"sources.toml, line 2: place depot: `url`: the address contains an @"),
    ):
        run_all(resources, instance, 'key:"sources/deces"', None, print)


@pytest.mark.integration
def test_the_job_says_that_there_is_nothing_to_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHU_HOME", str(tmp_path))
    monkeypatch.setattr(landing_job, "land", lambda *_: pytest.fail("one folder has no servers"))
    job = build_defs().resolve_job_def(land_files.name)
    assert job.execute_in_process().success
