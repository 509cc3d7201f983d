"""No secret is in the answer to any question that the GraphQL schema of a webserver allows."""

import pytest

from chu_platform_tests.deployment.test_secrets import answers_of, shown
from chu_platform_tests.deployment.webservers import Webserver
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.system


def test_no_secret_is_shown(read_only: Webserver, instance_home: Home) -> None:
    answers = dict(answers_of(read_only, instance_home))
    assert shown(answers) == []
    empty = {asked for asked, answer in answers.items() if not asked.startswith("/") and b'"data":{' not in answer}
    # These are about a backfill and an evaluation, which do not exist.
    assert empty <= {"assetBackfillPreview", "truePartitionsForAutomationConditionEvaluationNode"}
