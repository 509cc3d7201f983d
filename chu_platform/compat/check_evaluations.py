"""The evaluations of asset checks by certain runs.

`DagsterInstance` has no public method that returns the last evaluations of many checks in one query, or the earlier
ones of a check. Their records have no public type.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from dagster import AssetCheckKey, AssetKey, DagsterInstance
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

# Evaluations of a check that are searched for that of a run.
MAX_EARLIER: Final = 200

__all__ = ["AssetCheckExecutionRecord", "evaluations_by"]


def evaluations_by(
    instance: DagsterInstance, checks: Sequence[AssetCheckKey], runs: Mapping[AssetKey, str]
) -> Mapping[AssetCheckKey, AssetCheckExecutionRecord]:
    """The evaluation of each check by the run of its asset; the last one for an asset without a run in `runs`."""
    log = instance.event_log_storage
    found = dict(log.get_latest_asset_check_execution_by_key(checks))
    for key, latest in list(found.items()):
        run = runs.get(key.asset_key)
        if run is None or latest.run_id == run:
            continue
        del found[key]
        for earlier in log.get_asset_check_execution_history(key, limit=MAX_EARLIER):
            if earlier.run_id == run:
                found[key] = earlier
                break
    return found
