"""Dagster asset checks of tables: one for each group of checks of a table, because each event takes time to store.

The metadata of the result of a group have the measured number of each of its checks, which the UI plots, a table with
units and bounds, and the names of the failed ones.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import dagster as dg

from chu_platform.graph.asset_keys import key_of
from chu_platform.storage.run_checks import CheckResult
from chu_platform.tables.check_metadata import RESULTS, Outcome, to_metadata
from chu_platform.tables.table import Table

Item = TypeVar("Item")

# Columns of the table of results.
COLUMNS: Final = dg.TableSchema(
    [
        dg.TableColumn("check", "string"),
        dg.TableColumn("condition", "string"),
        dg.TableColumn("measured", "float", description="empty if there was nothing to measure"),
        dg.TableColumn("unit", "string"),
        dg.TableColumn("allowed", "string"),
        dg.TableColumn("passed", "bool"),
    ]
)


def check_specs(table: Table) -> Sequence[dg.AssetCheckSpec]:
    """The asset checks of a table. The description of each lists the checks of the group and their bounds."""
    return [
        dg.AssetCheckSpec(
            group,
            asset=key_of(table),
            description="\n".join(f"- `{c.name}` ({c.kind}): {c.condition} ({c.unit}: {c.allowed})" for c in checks),
            blocking=checks[0].blocking,
        )
        for group, checks in _grouped(table.all_checks, lambda check: check.group)
    ]


def check_events(
    check_results: Mapping[Table, Sequence[CheckResult]], selected: Collection[dg.AssetCheckKey] | None = None
) -> Iterator[dg.AssetCheckResult]:
    """The results of the asset checks of these tables, or of the `selected` ones."""
    for table, results in check_results.items():
        for group, members in _grouped(results, lambda result: result.check.group):
            if selected is not None and dg.AssetCheckKey(key_of(table), group) not in selected:
                continue
            failed = [m for m in members if not m.passed]
            blocking = members[0].check.blocking
            yield dg.AssetCheckResult(
                passed=not failed,
                asset_key=key_of(table),
                check_name=group,
                severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
                description=", ".join(f"{m.check.name}: {m.measured:g}" for m in failed if m.measured is not None)
                or None,
                metadata={
                    **to_metadata({m.check.name: Outcome(m.passed, m.measured) for m in members}),
                    RESULTS: dg.MetadataValue.table([_record(m) for m in members], COLUMNS),
                },
            )


def _record(result: CheckResult) -> dg.TableRecord:
    """The row of a check in the table of results."""
    check = result.check
    return dg.TableRecord(
        {
            "check": check.name,
            "condition": check.condition,
            "measured": result.measured,
            "unit": check.unit.value,
            "allowed": check.allowed,
            "passed": result.passed,
        }
    )


def _grouped(items: Sequence[Item], group_of: Callable[[Item], str]) -> Iterable[tuple[str, Sequence[Item]]]:
    """The items of each group, groups in the order of their first item."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(group_of(item), []).append(item)
    return groups.items()
