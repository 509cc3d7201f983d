"""Start of a backfill of assets, which the daemon of Dagster then executes.

Dagster starts backfills from its UI only: a schedule or a job has no public way to do it
(https://github.com/dagster-io/dagster/issues/13852, https://github.com/dagster-io/dagster/pull/26731). This function
does what the server does with the request of the UI.
"""

import time
from collections.abc import Mapping

from dagster import AssetKey, DagsterInstance, PartitionKeyRange, RepositoryDefinition
from dagster._core.definitions.selector import PartitionRangeSelector, PartitionsByAssetSelector, PartitionsSelector
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.utils import make_new_backfill_id


def start_backfill(
    instance: DagsterInstance,
    repository: RepositoryDefinition,
    partitions: Mapping[AssetKey, PartitionKeyRange | None],
    title: str,
    tags: Mapping[str, str],
) -> str:
    """Start a backfill of these partitions of assets, and of assets without partitions (None); returns its id."""
    identifier: str = make_new_backfill_id()
    backfill = PartitionBackfill.from_partitions_by_assets(
        backfill_id=identifier,
        asset_graph=repository.asset_graph,
        backfill_timestamp=time.time(),
        tags=tags,
        dynamic_partitions_store=instance,
        partitions_by_assets=[
            PartitionsByAssetSelector(
                asset_key=key,
                partitions=PartitionsSelector(ranges=[PartitionRangeSelector(start=keys.start, end=keys.end)])
                if keys
                else None,
            )
            for key, keys in partitions.items()
        ],
        title=title,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    return identifier


def unfinished_backfill(instance: DagsterInstance, tag: str) -> str | None:
    """The id of a backfill with this tag that has not ended; None if there is none."""
    wanted = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
    found = (b.backfill_id for b in instance.get_backfills(filters=wanted) if tag in b.tags)
    return next(found, None)
