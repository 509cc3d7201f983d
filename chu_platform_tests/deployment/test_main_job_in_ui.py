"""What the UI shows of the runs of the main job, by the GraphQL of a running webserver."""

import pytest

from chu_platform.automation.jobs import MAIN_JOBS
from chu_platform.graph.dagster_instance import GROUP_TAG, MAIN_JOB
from chu_platform_tests.deployment.webservers import Webserver

pytestmark = pytest.mark.integration

NAMES = {job.name for job in MAIN_JOBS}
FAILED_RUNS = """
{ runsOrError(filter: {statuses: [FAILURE]}, limit: 1) {
    ... on Runs { results {
        runId jobName tags { key value } repositoryOrigin { repositoryName repositoryLocationName } } } } }
"""
RUNS_OF_GROUP = """query($tag: ExecutionTag!) {
    runsOrError(filter: {tags: [$tag]}) { ... on Runs { results { runId jobName } } } }"""
JOBS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { jobs { name description } } } } }"


def test_the_last_failed_run_of_the_main_job_is_two_clicks_away(read_only: Webserver) -> None:
    """*Runs*, *Failed*: the first row names its job; its tag filters the other runs of the same command."""
    (failed,) = read_only.graphql(FAILED_RUNS)["data"]["runsOrError"]["results"]
    assert failed["jobName"] == MAIN_JOB and failed["runId"] == read_only.failed_run
    # The timeline shows only runs of a code location.
    assert failed["repositoryOrigin"] == {"repositoryName": "__repository__", "repositoryLocationName": "chu_platform"}
    (tag,) = (tag for tag in failed["tags"] if tag["key"] == GROUP_TAG)
    runs = read_only.graphql(RUNS_OF_GROUP, {"tag": tag})["data"]["runsOrError"]["results"]
    assert failed["runId"] in {run["runId"] for run in runs} and {run["jobName"] for run in runs} <= NAMES
    (repository,) = read_only.graphql(JOBS)["data"]["repositoriesOrError"]["nodes"]
    described = {job["name"]: job["description"] for job in repository["jobs"]}
    assert described.keys() >= NAMES and all(GROUP_TAG in described[name] for name in NAMES)
