"""Automation condition of tables that are made from other tables."""

from typing import Final

from dagster import AssetSelection, AutomationCondition, AutomationConditionSensorDefinition, DefaultSensorStatus

# Dagster's `eager` condition with two changes: it applies to all partitions and not only to the last one (late data
# corrects old months), and only if the blocking checks of the inputs passed.
FOLLOWS: Final = (
    AutomationCondition.eager().without(AutomationCondition.in_latest_time_window())
    & AutomationCondition.all_deps_blocking_checks_passed()
).with_label("follows from upstream whose blocking checks passed")

follow_upstream: Final = AutomationConditionSensorDefinition(
    "follow_upstream",
    target=AssetSelection.all(),
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Makes the tables that depend on updated tables, if all blocking checks of these passed.",
)
