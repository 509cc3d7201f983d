"""The graph of Dagster as readable JSON. `python -m chu_platform_tests.graph.golden` writes it again.

The difference is part of the review of a change.
"""

import json
from pathlib import Path
from typing import Any, Final

import dagster as dg

from chu_platform.automation.build_definitions import build_defs

GOLDEN: Final = Path(__file__).with_name("golden.json")


def graph() -> dict[str, Any]:
    """Keys, dependencies, and partitions of the assets; jobs, schedules and sensors."""
    defs = build_defs()
    assets = defs.resolve_asset_graph()
    repository = defs.get_repository_def()
    return {
        "assets": {
            node.key.to_user_string(): {
                "needs": sorted(key.to_user_string() for key in node.parent_keys),
                "partitions": _partitions(node.partitions_def),
                "backfill": node.backfill_policy.policy_type.value if node.backfill_policy else None,
                "pools": sorted(node.pools or ()),
            }
            for node in sorted(assets.asset_nodes, key=lambda n: n.key)
        },
        "jobs": {
            job.name: sorted(k.to_user_string() for k in job.asset_layer.selected_asset_keys)
            for job in sorted(repository.get_all_jobs(), key=lambda j: j.name)
            if not job.name.startswith("__")
        },
        "schedules": {
            s.name: [str(s.cron_schedule), s.execution_timezone, s.job.name, s.default_status.value]
            for s in sorted(repository.schedule_defs, key=lambda s: s.name)
        },
        "sensors": {
            s.name: [s.minimum_interval_seconds, s.default_status.value]
            for s in sorted(repository.sensor_defs, key=lambda s: s.name)
        },
    }


def _partitions(definition: dg.PartitionsDefinition[str] | None) -> str | None:
    if definition is None:
        return None
    assert isinstance(definition, dg.TimeWindowPartitionsDefinition)
    return f"{definition.fmt} from {definition.start:%Y-%m}, {definition.cron_schedule}, +{definition.end_offset}"


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(graph(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
