"""What `workspace.yaml` points Dagster at."""

from chu_platform.build import build_defs

defs = build_defs()
