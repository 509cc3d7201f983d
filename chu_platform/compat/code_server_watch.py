"""How often webserver and daemon ask a code server whether it is still the same one.

Dagster asks every second, over a new connection each time: about half of the CPU time of a webserver at rest. The
interval (`WATCH_INTERVAL`) is not a setting.
"""

from typing import Final

from dagster._grpc import server_watcher

WATCH_SECONDS: Final = 5


def watch_seldom() -> None:
    """Let this process ask every WATCH_SECONDS."""
    server_watcher.WATCH_INTERVAL = WATCH_SECONDS
