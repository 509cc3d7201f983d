"""The Dagster definitions that `workspace.yaml` loads."""

from chu_platform.automation.build_definitions import build_defs

defs = build_defs()
