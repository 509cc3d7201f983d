"""When a table follows from others on its own.

Here: the condition. Not here: what starts deliveries (schedules, arrivals).
"""

from typing import Final

from dagster import AssetSelection, AutomationCondition, AutomationConditionSensorDefinition, DefaultSensorStatus

# Dagster's `eager`, for every slice instead of the last one (late data corrects old months), and only from tables
# whose blocking checks hold.
FOLLOWS: Final = (
    AutomationCondition.eager().without(AutomationCondition.in_latest_time_window())
    & AutomationCondition.all_deps_blocking_checks_passed()
).with_label("follows from upstream whose blocking checks passed")

follow_upstream: Final = AutomationConditionSensorDefinition(
    "follow_upstream",
    target=AssetSelection.all(),
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.RUNNING,
    description="Makes what follows from tables that were made anew, when all their blocking checks passed.",
)
