"""One portal over the lake that all tests share."""

from collections.abc import Iterator

import pytest

from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import Served, serving


@pytest.fixture(scope="session")
def portal(made: Home) -> Iterator[Served]:
    with serving(made.lake.root) as served:
        yield served
