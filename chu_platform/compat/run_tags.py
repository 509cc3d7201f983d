"""Tags of Dagster runs whose names are only in a private module of Dagster, or that compat itself reads; metadata."""

from typing import Final

from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    BACKFILL_ID_TAG,
    GRPC_INFO_TAG,
)

# Tags of a run over a range of partitions. `dg.materialize` and `execute_in_process` have no parameter for a range
# (https://github.com/dagster-io/dagster/issues/14905), but they respect these tags
# (https://github.com/dagster-io/dagster/pull/10441).
PARTITION_RANGE_START: Final = ASSET_PARTITION_RANGE_START_TAG
PARTITION_RANGE_END: Final = ASSET_PARTITION_RANGE_END_TAG
# Tag of the runs of a backfill, with its identifier. No public field of a run has it.
BACKFILL: Final = BACKFILL_ID_TAG
# Tag with the address of the code server that executes the run. The default launcher adds it to each run; a run in this
# process does not have it. No public field of a run tells how it was launched
# (https://github.com/dagster-io/dagster/issues/8719).
LAUNCHED_BY_CODE_SERVER: Final = GRPC_INFO_TAG
# Tag of all runs of the main job, with the identifier of its CHU_HOME.
MAIN_JOB: Final = "chu/main_job"
# Metadata key of a materialisation that the event logs of the platform do not store (`event_batches`).
LEFT_OUT: Final = "left_out"
