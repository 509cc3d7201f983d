"""Attacks 1 and 7: the system of all published figures, solved and bounded."""

import numpy as np

from chu_platform.attack.contributors import contributions, is_dominated
from chu_platform.attack.figures import SMALL, finding, is_small
from chu_platform.attack.findings import Result
from chu_platform.attack.groups import is_computable
from chu_platform.attack.inputs import CONSULTATIONS
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.proofs import Goal, Proofs
from chu_platform.attack.rounded import known_too_well

_CONTRADICTION = "the published figures contradict each other: the system has no solution"


def recomputed(knowledge: Knowledge) -> Result:
    """Attack 1: masked figures that have one possible value, and masked figures whose rates are visible.

    A masked figure that can only be 0 counts nobody, and is not disclosed. Nor is a part that is never published
    (the codes without category of a chapter, a difference), unless it is small.
    """
    title = "linear system with whole numbers and bounds"
    tried = len(knowledge.figures.masked) + len(knowledge.figures.recovered)
    found = [finding(cell, f"{measure} from visible rates") for cell, measure in knowledge.figures.recovered]
    intervals = knowledge.intervals
    if intervals is None:
        return Result.of(1, title, tried, found, [_CONTRADICTION])
    fixed = intervals.is_fixed
    for (cell, measure), column in knowledge.system.unknown.items():
        known = fixed[column] and intervals.low[column] > 1e-3
        if known and (not is_computable(cell) or is_small(intervals.low[column])):
            found.append(finding(cell, f"{measure} has one possible value"))
    return Result.of(1, title, tried, found, knowledge.system.left_out)


def narrow_intervals(knowledge: Knowledge) -> Result:
    """Attack 7: small masked figures that are known to be at most 10, or to lie in an interval of less than 10."""
    title = "interval of each small figure"
    system, intervals, truth = knowledge.system, knowledge.intervals, knowledge.truth
    primary = [f for f in system.unknown if f in truth and is_small(truth[f])]
    if CONSULTATIONS in knowledge.inputs.exact:
        dominated = {cell for cell, made in contributions(knowledge).items() if is_dominated(made)}
        work = (f for f in system.unknown if f[0] in dominated and f[1] == "events")
        primary += [f for f in work if not is_small(truth.get(f, 1))]
    rounded, too_well = known_too_well(knowledge)
    if intervals is None:
        return Result.of(7, title, len(primary) + rounded, too_well, [_CONTRADICTION])
    columns = np.array(list(dict.fromkeys(system.unknown[f] for f in primary)), np.int64)
    # The true values are a solution from which others are found; what is possible does not depend on it.
    goal = Goal(float(SMALL), SMALL + 1.0)
    proofs = Proofs(intervals, system, system.values(truth), goal, knowledge.log_progress)
    verdict = proofs.judge(columns)
    exposed, unknown = set(verdict.narrow.tolist()), set(verdict.undecided.tolist())
    found = [
        finding(cell, f"interval of {measure}") for cell, measure in primary if system.unknown[cell, measure] in exposed
    ]
    undecided = sum(system.unknown[figure] in unknown for figure in primary)
    return Result.of(7, title, len(primary) + rounded, [*found, *too_well], undecided=undecided)
