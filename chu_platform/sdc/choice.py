"""The greedy choice of secondary cells: the cheapest suitable cell is masked until no relation fails a rule.

(The other choice is `least_cost`.)

The code uses lists instead of arrays, because access to single elements is several times faster in lists.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.relations import Cells, Relations
from chu_platform.sdc.suppression_rules import Quantities, assess


class Choice:
    """A mask that is extended until every suppression rule holds.

    Exposures and remainders (see `suppression_rules.Assessment`) are updated after each masked cell. They only grow
    with the mask, so a relation that meets the rules can fail only after one of its own cells is masked.
    """

    def __init__(self, quantities: Quantities, small: NDArray[np.bool_], relations: Relations) -> None:
        amounts = quantities.amounts
        n = len(amounts)
        self._masked: list[bool] = small.tolist()
        self._amounts: list[list[float]] = amounts.T.tolist()
        self._thresholds: list[float] = quantities.thresholds.tolist()
        self._parents: list[int] = relations.parents.tolist()
        self._starts: list[int] = relations.starts.tolist()
        # The cheapest cells first. A zero protects no other cell, so zeros come last.
        first = amounts[relations.children, 0]
        order = np.lexsort((relations.children, first, first <= 0, relations.rows))
        self._children: list[int] = relations.children[order].tolist()
        self._next = self._starts[:-1].copy()
        # For each cell, the relations of which it is a child, and those of which it is the parent.
        self._as_child = _of_all_cells(relations.as_child, n)
        self._as_parent = _of_all_cells(relations.as_parent, n)
        now = assess(quantities, small, relations)
        self._exposure: list[list[float]] = now.exposure.T.tolist()
        self._remainder: list[list[float]] = now.remainder.T.tolist()
        self._count: list[int] = now.count.tolist()
        # Small sums first: the cells masked in them may already protect the sums above them.
        self._rank: list[int] = np.argsort(np.lexsort((relations.parents, amounts[relations.parents, 0]))).tolist()
        self._queue = [(self._rank[r], r) for r in np.flatnonzero(now.failed).tolist()]
        heapq.heapify(self._queue)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The cells masked so far."""
        return np.array(self._masked, np.bool_)

    def apply_rules(self) -> None:
        """Mask cells until each relation meets the suppression rules, alone and merged with the relations below it."""
        while self._queue:
            r = heapq.heappop(self._queue)[1]
            while self._fails(r):
                self._mask(self._cheapest(r))

    def extend(self, disclosed: Cells, width: int) -> bool:
        """Mask `width` more cells near each group of disclosed cells; False when there is no cell to mask.

        A group is a set of disclosed cells connected by relations. One more unknown cell often protects all of them.
        """
        waiting = dict.fromkeys(disclosed.tolist())
        extra: list[int] = []
        while waiting:
            pending, near = [next(iter(waiting))], dict[int, None]()
            while pending:
                cell = pending.pop()
                if cell in waiting:
                    del waiting[cell]
                    for r in self._as_child[cell] + self._as_parent[cell]:
                        if r not in near:
                            near[r] = None
                            pending += [self._parents[r], *self._children_of(r)]
            extra += self._nearest(list(near))[:width]
        for cell in extra:
            if not self._masked[cell]:
                self._mask(cell)
        return bool(extra)

    def _nearest(self, relations: list[int]) -> list[int]:
        """The published cells of `relations`, the cheapest first.

        If there are none: those of the relations that share a cell with `relations`, and so on.
        """
        seen = set(relations)
        while relations:
            candidates = [cell for r in relations for cell in self._published(r)]
            if candidates:
                return sorted(set(candidates), key=self._cost)
            cells = {cell for r in relations for cell in (self._parents[r], *self._children_of(r))}
            relations = sorted({r for cell in cells for r in self._as_child[cell] + self._as_parent[cell]} - seen)
            seen.update(relations)
        return []

    def _fails(self, r: int) -> bool:
        """Whether the relation `r` fails a suppression rule (see `suppression_rules.assess`)."""
        if self._count[r] < 2:
            return self._count[r] == 1
        return not self._masked[self._parents[r]] and self._exposed_measure(r) is not None

    def _exposed_measure(self, r: int) -> int | None:
        """The first measure in which the remainder of the published parent is too small."""
        for m, threshold in enumerate(self._thresholds):
            if self._remainder[m][r] <= threshold:
                return m
        return None

    def _cheapest(self, r: int) -> int:
        """The cheapest published cell that helps the failing relation `r` if it is masked. There is always one."""
        candidates = self._published(r)
        measure = self._exposed_measure(r) if self._count[r] > 1 else None
        if measure is not None:
            candidates += self._published_below(r, measure)
        return min(candidates, key=self._cost)

    def _published(self, r: int) -> list[int]:
        """The candidates: the parent, if it is published, and the cheapest published child, if there is one."""
        parent = self._parents[r]
        found = [] if self._masked[parent] else [parent]
        end = self._starts[r + 1]
        while self._next[r] < end and self._masked[self._children[self._next[r]]]:
            self._next[r] += 1
        if self._next[r] < end:
            found.append(self._children[self._next[r]])
        return found

    def _published_below(self, r: int, measure: int) -> list[int]:
        """The published cells that an attacker subtracts from masked children of `r`.

        Masking one of them increases the remainder of `r`.
        """
        found: list[int] = []
        remainder, amounts = self._remainder[measure], self._amounts[measure]
        pending = [r]
        while pending:
            for cell in self._children_of(pending.pop()):
                if self._masked[cell] and self._as_parent[cell]:
                    finer = min(self._as_parent[cell], key=remainder.__getitem__)
                    if remainder[finer] < amounts[cell]:
                        found += self._published(finer)
                        pending.append(finer)
        return found

    def _children_of(self, r: int) -> list[int]:
        return self._children[self._starts[r] : self._starts[r + 1]]

    def _cost(self, cell: int) -> tuple[bool, float, int]:
        return self._amounts[0][cell] <= 0, self._amounts[0][cell], cell

    def _enqueue(self, r: int) -> None:
        if self._fails(r):
            heapq.heappush(self._queue, (self._rank[r], r))

    def _mask(self, cell: int) -> None:
        self._masked[cell] = True
        for m in range(len(self._amounts)):
            self._expose(cell, m)
        for r in self._as_child[cell] + self._as_parent[cell]:
            self._count[r] += 1
        for r in self._as_child[cell] + self._as_parent[cell]:
            self._enqueue(r)

    def _expose(self, cell: int, measure: int) -> None:
        """Update the exposure of a masked cell, and the remainders and exposures above it."""
        exposure, remainder = self._exposure[measure], self._remainder[measure]
        now = min([self._amounts[measure][cell], *(remainder[r] for r in self._as_parent[cell])])
        gain = now - exposure[cell]
        if gain <= 0:
            return
        exposure[cell] = now
        for r in self._as_child[cell]:
            remainder[r] += gain
            if self._masked[self._parents[r]]:
                self._expose(self._parents[r], measure)


def _of_all_cells(relations: list[list[int]], n: int) -> list[list[int]]:
    """The relations of each cell from 0 to n - 1."""
    return relations + [[]] * (n - len(relations))
