"""Deliveries that are held back, compared with what is delivered now: they may have been completed or replaced."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.up_to_date import delivered_now
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.storage.held_deliveries import Acceptance, Held, HeldDeliveries, Shrunk, is_there
from chu_platform.tables.table import Table


def still_held(resources: RunResources) -> Sequence[Held]:
    """The deliveries that are held back, with those of their files that are still as they were, by name of source.

    The next run, or the sensor, removes the other entries. Raises ChuError if the care database cannot be read.
    """
    found = [replace(h, files=_still_there(resources, h)) for h in HeldDeliveries(resources.lake).held()]
    return [held for held in found if held.files]


def accept_held(resources: RunResources, source: str, by: str, at: str) -> Acceptance:
    """Accept the delivery of a source that is held back. Raises ChuError if none is, or if it is not there any more."""
    deliveries = HeldDeliveries(resources.lake)
    held = {h.source: h for h in still_held(resources)}
    if source in held:
        return deliveries.accept(held[source], by, at)
    for old in deliveries.held():
        if old.source == source:
            files = ", ".join(map(str, old.files))
            raise ChuError(
                f"the delivery of {source!r} that was held back is not there any more ({files}): it was completed, "
                "replaced, or read meanwhile, and nothing was accepted; `chu materialize` reads what is there now"
            )
    others = f"held back: {', '.join(held)}" if held else "none is held back"
    raise ChuError(f"no delivery of {source!r} is held back; {others}")


def release_up_to_date(resources: RunResources, tables: Sequence[Table]) -> None:
    """Record that no delivery of these source tables is held back: they have the rows of what is delivered now."""
    deliveries = HeldDeliveries(resources.lake)
    if delivered := delivered_tables(tables):
        unsettled = deliveries.unsettled()
        for table in delivered:
            if table.name in unsettled:
                deliveries.release(table.name, delivered_now(resources, table))


def _still_there(resources: RunResources, held: Held) -> Sequence[Shrunk]:
    """The files of a delivery that are as they were when it was held back, in place of the same commit."""
    table = next((t for t in delivered_tables(catalogue()) if t.name == held.source), None)
    if table is None or resources.lake.provenance(table).get("run") != held.after:
        return []
    in_database = delivered_rows(table).reader.database_table
    if in_database is not None and resources.settings.postgres_url is not None:
        rows_now = resources.care_database.count(in_database)
        return [file for file in held.files if _is_still_shrunk(table, held, file, rows_now)]
    now = _delivered_or_none(resources, table)
    return [file for file in held.files if is_there(file, now)]


def _is_still_shrunk(table: Table, held: Held, file: Shrunk, rows_now: int) -> bool:
    """Whether a table of a server still lacks rows, and no more of them. Two of its snapshots are never equal.

    Its invalid rows are taken to be as many as when it was held back.
    """
    valid = file.rows + rows_now - (file.rows if held.rows_in is None else held.rows_in)
    if not file.rows_before:
        return valid == 0
    return file.rows <= valid < file.rows_before * (1 - delivered_rows(table).max_decrease)


def _delivered_or_none(resources: RunResources, table: Table) -> Mapping[str, str]:
    """Fingerprints of the files that a run would read, by name; none if it would refuse them."""
    try:
        return delivered_now(resources, table)
    except ChuError:
        return {}
