"""Dagster's own storage, below CHU_HOME.

Here: its folder and its configuration file. Not here: what is stored.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from chu_platform.settings import Settings

CONFIGURATION = """\
telemetry:
  enabled: false
concurrency:
  pools:
    default_limit: 1
    granularity: op
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    max_concurrent_runs: 2
run_monitoring:
  enabled: true
"""


def prepare_dagster_home(settings: Settings) -> None:
    """Create DAGSTER_HOME with its configuration, and name it in this process's environment."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if not configuration.exists():
        configuration.write_text(CONFIGURATION)
    os.environ["DAGSTER_HOME"] = str(home)


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of these settings."""
    prepare_dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        yield instance
