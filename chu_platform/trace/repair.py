"""`chu verify --repair`: makes damaged tables again from their inputs, by the ordinary steps of the graph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dagster as dg

from chu_platform.automation.main_job import FailedAsset, run_all
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.ingest.delivered import is_delivered
from chu_platform.storage.damage import Damage, damage_of
from chu_platform.storage.partition_folders import values_of
from chu_platform.tables.table import Layer, Table
from chu_platform.trace.verify import find_damage, readable_tables


@dataclass(frozen=True)
class Repair:
    """A damaged table, what was damaged, what was made again, and why it could not be repaired (None: it was)."""

    table: Table
    damage: Sequence[str]
    made: str
    failure: str | None

    @property
    def lines(self) -> Sequence[str]:
        """What was damaged, what was done, and what could not be repaired and why, as lines for the terminal."""
        name = f"{self.table.layer}/{self.table.name}"
        end = f"NOT REPAIRED {name}: {self.failure}" if self.failure else f"REPAIRED {name}: made {self.made} again"
        return [*(f"DAMAGED {finding}" for finding in self.damage), end]


@dataclass(frozen=True)
class RepairResult:
    """The repairs of the damaged tables, inputs first, and the failures of the tables that were made after them."""

    repairs: Sequence[Repair]
    failures: Sequence[FailedAsset]


def repair(resources: RunResources, instance: dg.DagsterInstance, report: Callable[[str], None]) -> RepairResult:
    """Make all damaged tables again, inputs first, and then the tables that may have read damaged rows.

    A table is left as it is if one of its inputs could not be repaired, so that damaged rows do not spread.
    """
    damage = find_damage(resources.lake, readable_tables(resources.lake), report)
    repairs: list[Repair] = []
    failed: set[Table] = set()
    for table in catalogue():  # sorted by dependency
        found = [d for made in table.outputs for d in damage.get(made, ())]
        if found:
            repairs.append(_repair(resources, instance, table, found, failed, report))
            if repairs[-1].failure:
                failed.add(table)
    repaired = {r.table for r in repairs if not r.failure}
    return RepairResult(repairs, _make_readers(resources, instance, repaired, failed, report))


def _repair(
    resources: RunResources,
    instance: dg.DagsterInstance,
    table: Table,
    damage: Sequence[Damage],
    failed: set[Table],
    report: Callable[[str], None],
) -> Repair:
    """Make one table, or the damaged partitions of it, and look at it again."""
    findings = [d.finding for d in damage]
    report(f"repairing {table.layer}/{table.name}")
    partitions = _partitions(table, damage)
    made = f"partitions {partitions}" if partitions else "the whole table"
    if table.layer is Layer.EDITIONS:
        return Repair(table, findings, made, "what an edition showed cannot be made again: restore it from a backup")
    if inputs := [f"{t.layer}/{t.name}" for t in table.needs if t in failed]:
        return Repair(table, findings, made, f"its input {', '.join(inputs)} could not be repaired")
    try:
        resources.force = True
        failures = run_all(resources, instance, _selection([table]), partitions, report)
    except ChuError as error:
        return Repair(table, findings, made, str(error))
    finally:
        resources.force = False
    if failures:
        return Repair(table, findings, made, "; ".join(" ".join(f.cause.split()) for f in failures))
    remaining = [d.finding for output in table.outputs for d in damage_of(resources.lake, output)]
    return Repair(table, findings, made, f"it is still damaged: {remaining[0]}" if remaining else None)


def _partitions(table: Table, damage: Sequence[Damage]) -> str | None:
    """The smallest range of partitions with all the damage, as `--partitions` takes it; None for the whole table.

    A delivery is read as a whole in any case, and all rows of its table must come from the same delivery.
    """
    scheme, folders = table.partition_scheme, [d.folder for d in damage]
    if scheme is None or is_delivered(table) or None in folders:
        return None
    keys = sorted(scheme.every().key_of(values_of(folder or "")[scheme.column]) for folder in folders)
    return keys[0] if keys[0] == keys[-1] else f"{keys[0]}...{keys[-1]}"


def _make_readers(
    resources: RunResources,
    instance: dg.DagsterInstance,
    repaired: set[Table],
    failed: set[Table],
    report: Callable[[str], None],
) -> Sequence[FailedAsset]:
    """Make the tables that depend on repaired ones, unless they are up to date; returns the failed ones.

    They may have been made from damaged rows. The same rows cause no new version, unless an input lost its log.
    """
    readers: list[Table] = []
    for table in catalogue():
        reads = any(t in repaired or t in readers for t in table.needs)
        if reads and table.layer is not Layer.REPORTS and not any(t in failed for t in table.needs):
            readers.append(table)
    return run_all(resources, instance, _selection(readers), None, report) if readers else []


def _selection(tables: Sequence[Table]) -> str:
    """The tables in Dagster's syntax for selections."""
    return " or ".join(f'key:"{table.layer}/{table.name}"' for table in tables)
