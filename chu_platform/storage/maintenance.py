"""Maintenance: what is due for a table past the thresholds of its policy, and doing it while nobody writes the table.

Here: the plan, its order, the report. Not here: measuring (state), how an operation is done (operations).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from deltalake import DeltaTable

from chu_platform.storage.delta_properties import table_properties
from chu_platform.storage.lake import BeingWritten, Lake
from chu_platform.storage.operations import DELTA_RS, Operations
from chu_platform.storage.provenance import last_data_commit, operation_metadata, with_metadata
from chu_platform.storage.table_state import State, fragmented, measure
from chu_platform.tables.maintenance_policy import Policy
from chu_platform.tables.table import Table

if TYPE_CHECKING:
    pass


class Operation(StrEnum):
    """What maintenance does, in this order; the value is "operation" in the metadata of the commit."""

    SET_PROPERTIES = "set properties"
    OPTIMIZE = "optimize"
    VACUUM = "vacuum"
    CHECKPOINT = "checkpoint"
    CLEAN_LOG = "clean log"


@dataclass(frozen=True)
class Action:
    """An operation that is due, and why."""

    operation: Operation
    reason: str


@dataclass(frozen=True)
class Done:
    """An action that was done: the table before and after it."""

    action: Action
    before: State
    after: State


@dataclass(frozen=True)
class Report:
    """What maintenance did to a table; `skipped` says why it did nothing, and is None when it did something."""

    before: State
    after: State
    done: Sequence[Done]
    skipped: str | None
    seconds: float


def plan(state: State, policy: Policy) -> Sequence[Action]:
    """What is due for a table in this state, in the order in which to do it."""
    due: list[Action] = []
    if not state.has_properties:
        due.append(Action(Operation.SET_PROPERTIES, "the table's properties are not the declared ones"))
    if state.small_files and (state.small_files >= policy.small_files or state.small_share >= policy.small_share):
        due.append(Action(Operation.OPTIMIZE, f"{state.small_files} of {state.files} files are small"))
    if state.expired_files >= policy.expired_files:
        due.append(Action(Operation.VACUUM, f"{state.expired_files} files are of no version within {policy.retention}"))
    if state.commits >= policy.commits:
        due.append(Action(Operation.CHECKPOINT, f"{state.commits} commits since the last checkpoint"))
    elif Operation.OPTIMIZE in [a.operation for a in due]:
        due.append(Action(Operation.CHECKPOINT, "readers shall not start from one that lists the rewritten files"))
    if state.expired_log_files:
        due.append(
            Action(Operation.CLEAN_LOG, f"{state.expired_log_files} log files are of before {policy.log_retention} ago")
        )
    return due


def maintain(lake: Lake, table: Table, policy: Policy, run: str, operations: Operations = DELTA_RS) -> Report:
    """Do what is due for the table, by `operations`.

    Does nothing, with the reason, when nothing is due or another process writes the table. Raises ChuError when
    the table was never written, or when a tool that knows of no lock writes it meanwhile; nothing is lost then.
    """
    begun = time.monotonic()
    done: list[Done] = []
    before = measure(lake, table, policy)
    try:
        with lake.writing(table, wait=False):
            before = state = measure(lake, table, policy)
            for action in plan(before, policy):
                _do(lake, table, policy, run, operations, action.operation)
                _forget_last_checkpoint(lake, table)
                done.append(Done(action, state, state := measure(lake, table, policy)))
    except BeingWritten as error:
        return Report(before, before, [], str(error), time.monotonic() - begun)
    skipped = None if done else _nothing_due(before, policy)
    return Report(before, state, done, skipped, time.monotonic() - begun)


def _do(lake: Lake, table: Table, policy: Policy, run: str, operations: Operations, operation: Operation) -> None:
    path = lake.path(table).resolve()
    delta = lake.require(table)
    metadata = operation_metadata(table, operation, run, last_data_commit(delta))
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
            # A table that has not changed for long must not lose what its publication said: a new commit carries it.
            delta.alter.set_table_properties(table_properties(table, policy), commit_properties=with_metadata(metadata))
            DeltaTable(path).create_checkpoint()
            DeltaTable(path).cleanup_metadata()


def _forget_last_checkpoint(lake: Lake, table: Table) -> None:
    """Delete the pointer to the last checkpoint, which readers do without: they list the log.

    While it is there, Sail 0.7 cannot read most versions of before that checkpoint.
    """
    (lake.path(table) / "_delta_log" / "_last_checkpoint").unlink(missing_ok=True)


def _nothing_due(state: State, policy: Policy) -> str:
    return (
        f"nothing is due: {state.small_files} of {state.files} files are small (due at {policy.small_files}, or "
        f"{policy.small_share:.0%}), {state.expired_files} expired (due at {policy.expired_files}), {state.commits} "
        f"commits since the last checkpoint (due at {policy.commits}), no log file is older than its retention"
    )
