"""The Dagster definitions that `workspace.yaml` loads."""

from chu_platform.automation.definitions import build_defs

defs = build_defs()
