"""The outcomes of a group of checks, as metadata of one event in Dagster's log, and read back from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# Metadata keys with the names of the failed checks, and with what each check measured, its unit and its bounds. The
# other keys are names of checks.
FAILED: Final = "failed checks"
RESULTS: Final = "results"
NOTHING_MEASURED: Final = "nothing to measure"


@dataclass(frozen=True)
class Outcome:
    """Whether a check passed, and the number that it measured; None if there was nothing to measure."""

    passed: bool
    measured: float | None


def to_metadata(outcomes: Mapping[str, Outcome]) -> Mapping[str, float | str]:
    """Metadata with the measured number of each check by name, the failed ones first, and the names of the failed."""
    failed = [name for name, outcome in outcomes.items() if not outcome.passed]
    ordered = {name: outcomes[name].measured for name in (*failed, *outcomes)}
    measured = {name: NOTHING_MEASURED if number is None else number for name, number in ordered.items()}
    return {FAILED: ", ".join(failed), **measured} if failed else measured


def from_metadata(metadata: Mapping[str, object]) -> Mapping[str, Outcome]:
    """The outcomes by name of check, from the values of the metadata of an event."""
    failed = str(metadata.get(FAILED, "")).split(", ")
    return {
        name: Outcome(name not in failed, float(value) if isinstance(value, int | float) else None)
        for name, value in metadata.items()
        if name not in (FAILED, RESULTS)
    }
