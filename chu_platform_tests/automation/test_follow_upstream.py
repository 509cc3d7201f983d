"""What the daemon makes after a change, and that it makes nothing without one: the sensors on a real lake."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg
import pytest

from chu_platform.automation.arriving_files import reading_units, with_what_follows
from chu_platform.automation.following import first_run, following_job_name
from chu_platform.automation.jobs import reading_job_name
from chu_platform.catalogue import catalogue
from chu_platform.facts.fact_death import fact_death
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import RUN_RESOURCES, asset_of
from chu_platform.graph.outdated import followers
from chu_platform.graph.run_resources import RunResources
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.references.region import region
from chu_platform.settings import Settings
from chu_platform.sources.deces import deces
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.partitions import DEATH_YEARS, MONTHLY, PARTITION_SCHEMES
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.graph.built import repository
from chu_platform_tests.pipeline.home import Home

DEATHS = kpi_deaths_by_region.exact


def needing(*sources: Table) -> list[Table]:
    """The tables that follow from others and need one of these, directly or not, sorted by dependency."""
    found = [*sources]
    for table in followers():
        if any(n in found for n in table.needs):
            found.append(table)
    return found


@pytest.mark.unit
def test_what_follows_from_stays_is_one_run() -> None:
    tables = needing(hospitalisations)
    run = first_run(tables)
    assert run.partition_scheme is MONTHLY
    # Tables that are masked together with stays; others only need a dimension that is made of stays too.
    assert stay_mask.table in run.tables
    assert {t for t in tables if stay_mask.table in needing(t)} <= {*run.tables}
    assert run.tables == [t for t in tables if t in run.tables], "in the order of dependency"
    request = run.request("a key")
    assert request.job_name == following_job_name(MONTHLY)
    assert request.tags == {
        "dagster/asset_partition_range_start": MONTHLY.keys[0],
        "dagster/asset_partition_range_end": MONTHLY.keys[-1],
    }


@pytest.mark.unit
def test_tables_of_another_partition_scheme_are_left_for_the_next_run() -> None:
    tables = [t for t in catalogue() if t in needing(hospitalisations) or t in needing(deces)]
    run = first_run(tables)
    left = [t for t in tables if t not in run.tables]
    assert {deces, fact_death, DEATHS} <= {*left}
    deaths = first_run([t for t in left if t in needing(deces)])
    assert deaths.partition_scheme is DEATH_YEARS and {deces, fact_death, DEATHS} <= {*deaths.tables}


@pytest.mark.unit
@pytest.mark.parametrize("partition_scheme", [None, *PARTITION_SCHEMES])
def test_no_job_of_the_daemon_makes_an_edition(partition_scheme: None) -> None:
    selected = repository().get_job(following_job_name(partition_scheme)).asset_layer.selected_asset_keys
    assert not {key_of(t) for t in catalogue() if t.in_editions} & selected
    assert {key_of(t) for t in catalogue() if t.layer is Layer.REPORTS} < selected


class Platform:
    """A copy of the made lake with its Dagster instance, and the sensors of the daemon."""

    def __init__(self, home: Home, instance: dg.DagsterInstance) -> None:
        self.home, self.instance = home, instance
        self.settings = Settings(_env_file=None, home=home.folder, sources=home.pack)

    def tick(self) -> Sequence[dg.RunRequest] | str:
        """The request of the sensor in its first evaluation, or why there is none."""
        context = dg.build_sensor_context(instance=self.instance, repository_def=repository())
        data = repository().get_sensor_def("follow_upstream").evaluate_tick(context)
        return data.run_requests or str(data.skip_message)

    def make(self, table: Table) -> None:
        """Make a table in a run, as *Materialize* of the UI does."""
        with RunResources(self.settings, lambda _: None) as resources:
            done = dg.materialize(
                [asset_of(table)],
                resources={RUN_RESOURCES: resources},
                instance=self.instance,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        assert done.success


@pytest.fixture
def platform(made: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    shutil.copytree(made.pack, tmp_path / "pack")
    home = made.copy(tmp_path / "home", tmp_path / "pack")
    monkeypatch.setenv("CHU_HOME", str(home.folder))
    monkeypatch.setenv("CHU_SOURCES", str(home.pack))
    with home.instance() as instance:
        yield Platform(home, instance)


@pytest.mark.integration
def test_an_unchanged_table_starts_nothing(platform: Platform) -> None:
    assert platform.tick() == "no table is older than its inputs"
    platform.make(region)
    assert platform.tick() == "no table is older than its inputs"


@pytest.mark.integration
def test_a_corrected_file_starts_one_run_of_all_that_follows(platform: Platform) -> None:
    (unit,) = [u for u in reading_units(platform.settings) if u.name == hospitalisations.name]
    reading = dg.RunRequest(f"{unit.name}:hash:1", job_name=reading_job_name(MONTHLY))

    def request() -> dg.RunRequest:
        return with_what_follows(reading, platform.settings, platform.instance, [unit])

    asked = request()
    assert (asked.run_key, asked.job_name) == (reading.run_key, following_job_name(MONTHLY))
    follow = needing(hospitalisations)
    together = first_run(follow).tables
    assert stay_mask.table in together
    # The last run of all that follows also makes the reports.
    reports = [t for t in catalogue() if t.layer is Layer.REPORTS] if len(together) == len(follow) else []
    assert asked.asset_selection == [key_of(made) for t in (*together, *reports) for made in t.outputs]
    # While another run may write, the reading is a run of its own.
    platform.instance.create_run_for_job(repository().get_job("maintenance"), status=dg.DagsterRunStatus.STARTED)
    assert request() == reading
