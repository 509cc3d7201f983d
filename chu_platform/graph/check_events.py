"""Dagster asset checks of tables: one for each group of checks of a table, because each event takes time to store.

The result of a group has the measured number of each of its checks in its metadata, and the names of the failed ones.
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from chu_platform.graph.asset_keys import key_of
from chu_platform.storage.run_checks import CheckResult
from chu_platform.tables.check_metadata import Outcome, to_metadata
from chu_platform.tables.checks import Check
from chu_platform.tables.table import Table


def check_specs(table: Table) -> Sequence[dg.AssetCheckSpec]:
    """The asset checks of a table. The description of each lists the checks of the group and their bounds."""
    groups: dict[str, list[Check]] = {}
    for check in table.all_checks:
        groups.setdefault(check.group, []).append(check)
    return [
        dg.AssetCheckSpec(
            group,
            asset=key_of(table),
            description="\n".join(f"- `{c.name}` ({c.kind}): {c.description} ({c.threshold})" for c in checks),
            blocking=checks[0].blocking,
        )
        for group, checks in groups.items()
    ]


def check_events(check_results: Mapping[Table, Sequence[CheckResult]]) -> Iterator[dg.AssetCheckResult]:
    """The results of the asset checks of these tables."""
    for table, results in check_results.items():
        groups: dict[str, list[CheckResult]] = {}
        for result in results:
            groups.setdefault(result.check.group, []).append(result)
        for group, members in groups.items():
            failed = [m for m in members if not m.passed]
            blocking = members[0].check.blocking
            yield dg.AssetCheckResult(
                passed=not failed,
                asset_key=key_of(table),
                check_name=group,
                severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
                description=", ".join(f"{m.check.name}: {m.measured:g}" for m in failed if m.measured is not None)
                or None,
                metadata=to_metadata({m.check.name: Outcome(m.passed, m.measured) for m in members}),
            )
