"""The mask of all cells of a family: the rules for sums, for unions of persons and for insiders together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

import numpy as np
from numpy.typing import NDArray

from chu_platform.errors import ChuError
from chu_platform.sdc.choice import Choice
from chu_platform.sdc.intervals import Intervals
from chu_platform.sdc.least_cost import least_cost
from chu_platform.sdc.levels import LONG_LIST, Levels
from chu_platform.sdc.relations import Cells, Relations
from chu_platform.sdc.suppression import BrokenRelations, Protection, least_known, protect, require_sums
from chu_platform.sdc.suppression_rules import ROOM, SMALL_CELL, TOLERANCE, Quantities
from chu_platform.sdc.unions import Unions

# A level with a long list of cells is released only if at least this share of its events is in safe cells, and in cells
# that are shown.
FEWEST_SHARE = 0.005

# Secondary cells that are tried without mask at the end, the largest first.
_MAX_RETRIED_CELLS = 100


@dataclass(frozen=True, eq=False)
class System:
    """Measures (n, m) that satisfy the same relations, and their names."""

    names: str
    values: NDArray[np.float64]
    relations: Relations


@dataclass(frozen=True, eq=False)
class Insiders:
    """What somebody knows who knows a part of a cell exactly, shape (n,) each.

    `own` is the largest number of events of one such part of a cell, `few` whether the cell would tell one of these
    persons of a few others.
    """

    own: NDArray[np.float64]
    few: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Repeats:
    """Cells whose row repeats a figure of another cell, and these others, shape (pairs,) each."""

    cells: Cells
    others: Cells

    def disclosing(self, mask: NDArray[np.bool_]) -> Cells:
        """The visible cells that repeat a masked figure."""
        return self.cells[mask[self.others] & ~mask[self.cells]]


@dataclass(frozen=True, eq=False)
class Family:
    """The cells that are masked together: their events, which are unsafe, and what a reader knows of them."""

    weight: NDArray[np.float64]
    unsafe: NDArray[np.bool_]
    levels: Levels
    systems: Sequence[System]
    unions: Unions | None
    insiders: Insiders
    repeats: Repeats

    def mask(self) -> NDArray[np.bool_]:
        """The cells to mask, shape (n,). Of a level of which too little could be shown, all cells are masked.

        Raises ChuError if a relation does not hold.
        """
        for system in self.systems:
            _check(system)
        levels = self.levels
        left_out = levels.to_leave_out(self._is_poor(~self.unsafe))
        while True:
            released = self.without(levels.cells(left_out))
            greedy = released.greedy()
            more = levels.to_leave_out(left_out | self._is_poor(~greedy))
            if (more == left_out).all():
                masked = released.widened(released.spared(released.better(greedy)))
                more = levels.to_leave_out(left_out | self._is_poor(~masked))
                if (more == left_out).all():
                    return masked
            left_out = more

    def _is_poor(self, shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The levels with a long list of cells of which too few events are in cells that are shown; shape (levels,)."""
        few_shown = self.levels.shares(self.weight, shown) < FEWEST_SHARE
        return few_shown & (self.levels.cells_per_event(self.weight) > LONG_LIST)

    def without(self, gone: NDArray[np.bool_]) -> Released:
        """What is released when the cells `gone` are not, shape (n,)."""
        left = self.levels.relations_left
        return Released(
            self.weight,
            self.unsafe | gone | self.insiders.few,
            gone,
            self.levels.hidden,
            [replace(s, relations=left(s.relations, gone)) for s in self.systems],
            replace(self.unions, relations=left(self.unions.relations, gone)) if self.unions else None,
            self.insiders,
            self.repeats,
        )


