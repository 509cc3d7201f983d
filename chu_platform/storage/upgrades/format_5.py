"""To format 5: each pseudonymised table records the identifier of the key with which its rows were made.

A commit without data does so, as later data commits do. `chu upgrade` has written the identifier to the lake before,
and has moved the key file to its place.
"""

from collections.abc import Callable, Sequence
from typing import Final

from chu_platform.storage.commit import commit_without_data
from chu_platform.storage.key_record import key_record
from chu_platform.storage.lake import DamagedLog, Lake
from chu_platform.storage.provenance import KEY, last_data_commit, operation_metadata
from chu_platform.tables.table import Table

OPERATION: Final = "record the key"


def upgrade(lake: Lake, tables: Sequence[Table], report: Callable[[str], None]) -> None:
    """See `Upgrade`."""
    record = key_record(lake)
    if record is None:
        return
    recorded = 0
    for table in (t for t in tables if t.pseudonymised):
        try:
            if (delta := lake.open(table)) is None:
                continue
            with lake.write_lock(table):
                data_commit = last_data_commit(lake.place_of(table), delta)
                if data_commit and KEY not in data_commit:
                    made_with = {**data_commit, KEY: record.key}
                    metadata = operation_metadata(table, OPERATION, "chu upgrade", made_with)
                    commit_without_data(lake, table, delta, metadata)
                    recorded += 1
        except DamagedLog as error:
            report(f"WARNING {error}")
    report(f"key {record.key} recorded in {recorded} tables")
