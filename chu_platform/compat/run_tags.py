"""Tags of Dagster runs whose names Dagster exports from a private module only."""

from typing import Final

from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    GRPC_INFO_TAG,
)

# A run over a range of partitions in this process: neither `dg.materialize` nor `execute_in_process` takes a range
# (https://github.com/dagster-io/dagster/issues/14905), but both obey these tags
# (https://github.com/dagster-io/dagster/pull/10441).
PARTITION_RANGE_START: Final = ASSET_PARTITION_RANGE_START_TAG
PARTITION_RANGE_END: Final = ASSET_PARTITION_RANGE_END_TAG
# The address of the code server that executes the run: the default launcher puts it on each run that it starts, and a
# run in this process has none. No public field of a run says where it was launched from
# (https://github.com/dagster-io/dagster/issues/8719).
LAUNCHED_BY_CODE_SERVER: Final = GRPC_INFO_TAG
