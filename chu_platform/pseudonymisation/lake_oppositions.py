"""The opposition list of a lake: a lake that knows requests is never made without the list of them.

A folder of secrets without the list looks like one in which nobody was ever erased: the next run would bring all of
them back. The lake has a copy of the list as a table, which tells the two apart.
"""

from pathlib import Path

from chu_platform.errors import ChuError
from chu_platform.ingest.oppositions import Oppositions
from chu_platform.pseudonymisation.opposition import opposition
from chu_platform.storage.duckdb_session import small_connection
from chu_platform.storage.lake import Lake


def lake_oppositions(lake: Lake, secrets: Path) -> Oppositions:
    """The opposition list of the lake, in the folder `secrets`.

    Raises ChuError if the lake knows requests, and the file of the list is not there. An empty file is a list of which
    all requests were withdrawn.
    """
    listed = Oppositions(secrets)
    if not listed.file.exists() and (known := _rows(lake)):
        raise ChuError(
            f"the opposition list {listed.file} does not exist, and the lake {lake.place} was made with one of {known} "
            "entries: restore the file from its backup, or set CHU_SECRETS to its folder; without it, erased persons "
            "would come back"
        )
    return listed


def _rows(lake: Lake) -> int:
    """The entries of the list with which the lake was made last."""
    if lake.open(opposition) is None:
        return 0
    with small_connection() as connection:
        return int(connection.sql(f"SELECT count(*) FROM {lake.relation(opposition)}").fetchall()[0][0])
