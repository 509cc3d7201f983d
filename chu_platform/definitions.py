"""The Dagster definitions that `workspace.yaml` loads: the graph of tables, and the reports made from it."""

import dagster as dg

from chu_platform.automation.build_definitions import build_defs
from chu_platform.committee.report_assets import committee_definitions

defs = dg.Definitions.merge(build_defs(), committee_definitions())
