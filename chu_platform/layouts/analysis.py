"""What the measurements allow to say: which layouts differ from that of the platform, and at which scales.

`reports/response_time` compares the times.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chu_platform.building_blocks.measurement_file import Row

# Two medians are called different from this ratio on.
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


def at_scale(rows: Iterable[Row], scale: float) -> Sequence[Row]:
    """The rows of one scale."""
    return [row for row in rows if row["scale"] == scale]


def scales(rows: Iterable[Row]) -> Sequence[float]:
    """The measured scales, in order."""
    return sorted({float(row["scale"]) for row in rows})


def comparisons(rows: Iterable[Row]) -> Iterator[Comparison]:
    """The rows that were compared with the layout of the platform."""
    for r in rows:
        if r["verdict"] is not None:
            yield Comparison(r["engine"], r["query"], r["layout"], r["state"], r["ratio"], Verdict(r["verdict"]))


def disturbed(rows: Iterable[Row]) -> int:
    """How many measurements were made while other processes took much of the machine."""
    return sum(row["others"] is not None and row["others"] > DISTURBED for row in rows)
