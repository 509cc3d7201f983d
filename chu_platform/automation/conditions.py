"""When a table follows from others on its own.

Here: the condition. Not here: what starts deliveries (schedules, arrivals).
"""

from typing import Final

from dagster import AutomationCondition

# Dagster's `eager`, for every slice instead of the last one (late data corrects old months), and only from tables
# whose blocking checks hold.
FOLLOWS: Final = (
    AutomationCondition.eager().without(AutomationCondition.in_latest_time_window())
    & AutomationCondition.all_deps_blocking_checks_passed()
).with_label("follows from upstream whose blocking checks passed")
