"""The runs of the main job: few, named, and with a tag that they share."""

import dagster as dg
import pytest

from chu_platform.automation.jobs import MAIN_JOBS, main_job_name
from chu_platform.automation.main_job import plan_runs
from chu_platform.catalogue import catalogue
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.dagster_instance import GROUP_TAG, MAIN_JOB
from chu_platform.tables.partitions import CAMPAIGNS, DEATH_YEARS, MONTHLY
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.graph.built import repository
from chu_platform_tests.pipeline.home import Home

TABLES = [t for t in catalogue() if t.layer is not Layer.REPORTS and not t.in_editions]
NAMES = {job.name for job in MAIN_JOBS}


@pytest.mark.unit
def test_each_run_makes_what_the_tables_of_its_partition_scheme_allow() -> None:
    plan = plan_runs(TABLES)
    assert {run.partition_scheme for run in plan} == {MONTHLY, DEATH_YEARS, CAMPAIGNS}
    assert len(plan) == 3
    made: set[Table] = set()
    for run in plan:
        for table in run.tables:
            assert {*table.needs} <= made, table.folder
            made.add(table)
        assert {t.asset_scheme for t in run.tables} <= {None, run.partition_scheme}
    assert made == {*TABLES} and sum(len(run.tables) for run in plan) == len(TABLES)


@pytest.mark.unit
def test_tables_without_partitions_need_no_run_of_a_partition_scheme() -> None:
    (run,) = plan_runs([t for t in TABLES if t.layer is Layer.REFERENCES])
    assert run.partition_scheme is None


@pytest.mark.unit
def test_the_jobs_of_the_main_job_have_all_tables() -> None:
    defined = repository()
    for scheme in (None, MONTHLY, DEATH_YEARS, CAMPAIGNS):
        selected = defined.get_job(main_job_name(scheme)).asset_layer.selected_asset_keys
        wanted = [t for t in catalogue() if t.asset_scheme in (None, scheme)]
        assert selected == {key_of(made) for t in wanted for made in t.outputs}


@pytest.mark.integration
def test_the_runs_of_a_command_have_names_and_the_same_tag(made: Home) -> None:
    with made.instance() as instance:
        runs = instance.get_runs()
    assert {run.job_name for run in runs} <= NAMES and len(runs) == 5
    (group,) = {run.tags[GROUP_TAG] for run in runs}
    assert len(group) == 8


@pytest.mark.unit
def test_no_other_run_counts_as_one_of_the_main_job() -> None:
    """The release makes a new edition, unless its run is one of the main job."""
    jobs = [job.name for job in repository().get_all_jobs()]
    assert {name for name in jobs if name.startswith(MAIN_JOB)} == NAMES
    assert isinstance(repository().get_job(MAIN_JOB), dg.JobDefinition)
