"""Attack 10: the head of an establishment, who knows its exact figures."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from chu_platform.attack.attendance import left_to_others
from chu_platform.attack.figures import SMALL, TOTAL, Cell, Figure, Figures, finding, is_small
from chu_platform.attack.findings import Finding, Result
from chu_platform.attack.inputs import PLACES
from chu_platform.attack.intervals import Intervals, propagate
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.null_space import directions

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_MEASURES: Final = ("events", "consultations", "patients")
_DIRECTIONS: Final = 5
_PARALLEL: Final = 1e-4


def insiders(knowledge: Knowledge) -> Result:
    """What each of some heads of establishments learns of others, given all exact figures of the own establishment.

    Half of them are in the departments with the fewest establishments.
    """
    title = "insiders"
    if PLACES not in knowledge.inputs.exact:
        return Result.of(10, title, 0, (), [f"without the exact table {PLACES}, no insider can attack"])
    chosen = knowledge.insiders
    own = _own_figures(knowledge, chosen)
    found: list[Finding] = []
    for establishment in chosen:
        found += _remainders(knowledge, own[establishment])
        found += _only_neighbours(knowledge, establishment, own[establishment])
    found += left_to_others(knowledge, chosen)
    if knowledge.intervals is not None:
        found += _system(knowledge, knowledge.intervals, own)
    left_out = [] if knowledge.intervals else ["the published figures contradict each other: the system was left out"]
    return Result.of(10, title, len(chosen), found, left_out)


def _own_figures(knowledge: Knowledge, chosen: Sequence[str]) -> Mapping[str, dict[Figure, float]]:
    """The exact figures of each chosen establishment, in all periods."""
    table = knowledge.inputs.exact[PLACES]
    is_chosen = pc.is_in(table["code"], pa.array(list(chosen), table["code"].type))
    mine = pc.and_(pc.equal(table["level"], "establishment"), is_chosen)
    own: dict[str, dict[Figure, float]] = {establishment: {} for establishment in chosen}
    for figure, value in Figures.of({PLACES: table.filter(mine)}).visible.items():
        own[figure[0][3][1]][figure] = value
    return own


def _remainders(knowledge: Knowledge, own: Mapping[Figure, float]) -> Iterator[Finding]:
    """Visible figures of wider places that leave 1 to 10 to all other establishments."""
    for (cell, measure), value in own.items():
        if measure not in _MEASURES or value <= 0:
            continue
        for place in (*knowledge.hierarchies.places_of(cell[3][1])[1:], TOTAL):
            wider: Cell = (*cell[:3], place)
            whole = knowledge.figures.value(wider, measure)
            if whole is not None and is_small(whole - value):
                yield finding(wider, f"{measure} outside of {cell[3][1]}")


def _only_neighbours(knowledge: Knowledge, establishment: str, own: Mapping[Figure, float]) -> Iterator[Finding]:
    """The other establishment of a place with two: its figure is the visible one of the place minus the own one."""
    for place in knowledge.hierarchies.places_of(establishment)[1:]:
        others = [e for e in knowledge.neighbours[place] if e != establishment]
        if len(others) != 1:
            continue
        for (cell, measure), whole in knowledge.figures.visible.items():
            if cell[0] != PLACES or cell[3] != place or measure != "events":
                continue
            other: Cell = (*cell[:3], ("establishment", others[0]))
            mine = own.get(((*cell[:3], ("establishment", establishment)), measure), 0.0)
            if knowledge.figures.value(other, measure) is None and whole - mine > 1e-6:
                yield finding(other, f"{measure}, by {establishment}")


def _system(knowledge: Knowledge, intervals: Intervals, own: Mapping[str, dict[Figure, float]]) -> Iterator[Finding]:
    """Masked figures of others that the system of published figures gives to those who know their own.

    The figures of a place without another establishment are the own ones.
    """
    system = knowledge.system
    fixed = intervals.is_fixed
    # The own establishments are apart in the system: no column answers for two figures.
    learned_of = {
        e: {system.unknown[f]: v for f, v in mine.items() if f in system.unknown and not fixed[system.unknown[f]]}
        for e, mine in own.items()
    }
    columns_of = {e: np.array(list(known), np.int64) for e, known in learned_of.items()}
    parallel = _Parallel(intervals, columns_of)
    for number, (establishment, columns) in enumerate(columns_of.items(), 1):
        if not len(columns):
            continue
        low, high = intervals.low.copy(), intervals.high.copy()
        low[columns] = high[columns] = list(learned_of[establishment].values())
        after = propagate(intervals.matrix, intervals.rows, low, high, intervals.steps)
        if after.broken:
            continue
        known = (after.high - after.low < 1e-3) & (after.low > 1e-3)
        known |= parallel.known_with(columns)
        narrow = (after.high < SMALL + 1 - 1e-6) & (after.low > 1e-3) & (intervals.high >= SMALL + 1 - 1e-6)
        learned = (known | narrow) & ~fixed
        for cell, measure in system.figures_of(np.flatnonzero(learned).tolist()):
            if cell[0] == PLACES:
                level, code = cell[3]
                inside = [code] if level == "establishment" else knowledge.neighbours.get((level, code))
                if inside == [establishment]:
                    continue
            yield finding(cell, f"{measure}, by {establishment}")
        if number % 10 == 0:
            knowledge.log_progress(f"insiders: {number} of {len(columns_of)}")


class _Parallel:
    """Unknowns that the equations determine as soon as some others are known.

    They are those whose movement, in every solution of the equations without constants, is a combination of the
    movements of the known ones.
    """

    def __init__(self, intervals: Intervals, columns_of: Mapping[str, NDArray[np.int64]]) -> None:
        wanted = np.concatenate([np.zeros(0, np.int64), *columns_of.values()])
        touched = np.isin(intervals.components, np.unique(intervals.components[wanted]))
        self._columns = np.flatnonzero(touched)
        equations: csr_array = intervals.equations[:, self._columns]
        most = max((len(c) for c in columns_of.values()), default=0)
        moves = directions(equations, _DIRECTIONS + most) if len(self._columns) else np.zeros((0, _DIRECTIONS))
        self._moves = moves
        self._size = len(intervals.low)

    def known_with(self, columns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which unknowns are determined when `columns` are known; shape (unknowns,)."""
        own = self._moves[np.isin(self._columns, columns)]
        basis = np.linalg.qr(own.T)[0]
        rest = self._moves - self._moves @ basis @ basis.T
        found = np.zeros(self._size, np.bool_)
        moving = np.abs(self._moves).max(axis=1) > _PARALLEL if len(self._moves) else np.zeros(0, np.bool_)
        found[self._columns[moving & (np.abs(rest).max(axis=1) < _PARALLEL)]] = True
        return found