@dataclass(frozen=True, eq=False)
class Released:
    """The cells of a family of which some are `gone`: not released, so that a reader does not know that they exist.

    `needed` are the cells that are masked in any case, `hidden` those that are only parts of released sums, shape (n,).
    """

    weight: NDArray[np.float64]
    needed: NDArray[np.bool_]
    gone: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    systems: Sequence[System]
    unions: Unions | None
    insiders: Insiders
    repeats: Repeats

    def greedy(self) -> NDArray[np.bool_]:
        """The needed cells, and the cheapest ones that help, one after the other, until every rule holds."""
        return self._completed(self.needed)

    def better(self, greedy: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The greedy mask, or that of the integer programs if it shows more events."""
        lightest = self._completed(self.lightest())
        return greedy if self._shown(greedy) >= self._shown(lightest) else lightest

    def _shown(self, mask: NDArray[np.bool_]) -> float:
        """The events in the cells that are shown."""
        return float(self.weight[~mask & ~self.hidden].sum())

    def lightest(self) -> NDArray[np.bool_]:
        """The needed cells, and others chosen by integer programs; rules that these do not know may fail.

        What unions of persons and insiders need is known only then, so it is chosen again with these cells.
        """
        sums = [(Quantities.of(s.values, least_known(s.values, self.gone)), s.relations) for s in self.systems]
        needed = self.needed.copy()
        while True:
            mask = least_cost(sums, self.weight, needed)
            more = self._more(mask)
            if not len(more):
                return mask
            needed[more] = True

    def _completed(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask, and more cells until every rule holds. A cell has one mask for all its measures."""
        masked = mask.copy()
        while True:
            before = masked.copy()
            for system in self.systems:
                masked |= protect(system.values, masked, system.relations, self.gone)
            masked[self._more(masked)] = True
            if (masked == before).all():
                return masked

    def spared(self, masked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The mask without cells that are not needed any more: cells were masked one after the other."""
        mask = masked.copy()
        secondary = np.flatnonzero(mask & ~self.needed)
        for cell in secondary[np.argsort(-self.weight[secondary], kind="stable")][:_MAX_RETRIED_CELLS].tolist():
            mask[cell] = False
            mask[cell] = not self._holds(mask)
        return mask

    def widened(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask, and more cells until the interval of each listed cell is wide when all sums are put together.

        What is found possible is possible for all measures of a row together. Let the events of each cell change by d,
        so that all sums hold, and no cell has more persons than a visible whole of it if its persons change by d, too.
        Then days and whole consultations may change by d, and persons may be max(persons + d, 1), in a masked whole as
        many as in a part, or more: they are at most the events, and those of a whole at most the sum of its parts.
        (Persons that add up, those by sex and age, are a system of their own, and so are professionals.)

        No cell is published again afterwards, so that the intervals stay wide. It ends, because each step masks more
        cells, and where all are masked around a cell, there is no sum to bound it.
        """
        listed = ~self.gone & ~self.hidden
        # Nobody sees whether a cell that is not listed has events.
        least = [least_known(s.values, ~listed) for s in self.systems]
        proofs = [_proof(s, known) for s, known in zip(self.systems, least, strict=True)]
        # Few cells first, as they are often enough. Later more, so that the loop ends soon.
        for width in (2 ** (step // 8) for step in count()):
            masked = mask.copy()
            # The first system has the events of the persons.
            rooms = [self.unions.room(mask) if self.unions else None, *[None] * len(self.systems)]
            for system, known, proof, room in zip(self.systems, least, proofs, rooms, strict=False):
                wanted = listed & (self.needed | _is_small(system.values).any(axis=1))
                narrow = proof.narrow(masked, wanted, room)
                if len(narrow):
                    choice = Choice(Quantities.of(system.values, known), masked, system.relations)
                    choice.extend(narrow, width)
                    masked = choice.mask
            if (masked == mask).all():
                break
            mask = self._completed(masked)
        return mask

    @cached_property
    def _protections(self) -> Sequence[Protection]:
        """The tests of the sums of each system."""
        return [Protection(s.values, s.relations, self.gone) for s in self.systems]

    def _holds(self, mask: NDArray[np.bool_]) -> bool:
        """Whether every rule holds."""
        return not len(self._more(mask)) and all(one.holds(mask) for one in self._protections)

    def _more(self, mask: NDArray[np.bool_]) -> Cells:
        """Visible cells to mask because of distinct persons, of insiders, or of figures that they repeat."""
        persons = self.unions.disclosing(mask) if self.unions else np.zeros(0, np.int64)
        return np.concatenate([persons, self._for_insiders(mask), self.repeats.disclosing(mask)])

    def _for_insiders(self, mask: NDArray[np.bool_]) -> Cells:
        """Visible cells to mask: of each sum whose masked parts leave too little room without those of one insider."""
        one, own, values = self.systems[0].relations, self.insiders.own, self.systems[0].values[:, 0]
        if not own.any():
            return np.zeros(0, np.int64)
        least = np.where(self.gone, 0.0, np.minimum(values, 1.0))
        room = one.sums(np.where(mask, values - least, 0.0))
        known = np.zeros(len(one))
        np.maximum.at(known, one.rows, np.where(mask, own, 0.0)[one.children])
        narrow = np.flatnonzero(~mask[one.parents] & (known > 0) & (room - known < ROOM - TOLERANCE))
        found = []
        for r in narrow.tolist():
            children = one.children[one.starts[r] : one.starts[r + 1]]
            shown = children[~mask[children] & (values[children] > 0)]
            found.append(shown[np.argmin(values[shown])] if len(shown) else one.parents[r])
        return np.array(found, np.int64)


def _proof(system: System, least: NDArray[np.float64]) -> Intervals:
    """The intervals of a system in which all measures of a cell change by the same amount.

    So days stay at least the stays, and persons at most the events (`Released.widened`). The smallest measure is the
    last to be 11; it may fall as far as no measure falls below what is known of it.
    """
    smallest = system.values.min(axis=1)
    return Intervals(system.relations, smallest, smallest + (least - system.values).max(axis=1))


def _is_small(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (values > 0) & (values <= SMALL_CELL)


def _check(system: System) -> None:
    """Raise ChuError if a relation does not hold."""
    try:
        require_sums(system.values, system.relations)
    except BrokenRelations as broken:
        raise ChuError(
            f"{broken.number} totals of {system.names} are not the sums of their parts: the indicators "
            "that are masked together were made from different rows, or one of them is wrong; make what the mask "
            "reads again, from the facts on"
        ) from None
