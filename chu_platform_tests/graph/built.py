"""The graph of the code location, built once for the tests of a process, and not before one of them asks for it."""

from functools import cache

import dagster as dg

from chu_platform.automation.build_definitions import build_defs


@cache
def repository() -> dg.RepositoryDefinition:
    """All tables as one graph, with its jobs and sensors. Each run opens its own resources."""
    return build_defs().get_repository_def()
