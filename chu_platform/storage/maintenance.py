"""Maintenance of a table: plan the operations that are due by its policy, and run them under the write lock."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chu_platform.storage.delta_properties import table_properties
from chu_platform.storage.lake import Lake, TableLocked
from chu_platform.storage.operations import DELTA_RS, Operations
from chu_platform.storage.provenance import last_data_commit, operation_metadata, with_metadata
from chu_platform.storage.store import delta_table
from chu_platform.storage.table_state import TableState, fragmented, measure
from chu_platform.tables.maintenance_policy import Policy
from chu_platform.tables.table import Table


class Operation(StrEnum):
    """The operations of maintenance, in the order of execution. The value is "operation" in the commit metadata."""

    SET_PROPERTIES = "set properties"
    OPTIMIZE = "optimize"
    VACUUM = "vacuum"
    CHECKPOINT = "checkpoint"
    CLEAN_LOG = "clean log"


@dataclass(frozen=True)
class Action:
    """An operation that is due, and the reason."""

    operation: Operation
    reason: str


@dataclass(frozen=True)
class CompletedAction:
    """A completed action, with the state of the table before and after it."""

    action: Action
    before: TableState
    after: TableState


@dataclass(frozen=True)
class MaintenanceReport:
    """Result of the maintenance of a table. `skipped` is the reason if no action ran, otherwise None."""

    before: TableState
    after: TableState
    done: Sequence[CompletedAction]
    skipped: str | None
    seconds: float


def plan(state: TableState, policy: Policy) -> Sequence[Action]:
    """The actions that are due for a table in this state, in the order of execution."""
    due: list[Action] = []
    if not state.has_properties:
        due.append(Action(Operation.SET_PROPERTIES, "the table's properties are not the declared ones"))
    if state.small_files and (state.small_files >= policy.small_files or state.small_share >= policy.small_share):
        due.append(Action(Operation.OPTIMIZE, f"{state.small_files} of {state.files} files are small"))
    if state.expired_files >= policy.expired_files:
        due.append(
            Action(Operation.VACUUM, f"{state.expired_files} files belong to no version within {policy.retention}")
        )
    if state.commits >= policy.commits:
        due.append(Action(Operation.CHECKPOINT, f"{state.commits} commits since the last checkpoint"))
    elif Operation.OPTIMIZE in [a.operation for a in due]:
        due.append(
            Action(Operation.CHECKPOINT, "readers must not start from a checkpoint that lists the rewritten files")
        )
    if state.expired_log_files:
        due.append(
            Action(Operation.CLEAN_LOG, f"{state.expired_log_files} log files are older than {policy.log_retention}")
        )
    return due


def maintain(
    lake: Lake, table: Table, policy: Policy, run: str, operations: Operations = DELTA_RS
) -> MaintenanceReport:
    """Run the operations that are due for the table, with the implementation `operations`.

    Runs none if none is due or another process writes the table; the report then has the reason. Raises ChuError if the
    table does not exist yet, or if a tool that ignores the lock writes it at the same time; no rows are lost then.
    """
    begun = time.monotonic()
    done: list[CompletedAction] = []
    before = measure(lake, table, policy)
    try:
        with lake.write_lock(table, wait=False):
            before = state = measure(lake, table, policy)
            for action in plan(before, policy):
                lake.require_lock(table)
                _run_operation(lake, table, policy, run, operations, action.operation)
                _delete_checkpoint_pointer(lake, table)
                done.append(CompletedAction(action, state, state := measure(lake, table, policy)))
    except TableLocked as error:
        return MaintenanceReport(before, before, [], str(error), time.monotonic() - begun)
    skipped = None if done else _nothing_due(before, policy)
    return MaintenanceReport(before, state, done, skipped, time.monotonic() - begun)


def _run_operation(
    lake: Lake, table: Table, policy: Policy, run: str, operations: Operations, operation: Operation
) -> None:
    path = lake.place_of(table).resolve()
    delta = lake.require(table)
    metadata = operation_metadata(table, operation, run, last_data_commit(path, delta))
    match operation:
        case Operation.SET_PROPERTIES:
            properties = table_properties(table, policy)
            delta.alter.set_table_properties(properties, commit_properties=with_metadata(metadata))
        case Operation.OPTIMIZE:
            partitions = fragmented(lake, table, policy)
            operations.optimize(path, partitions, table.layout.z_order_by, policy.target_size, metadata)
        case Operation.VACUUM:
            operations.vacuum(path, metadata)
        case Operation.CHECKPOINT:
            delta.create_checkpoint()
        case Operation.CLEAN_LOG:
            # The clean-up may delete the commit that made the rows: a new commit repeats its metadata first.
            delta.alter.set_table_properties(table_properties(table, policy), commit_properties=with_metadata(metadata))
            delta_table(path).create_checkpoint()
            delta_table(path).cleanup_metadata()


def _delete_checkpoint_pointer(lake: Lake, table: Table) -> None:
    """Delete the pointer to the last checkpoint. Readers then find the checkpoint by listing the log.

    With the pointer, Sail 0.7 cannot read most of the versions before that checkpoint.
    """
    (lake.place_of(table) / "_delta_log" / "_last_checkpoint").unlink(missing_ok=True)


def _nothing_due(state: TableState, policy: Policy) -> str:
    return (
        f"nothing is due: {state.small_files} of {state.files} files are small (due at {policy.small_files}, or "
        f"{policy.small_share:.0%}), {state.expired_files} expired (due at {policy.expired_files}), {state.commits} "
        f"commits since the last checkpoint (due at {policy.commits}), no log file is older than its retention"
    )
