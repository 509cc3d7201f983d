"""Dagster's daemon as a module, `python -m chu_platform.dagster_daemon`: equivalent to the script `dagster-daemon`.

The script may not be in the environment's folder of scripts, and it may not find the package in a checkout.
"""

from importlib.metadata import entry_points

if __name__ == "__main__":
    (script,) = entry_points(group="console_scripts", name="dagster-daemon")
    script.load()()
