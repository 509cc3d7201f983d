"""Attack 9: two editions together."""

from chu_platform.attack.complements import differences
from chu_platform.attack.figures import Figure, Figures, finding
from chu_platform.attack.findings import Finding, Result
from chu_platform.attack.intervals import Contradiction, Intervals
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.null_space import determined
from chu_platform.attack.system import System, build


def edition_differences(knowledge: Knowledge) -> Result:
    """Figures that differ by 1 to 10 from an earlier edition; figures masked in both that both together disclose."""
    tried = 0
    found: list[Finding] = []
    for number, tables in enumerate(knowledge.inputs.earlier, 1):
        before = Figures.of(knowledge.inputs.tables_of_persons(tables))
        tried += sum(f in before.visible for f in knowledge.figures.visible)
        found += differences(before, knowledge.figures)
        found += _together(knowledge, before)
        knowledge.log_progress(f"edition {number} of {len(knowledge.inputs.earlier)}: {len(found)} figures found")
    left_out = [] if knowledge.inputs.earlier else ["there is no earlier edition"]
    return Result.of(9, "differences of editions", tried, found, left_out)


def _together(knowledge: Knowledge, before: Figures) -> list[Finding]:
    """Figures that neither edition discloses alone, if closed periods did not change between them."""
    now = knowledge.figures
    shown_before = {
        f: before.visible[f] for f in now.masked if f in before.visible and before.ends.get(f[0]) == now.ends.get(f[0])
    }
    if not shown_before:
        return []
    both = Figures(
        {**now.visible, **shown_before}, {f: None for f in now.masked if f not in shown_before}, [], now.ends, now.bases
    )
    alone = _known(knowledge.system)
    return [
        finding(cell, f"{measure} from two editions")
        for cell, measure in sorted(_known(build(both, knowledge.hierarchies)) - alone, key=str)
    ]


def _known(system: System) -> set[Figure]:
    """The unknown figures of a system that have one possible value, not 0."""
    try:
        intervals = Intervals(system)
        intervals.settle()
        fixed = intervals.is_fixed & (intervals.low > 1e-3)
    except Contradiction:
        # A correction between the editions: what the equations determine is known about.
        low, high = system.row_bounds
        fixed = determined(system.matrix[high - low < 1e-4])
    return {figure for figure, column in system.unknown.items() if fixed[column]}
