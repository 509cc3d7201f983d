"""The release of an edition: all its tables are made, checked, kept, and then published together.

1. The tables of the layer `editions` are made in the pseudonymised zone. Their checks are the gate.
2. If published rows have changed, the edition is added to the list of editions: from here on it exists.
3. The published tables repeat its rows. Readers still see the last edition, whose versions the manifest names.
4. The manifest is replaced: readers see the new edition, of all tables at once.
5. The versions of the edition before are deleted from the published zone.

A release that was killed before 2 leaves nothing that is read. After 2, the next command finishes it (`settle`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError, TransientError
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.graph.step_result import StepResult
from chu_platform.graph.up_to_date import tables_to_make
from chu_platform.ingest.delivered import is_delivered
from chu_platform.storage.edition_manifest import (
    Edition,
    editions,
    published_edition,
    record_edition,
    record_published,
)
from chu_platform.storage.file_lock import Locked
from chu_platform.storage.lake import LOCK_TIMEOUT_SECONDS, SCRATCH, Lake
from chu_platform.storage.store import lock
from chu_platform.storage.superseded import keep_only
from chu_platform.tables.table import Table, Zone

LOCK: Final = "release.lock"


@dataclass(frozen=True)
class Released:
    """The edition that readers see after a release, whether it is new, and the results of the steps."""

    edition: Edition
    is_new: bool
    results: Mapping[Table, StepResult]


def edition_tables() -> Sequence[Table]:
    """The tables that a release makes, inputs first."""
    return [t for t in catalogue() if t.in_editions]


def is_settled(lake: Lake) -> bool:
    """Whether there is an edition, and readers see it."""
    decided, shown = editions(lake.place), published_edition(lake.place)
    return bool(decided) and shown is not None and shown.number == decided[-1].number


def release(resources: RunResources, run_id: str, only_first: bool = False) -> Released:
    """Make the next edition, if published rows have changed since the last one.

    With `only_first`, an edition is made only if there is none yet. An interrupted release is finished first. Raises
    ChuError if the gate refuses the edition: readers then still see the last one.
    """
    lake = resources.lake
    with _release_lock(lake):
        results = _settle(resources, run_id)
        decided = editions(lake.place)
        is_new = False
        if not decided or not only_first:
            kept = [t for t in edition_tables() if t.edition is None]
            results |= {t: run_step(resources, t, None, run_id) for t in kept}
            if reason := next((r.waits for r in results.values() if r.waits), None):
                raise ChuError(f"there is no new edition: {reason}")
            versions = {t.folder: lake.version(t) for t in kept}
            shown = {t.edition.folder for t in edition_tables() if t.edition}
            is_new = not decided or any(versions[f] != decided[-1].tables.get(f) for f in shown)
            if is_new:
                today = datetime.now(UTC).date().isoformat()
                record_edition(lake.place, Edition(len(decided) + 1, today, run_id, versions))
                results |= _settle(resources, run_id)
        shown_edition = published_edition(lake.place)
        assert shown_edition is not None, "an edition was recorded"
        return Released(shown_edition, is_new, results)


def require_up_to_date(resources: RunResources) -> None:
    """Raise ChuError if a table that an edition is made from is older than its own inputs, after a run that failed.

    Its mask could then be that of other figures. Whether a newer delivery waits does not matter.
    """
    upstream: set[Table] = set()
    pending = [t for table in edition_tables() for t in table.needs if not t.in_editions]
    while pending:
        table = pending.pop()
        if table not in upstream:
            upstream.add(table)
            pending += table.needs
    made_here = [t for t in catalogue() if t in upstream and not is_delivered(t)]
    ranges = {t.partition_scheme: t.partition_scheme.every() for t in made_here if t.partition_scheme}
    if old := tables_to_make(resources, made_here, ranges):
        raise ChuError(
            f"{old[0].layer}/{old[0].name} is older than what it is made from: run `chu materialize` first, and then "
            "`chu release`"
        )


def _settle(resources: RunResources, run_id: str) -> dict[Table, StepResult]:
    """Let readers see the last edition of the list, and delete what they saw before; nothing if it is done already."""
    lake = resources.lake
    if not (decided := editions(lake.place)):
        return {}
    published = [t for t in edition_tables() if t.edition is not None]
    results: dict[Table, StepResult] = {}
    shown = published_edition(lake.place)
    if shown is None or shown.number != decided[-1].number or resources.force:
        results = {t: run_step(resources, t, None, run_id) for t in published}
        versions = {t.folder: results[t].commits[t].version for t in published}
        last = decided[-1]
        shown = Edition(last.number, last.date, last.run, versions)
        record_published(lake.place, shown)
    for table in published:
        # A new indicator is in no edition before the next release.
        if (version := shown.version(table)) is not None:
            keep_only(lake, table, version)
    return results


@contextmanager
def _release_lock(lake: Lake) -> Iterator[None]:
    try:
        with lock(lake.place / Zone.PSEUDONYMISED / SCRATCH / LOCK, LOCK_TIMEOUT_SECONDS):
            yield
    except Locked:
        raise TransientError("another process is releasing an edition: try again after it has ended") from None
