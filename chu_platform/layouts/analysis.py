"""What the measurements allow to say: which layouts differ from that of the platform, and how times grow.

Two times differ only if the intervals of their medians do not touch, the medians differ by a fifth at least, and the
CPU time, which depends little on other work on the machine, differs in the same direction.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chu_platform.building_blocks.measurement_file import Row
from chu_platform.layouts.declarations import PLATFORM

MATTERS: Final = 1.2
# Above this share of the machine for other processes, a measurement is called disturbed.
DISTURBED: Final = 0.2


class Verdict(StrEnum):
    """A layout compared with another one."""

    FASTER = "faster"
    SLOWER = "slower"
    ALIKE = "alike"


@dataclass(frozen=True)
class Comparison:
    """A layout compared with that of the platform, for one engine, query and state.

    `ratio` is the median of the layout divided by that of the platform: below 1 it is faster.
    """

    engine: str
    query: str
    layout: str
    state: str
    ratio: float
    verdict: Verdict


def of_newest_machine(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows of the machine that measured last: times of two machines are not compared."""
    last = max(rows, key=lambda row: str(row["measured_at"]), default=None)
    return [row for row in rows if last and row["machine"] == last["machine"]]


def at_scale(rows: Iterable[Row], scale: float) -> Sequence[Row]:
    """The rows of one scale."""
    return [row for row in rows if row["scale"] == scale]


def scales(rows: Iterable[Row]) -> Sequence[float]:
    """The measured scales, in order."""
    return sorted({float(row["scale"]) for row in rows})


def comparisons(rows: Sequence[Row]) -> Iterator[Comparison]:
    """Each row of one scale compared with the layout of the platform; rows without limits are left out."""
    bases = {(r["engine"], r["query"], r["state"]): r for r in rows if r["layout"] == PLATFORM}
    for row in rows:
        base = bases.get((row["engine"], row["query"], row["state"]))
        if base is None or row is base or None in (row["low_ms"], base["low_ms"]):
            continue
        ratio = row["median_ms"] / base["median_ms"]
        yield Comparison(row["engine"], row["query"], row["layout"], row["state"], ratio, verdict_of(row, base))


def verdict_of(row: Row, base: Row) -> Verdict:
    """Whether a row is faster or slower than another one: intervals apart, medians apart by a fifth, CPU time too."""
    if _is_faster(row, base):
        return Verdict.FASTER
    return Verdict.SLOWER if _is_faster(base, row) else Verdict.ALIKE


def _is_faster(row: Row, other: Row) -> bool:
    apart = row["high_ms"] < other["low_ms"] and other["median_ms"] >= MATTERS * row["median_ms"]
    counted = row["cpu_ms"] is not None and other["cpu_ms"] is not None
    return bool(apart and (not counted or row["cpu_ms"] < other["cpu_ms"]))


def cpu_ratio(rows: Sequence[Row], layout: str, state: str) -> float | None:
    """The CPU time of a layout divided by that of the platform: the geometric mean over all engines and queries."""
    bases = {(r["engine"], r["query"]): r["cpu_ms"] for r in rows if (r["layout"], r["state"]) == (PLATFORM, state)}
    pairs = [
        (r["cpu_ms"], bases.get((r["engine"], r["query"])))
        for r in rows
        if (r["layout"], r["state"]) == (layout, state)
    ]
    logarithms = [math.log(cpu / base) for cpu, base in pairs if cpu and base]
    return math.exp(sum(logarithms) / len(logarithms)) if logarithms else None


def growth_exponent(rows: Sequence[Row]) -> float | None:
    """The exponent of the time over the scale, by least squares of the logarithms; None for less than two scales."""
    points = [(math.log(float(row["scale"])), math.log(float(row["median_ms"]))) for row in rows]
    if len({x for x, _ in points}) < 2:
        return None
    middle_x, middle_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope = sum((x - middle_x) * (y - middle_y) for x, y in points) / sum((x - middle_x) ** 2 for x, _ in points)
    return float(slope)


def disturbed(rows: Iterable[Row]) -> int:
    """How many measurements were made while other processes took much of the machine."""
    return sum(row["others"] is not None and row["others"] > DISTURBED for row in rows)
