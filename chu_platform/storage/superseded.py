"""Removal of all versions of a table but one, with their files."""

from chu_platform.storage.commit_log import log_of
from chu_platform.storage.lake import Lake, active_files
from chu_platform.storage.store import delta_table, files_below
from chu_platform.tables.table import Table


def keep_only(lake: Lake, table: Table, version: int) -> None:
    """Delete the versions of a table before `version`, and all files that no later version names.

    A checkpoint of `version` is written first. It can be interrupted, and started again.
    """
    place = lake.place_of(table)
    with lake.write_lock(table):
        log = log_of(place)
        earlier = [name for name in files_below(log) if _version_of(name) < version]
        named = {
            f["path"] for v in range(version, lake.version(table) + 1) for f in active_files(delta_table(place, v))
        }
        unnamed = [name for name in files_below(place) if not name.startswith("_delta_log/") and name not in named]
        if not earlier and not unnamed:
            return
        if earlier:
            delta_table(place, version).create_checkpoint()
            lake.make_durable(table, [f"_delta_log/{n}" for n in files_below(log) if _version_of(n) == version])
        for name in unnamed:
            (place / name).unlink(missing_ok=True)
        # The oldest first: what remains after a kill can be read.
        for name in sorted(earlier, key=_version_of):
            (log / name).unlink(missing_ok=True)
        # Sail 0.7 cannot read the versions before a checkpoint that the log points to.
        (log / "_last_checkpoint").unlink(missing_ok=True)


def _version_of(name: str) -> int:
    """The version of a file of a log; the number of a file without one is higher than all versions."""
    start = name.partition(".")[0]
    return int(start) if start.isdigit() else 2**63
