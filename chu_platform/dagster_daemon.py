"""Dagster's daemon as a module, `python -m chu_platform.dagster_daemon`: equivalent to the script `dagster-daemon`."""

from chu_platform.compat.dagster_daemon import run_daemon

if __name__ == "__main__":
    run_daemon()
