"""The ten attacks, in order."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from chu_platform.attack.complements import few_ranks, small_complements, small_overlaps
from chu_platform.attack.contributors import few_contributors
from chu_platform.attack.editions import edition_differences
from chu_platform.attack.findings import Result
from chu_platform.attack.inputs import PERSON_TABLES, ROUNDED_TABLES, Inputs
from chu_platform.attack.insider import insiders
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.linear import narrow_intervals, recomputed
from chu_platform.attack.professionals import public_incidence
from chu_platform.attack.side_tables import side_tables

ATTACKS: Final[Mapping[int, Callable[[Knowledge], Result]]] = {
    1: recomputed,
    2: few_contributors,
    3: public_incidence,
    4: small_complements,
    5: small_overlaps,
    6: few_ranks,
    7: narrow_intervals,
    8: side_tables,
    9: edition_differences,
    10: insiders,
}


def run_attacks(
    inputs: Inputs, numbers: Collection[int] = tuple(ATTACKS), log_progress: Callable[[str], None] = lambda _: None
) -> Iterator[Result]:
    """Run the attacks with these numbers, in order, and give the result of each."""
    knowledge = Knowledge(inputs, log_progress)
    for number in sorted(numbers):
        log_progress(f"attack {number}")
        yield ATTACKS[number](knowledge)


def not_understood(inputs: Inputs) -> list[str]:
    """The published indicators of persons that no attack understands."""
    return sorted(
        name
        for name in inputs.published
        if name.startswith("kpi_")
        and name not in (*PERSON_TABLES, *ROUNDED_TABLES)
        and name not in inputs.public_sources
    )
