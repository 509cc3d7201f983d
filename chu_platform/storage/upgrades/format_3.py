"""To format 3: nothing outside the restricted zone holds numbers of consultations and stays.

Every version of three tables holds them: in its data files, in the statistics of its commits and checkpoints, and in
what killed writes left. All of that is deleted, and the next run makes the rows of the current version again, with
surrogates. The commits stay with their metadata, so the provenance of older figures does, too.
"""

import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.storage.lake import SCRATCH, Lake
from chu_platform.storage.provenance import CONTENTS
from chu_platform.storage.store import LakePath, every_name, write_data
from chu_platform.tables.table import Table, Zone

TABLES: Final = tuple(
    f"{Zone.PSEUDONYMISED}/facts/fact_{name}" for name in ("consultation", "hospitalisation", "prescription")
)
LOG: Final = "_delta_log/"
STATISTICS: Final = "stats"
# Statistics with types, in checkpoints of other tools.
TYPED_STATISTICS: Final = "stats_parsed"
# Folder in each zone with the records of the last steps.
MADE: Final = ".made"
# Actions of a log that may hold statistics of a file.
ACTIONS: Final = ("add", "remove")


def upgrade(lake: Lake, tables: Sequence[Table], report: Callable[[str], None]) -> None:
    """See `Upgrade`."""
    for table in tables:
        if table.folder in TABLES:
            with lake.write_lock(table):
                if deleted := _purge(lake.place_of(table)):
                    report(f"{table.folder}: {deleted} files with source numbers deleted; the next run makes it again")
    _forget_identities(lake)
    # What killed writes and rebuilds left. Locks are files, and stay.
    scratch = lake.local(Zone.PSEUDONYMISED) / SCRATCH
    for folder in scratch.glob("*/"):
        shutil.rmtree(folder)


def _purge(table: LakePath) -> int:
    """Delete the data files of a table, and what its log says of values; returns the number of data files."""
    deleted = 0
    # The log first: its files are few, and after a kill the other files are still found.
    for name in sorted(every_name(table), key=lambda n: not n.startswith(LOG)):
        file = table / name
        if name.startswith(LOG):
            cleaned = _without_statistics(file)
            if cleaned is not None:
                write_data(file, cleaned)
                continue
        file.unlink(missing_ok=True)
        deleted += name.endswith(".parquet") and not name.startswith(LOG)
    return deleted


def _without_statistics(file: LakePath) -> bytes | None:
    """A file of a log without statistics and predicates; None if it is no commit and no checkpoint, or damaged."""
    try:
        if file.name.endswith(".json"):
            return b"".join(_commit_lines(file.read_bytes()))
        if file.name.endswith(".parquet"):
            return _checkpoint(file.read_bytes())
    except (ValueError, AttributeError, pa.ArrowException):
        return None
    return None


def _commit_lines(content: bytes) -> Iterator[bytes]:
    for line in content.splitlines():
        entry: dict[str, Any] = json.loads(line)
        for action in ACTIONS:
            entry.get(action, {}).pop(STATISTICS, None)
        _clean(entry.get("commitInfo", {}))
        yield json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _clean(info: dict[str, Any]) -> None:
    """Remove what the information on a commit may tell of values; what the platform needs for provenance stays.

    The identity of the rows of a partition is a hash without a key: if it has few rows, their numbers can be tried out.
    """
    # Of commits of other tools.
    info.get("operationParameters", {}).pop("predicate", None)
    text = info.pop("userMetadata", None)
    try:
        metadata = json.loads(text or "null")
    except ValueError:
        return
    if isinstance(metadata, dict):
        for holder in (metadata, metadata.get("publication", {})):
            holder.pop(CONTENTS, None)
        info["userMetadata"] = json.dumps(metadata, ensure_ascii=False)


def _forget_identities(lake: Lake) -> None:
    """Remove the identities of the tables' rows from what is recorded of the last steps of their readers."""
    for zone in (Zone.PSEUDONYMISED, Zone.PUBLISHED):
        for file in [*(lake.place / zone / MADE).glob("*.json")]:
            try:
                made = json.loads(file.read_text(encoding="utf-8"))
                held = made.get("rows_read", {})
            except (ValueError, AttributeError):
                file.unlink()  # damaged: the next run makes the table again
                continue
            if found := set(TABLES).intersection(held):
                made["rows_read"] = {folder: rows for folder, rows in held.items() if folder not in found}
                write_data(file, json.dumps(made, ensure_ascii=False).encode())


def _checkpoint(content: bytes) -> bytes:
    table = pq.read_table(pa.BufferReader(content))
    for action in set(ACTIONS).intersection(table.column_names):
        index = table.column_names.index(action)
        column = table[action].combine_chunks()
        fields = [f for f in column.type if f.name != TYPED_STATISTICS]
        values = [pa.nulls(len(column), f.type) if f.name == STATISTICS else column.field(f.name) for f in fields]
        cleaned = pa.StructArray.from_arrays(values, fields=fields, mask=column.is_null())
        table = table.set_column(index, pa.field(action, cleaned.type), cleaned)
    written = io.BytesIO()
    pq.write_table(table, written)
    return written.getvalue()
