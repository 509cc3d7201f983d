"""Attack 9: two editions together."""

from chu_platform.attack.complements import differences
from chu_platform.attack.figures import Figure, Figures, finding
from chu_platform.attack.findings import Finding, Result
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.null_space import determined
from chu_platform.attack.programs import Contradiction
from chu_platform.attack.rounded import known_too_well
from chu_platform.attack.system import System, build


def edition_differences(knowledge: Knowledge) -> Result:
    """Figures that differ by 1 to 10 from an earlier edition; figures masked in both that both together disclose."""
    tried = 0
    found: list[Finding] = []
    for number, before in enumerate(knowledge.earlier, 1):
        tried += sum(f in before.visible for f in knowledge.figures.visible)
        found += differences(before, knowledge.figures)
        found += _together(knowledge, before)
        knowledge.log_progress(f"edition {number} of {len(knowledge.earlier)}: {len(found)} figures found")
    if knowledge.inputs.earlier:
        rounded, too_well = known_too_well(knowledge, knowledge.inputs.earlier)
        tried, found = tried + rounded, [*found, *too_well]
    left_out = [] if knowledge.earlier else ["there is no earlier edition"]
    return Result.of(9, "differences of editions", tried, found, left_out)


def _together(knowledge: Knowledge, before: Figures) -> list[Finding]:
    """Figures that neither edition discloses alone, if closed periods did not change between them."""
    now = knowledge.figures
    shown_before = {
        f: before.visible[f] for f in now.masked if f in before.visible and before.ends.get(f[0]) == now.ends.get(f[0])
    }
    if not shown_before:
        return []
    learned = _learned(knowledge, shown_before)
    if learned is None:
        # A correction between the editions: what the equations determine is known about.
        both = Figures(
            {**now.visible, **shown_before},
            {f: None for f in now.masked if f not in shown_before},
            [],
            now.ends,
            now.bases,
        )
        learned = _determined(build(both, knowledge.hierarchies)) - _determined(knowledge.system)
    return [finding(cell, f"{measure} from two editions") for cell, measure in sorted(learned, key=str)]


def _learned(knowledge: Knowledge, shown_before: dict[Figure, float]) -> set[Figure] | None:
    """The other figures that have one possible value, not 0, with those shown before; None if there is no solution."""
    alone, system = knowledge.intervals, knowledge.system
    if alone is None:
        return None
    # The cells that were shown before are apart in the system: no column answers for two figures.
    values = {system.unknown[figure]: value for figure, value in shown_before.items()}
    try:
        together = alone.knowing(values)
    except Contradiction:
        return None
    known = together.is_fixed & ~alone.is_fixed & (together.low > 1e-3)
    known[list(values)] = False
    return {figure for figure, column in system.unknown.items() if known[column]}


def _determined(system: System) -> set[Figure]:
    """The unknown figures that the equations determine."""
    low, high = system.row_bounds
    fixed = determined(system.matrix[high - low < 1e-4])
    return {figure for figure, column in system.unknown.items() if fixed[column]}
