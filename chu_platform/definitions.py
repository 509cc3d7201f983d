"""What `workspace.yaml` points Dagster at."""

from chu_platform.automation.definitions import build_defs

defs = build_defs()
