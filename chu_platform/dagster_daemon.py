"""Dagster's daemon as a module, `python -m chu_platform.dagster_daemon`: the same as the script `dagster-daemon`.

The script may be missing from the environment's folder of scripts, or may not see the folder of a checkout.
"""

from importlib.metadata import entry_points

if __name__ == "__main__":
    (script,) = entry_points(group="console_scripts", name="dagster-daemon")
    script.load()()
