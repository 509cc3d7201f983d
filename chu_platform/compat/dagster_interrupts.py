"""Whether Dagster has received a signal and has not acted on it yet.

While a run is prepared, between two steps, and while a step waits for its turn, Dagster only notes a signal
(`capture_interrupts`). No public function tells.
"""

from dagster._utils.interrupts import check_captured_interrupt


def was_interrupted() -> bool:
    """Whether a signal waits for the next step."""
    return bool(check_captured_interrupt())
