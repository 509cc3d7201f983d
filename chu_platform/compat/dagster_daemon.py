"""Dagster's daemon without needless reloads.

Every minute, the daemon loads the description of all assets and jobs again from each code server
(`RELOAD_WORKSPACE_INTERVAL`, which is not a setting: https://github.com/dagster-io/dagster/issues/32677). For a server
that somebody else has started, a thread of Dagster already watches whether it is another one, and then loads it.
"""

import os
from importlib.metadata import entry_points
from typing import Final

from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.workspace.context import WorkspaceProcessContext

from chu_platform.compat.code_server_watch import watch_seldom

# Tables are expected daily at the most: whether one is late is asked every five minutes, instead of every 30 seconds.
FRESHNESS_SECONDS: Final = 300

_refresh = WorkspaceProcessContext.refresh_workspace


def _refresh_unwatched(context: WorkspaceProcessContext) -> None:
    """Refresh the workspace, unless all its code locations are loaded and watched."""
    entries = context.get_current_workspace().code_location_entries.values()
    if not all(isinstance(e.origin, GrpcServerCodeLocationOrigin) and e.code_location for e in entries):
        _refresh(context)


def run_daemon() -> None:
    """Run `dagster-daemon` with the arguments of this process.

    The script may not be in the environment's folder of scripts, and it may not find the package in a checkout.
    """
    os.environ.setdefault("FRESHNESS_DAEMON_INTERVAL_SECONDS", str(FRESHNESS_SECONDS))
    watch_seldom()
    WorkspaceProcessContext.refresh_workspace = _refresh_unwatched  # type: ignore[method-assign, assignment]
    (script,) = entry_points(group="console_scripts", name="dagster-daemon")
    script.load()()
