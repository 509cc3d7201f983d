"""The step that makes a table: rows are staged, audited, and published. Every table goes this way.

Here: the order of the three and what is recorded. Not here: how each is done.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.errors import ChuError
from chu_platform.graph.platform import Platform
from chu_platform.graph.progress import signs_of_life
from chu_platform.lake.audit import Verdict, audit
from chu_platform.lake.publish import Published, publish
from chu_platform.sources.delivered import Delivered, rejects_of
from chu_platform.sources.reading import Reading, ReadingContext, read, write_rejects
from chu_platform.tables.slices import Slices
from chu_platform.tables.table import Computed, Query, Table

# A delivery with less than this share of the rows of the last one is remarked.
FEWER: Final = 0.9


class RuleBroken(ChuError):
    """Staged rows break a rule: nothing of them was published. `verdicts` are all that were found."""

    def __init__(self, table: Table, verdicts: Sequence[Verdict]) -> None:
        self.verdicts = verdicts
        broken = "; ".join(f"{v.rule.description}: {v.broken} rows break it" for v in verdicts if not v.passed)
        super().__init__(f"{table.layer}/{table.name}: {broken}; nothing was published, the last version stays")


@dataclass(frozen=True)
class Outcome:
    """What a step did."""

    published: Published
    verdicts: Sequence[Verdict]
    seconds: float
    reading: Reading | None = None
    rejects: Published | None = None


def make(platform: Platform, table: Table, slices: Slices | None, run_id: str) -> Outcome:
    """Make the table, or its slices. Raises ChuError, with nothing visible changed, when it cannot be made."""
    begun = time.monotonic()
    lake = platform.lake
    versions = {t: lake.version(t) for t in table.needs}
    try:
        with lake.staging(table) as staging:
            staged = staging / "rows"
            staged.mkdir()
            before = lake.provenance(table)
            with signs_of_life(platform.say, f"{table.layer}/{table.name}", staging, before.get("seconds")):
                reading = _stage(platform, table, slices, versions, staged)
                verdicts = audit(lake, table, staged, versions)
            _remark_fewer_rows(platform, table, before, reading)
            if not all(v.passed for v in verdicts):
                raise RuleBroken(table, verdicts)
            provenance = _provenance(table, slices, run_id, versions, reading)
            provenance["seconds"] = round(time.monotonic() - begun, 1)
            published = publish(lake, table, staged, slices, provenance)
            rejects = _publish_rejects(platform, table, reading, provenance) if reading else None
    except OSError as error:
        raise ChuError(f"{table.layer}/{table.name} could not be written: {error.strerror or error}") from None
    return Outcome(published, verdicts, time.monotonic() - begun, reading, rejects)


def _remark_fewer_rows(platform: Platform, table: Table, before: Mapping[str, Any], reading: Reading | None) -> None:
    """Say so when a delivery has clearly fewer rows than the last one: it may have been cut off between two lines."""
    rows = before.get("rows", {}).get("in", 0)
    if reading and reading.rows_in < FEWER * rows:
        platform.say(
            f"WARNING {table.layer}/{table.name}: {reading.rows_in} rows were delivered, {rows} the last time; "
            "if that is not meant, ask for the delivery again"
        )


def _stage(
    platform: Platform, table: Table, slices: Slices | None, versions: Mapping[Table, int], staged: Path
) -> Reading | None:
    rows = table.rows
    if isinstance(rows, Delivered):
        scratch = staged.parent / "scratch"
        scratch.mkdir()
        context = ReadingContext(platform.settings.sources_folder, scratch, platform.care_database, platform.say)
        return read(table, slices, staged, context)
    if isinstance(rows, Query):
        engine = platform.engine
        frames = {name: engine.read(platform.lake.path(t), versions[t]) for name, t in table.reads.items()}
        frame = engine.query(rows.sql, frames)
        if rows.finish is None:
            # The slices are cut from the result, never from an input: a join must see all it would match. The
            # engines push the condition down where that changes nothing.
            condition = slices.predicate() if slices and not slices.whole else None
            engine.write(engine.declared(table, frame, condition), staged, table.partition_by)
        else:
            _write_arrow(table, rows.finish(engine.arrow(frame)), staged)
        return None
    assert isinstance(rows, Computed)
    loaded = {n: platform.lake.arrow(t, rows.columns.get(n, ()), versions[t]) for n, t in table.reads.items()}
    arguments: dict[str, Any] = {**loaded, **({"settings": platform.settings} if rows.needs_settings else {})}
    _write_arrow(table, rows.function(**arguments), staged)
    return None


def _write_arrow(table: Table, rows: pa.Table, staged: Path) -> None:
    """Rows in the declared columns and types, as Parquet below `staged`."""
    schema = pa.schema([pa.field(c.name, c.type) for c in table.columns])
    typed = rows.select([c.name for c in table.columns]).cast(schema)
    if table.partition_by:
        pq.write_to_dataset(typed, staged, partition_cols=list(table.partition_by), compression="zstd")
    else:
        pq.write_table(typed, staged / "rows.parquet", compression="zstd")


def _publish_rejects(platform: Platform, table: Table, reading: Reading, provenance: Mapping[str, Any]) -> Published:
    rejects = rejects_of(table)
    with platform.lake.staging(rejects) as staging:
        write_rejects(reading, staging)
        return publish(platform.lake, rejects, staging, None, provenance)


def _provenance(
    table: Table, slices: Slices | None, run_id: str, versions: Mapping[Table, int], reading: Reading | None
) -> dict[str, Any]:
    """What a commit says of itself: run, asset, slices, code, versions read, files read, counts."""
    said: dict[str, Any] = {
        "run": run_id,
        "asset": f"{table.layer}/{table.name}",
        "slices": f"{slices.first}...{slices.last}" if slices else None,
        "code_version": table.code_version,
        "read": {t.folder: version for t, version in sorted(versions.items(), key=lambda item: item[0].folder)},
    }
    if reading:
        said["files"] = [{"name": o.name, "bytes": o.size, "sha256": o.fingerprint} for o in reading.origins]
        said["rows"] = {"in": reading.rows_in, "kept": reading.kept, "rejected": len(reading.rejects)}
    return said
