"""The mask of all cells of a family: the rules for sums, for unions of persons and for insiders together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chu_platform.errors import ChuError
from chu_platform.sdc.levels import Levels
from chu_platform.sdc.relations import Cells, Relations
from chu_platform.sdc.suppression import BrokenRelations, protect
from chu_platform.sdc.suppression_rules import ROOM, TOLERANCE
from chu_platform.sdc.unions import Unions

# A level is released only if at least this share of its events is in safe cells, and in cells that are shown.
FEWEST_SAFE = 0.1
FEWEST_SHOWN = 0.05


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
class Family:
    """The cells that are masked together: their events, which are unsafe, and what a reader knows of them."""

    weight: NDArray[np.float64]
    unsafe: NDArray[np.bool_]
    levels: Levels
    systems: Sequence[System]
    unions: Unions | None
    insiders: Insiders

    def mask(self) -> NDArray[np.bool_]:
        """The cells to mask, shape (n,). Of a level of which too little could be shown, all cells are masked."""
        levels = self.levels
        left_out = levels.to_leave_out(levels.shares(self.weight, ~self.unsafe) < FEWEST_SAFE)
        while True:
            gone = levels.cells(left_out)
            masked = self._without(gone)
            poor = levels.shares(self.weight, ~masked) < FEWEST_SHOWN
            more = levels.to_leave_out(left_out | poor)
            if (more == left_out).all():
                return masked
            left_out = more

    def _without(self, gone: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The mask when the cells `gone` are not released."""
        systems = [replace(s, relations=self.levels.relations_left(s.relations, gone)) for s in self.systems]
        unions = (
            replace(self.unions, relations=self.levels.relations_left(self.unions.relations, gone))
            if self.unions
            else None
        )
        masked = self.unsafe | gone | self.insiders.few
        # A cell has one mask for all its measures: repeat until no rule adds a cell.
        while True:
            before = masked.copy()
            for system in systems:
                masked = masked | _protected(system, masked, gone)
            if unions:
                masked[unions.disclosing(masked)] = True
            masked[self._for_insiders(systems[0], masked, gone)] = True
            if (masked == before).all():
                return masked

    def _for_insiders(self, system: System, masked: NDArray[np.bool_], gone: NDArray[np.bool_]) -> Cells:
        """Visible cells to mask: of each sum whose masked parts leave too little room without those of one insider."""
        one, own = system.relations, self.insiders.own
        if not own.any():
            return np.zeros(0, np.int64)
        values = system.values[:, 0]
        room = one.sums(np.where(masked, values - np.where(gone, 0.0, np.minimum(values, 1.0)), 0.0))
        known = np.zeros(len(one))
        np.maximum.at(known, one.rows, np.where(masked, own, 0.0)[one.children])
        any_own = known > 0
        small = np.flatnonzero(~masked[one.parents] & any_own & (room - known < ROOM - TOLERANCE))
        found = []
        for r in small.tolist():
            children = one.children[one.starts[r] : one.starts[r + 1]]
            shown = children[~masked[children] & (values[children] > 0)]
            found.append(shown[np.argmin(values[shown])] if len(shown) else one.parents[r])
        return np.array(found, np.int64)


def _protected(system: System, masked: NDArray[np.bool_], gone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    try:
        return protect(system.values, masked, system.relations, gone)
    except BrokenRelations as broken:
        raise ChuError(
            f"{broken.number} totals of {system.names} are not the sums of their parts: the indicators "
            "that are masked together were made from different rows, or one of them is wrong; make what the mask "
            "reads again, from the facts on"
        ) from None
