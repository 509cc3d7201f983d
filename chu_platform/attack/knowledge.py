"""What several attacks compute from their inputs: each once."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chu_platform.attack.figures import Cell, Figure, Figures
from chu_platform.attack.groups import NO_CATEGORY, Group, groups_of, is_by_diagnosis
from chu_platform.attack.hierarchies import UNKNOWN, Hierarchies, Place
from chu_platform.attack.inputs import FACTS, PLACES, Inputs
from chu_platform.attack.intervals import Intervals
from chu_platform.attack.programs import Contradiction
from chu_platform.attack.system import System, build, true_values


@dataclass(frozen=True)
class Knowledge:
    """The inputs, and what follows from them."""

    inputs: Inputs
    log_progress: Callable[[str], None] = lambda _: None

    @cached_property
    def figures(self) -> Figures:
        """The published figures."""
        return Figures.of(self.inputs.tables_of_persons())

    @cached_property
    def earlier(self) -> Sequence[Figures]:
        """The visible figures of the earlier editions, with the ends of their periods."""
        found = []
        for tables in self.inputs.earlier:
            figures = Figures.of(self.inputs.tables_of_persons(tables))
            ends = {cell: figures.ends[cell] for cell, _ in figures.visible}
            found.append(Figures(figures.visible, ends=ends))
        return found

    @cached_property
    def hierarchies(self) -> Hierarchies:
        """The public hierarchies."""
        return Hierarchies(self.inputs.registers)

    @cached_property
    def groups(self) -> Sequence[Group]:
        """The relations between the published cells."""
        return list(groups_of(self.figures, self.hierarchies))

    @cached_property
    def system(self) -> System:
        """The system of the masked figures."""
        own = set(self.insiders)
        apart = {c for c in self.figures.ends if c[0] == PLACES and c[3][0] == "establishment" and c[3][1] in own}
        for before in self.earlier:
            apart |= {cell for cell, measure in self.figures.masked if (cell, measure) in before.visible}
        system = build(self.figures, self.hierarchies, apart)
        self.log_progress(f"{len(system.unknown)} unknown figures in {system.rows} rows")
        return system

    @cached_property
    def intervals(self) -> Intervals | None:
        """The possible values of the masked figures; None if the published figures contradict each other."""
        try:
            intervals = Intervals(self.system, self.log_progress)
            intervals.settle()
        except Contradiction:
            return None
        return intervals

    @cached_property
    def neighbours(self) -> Mapping[Place, Sequence[str]]:
        """The establishments with consultations of each department and region, whether their rows are listed or not."""
        found: dict[Place, list[str]] = defaultdict(list)
        table = self.inputs.exact.get(PLACES)
        if table is None:
            return found
        establishments = table.filter(pc.equal(table["level"], "establishment"))["code"].unique().to_pylist()
        for establishment in sorted(establishments):
            if establishment in self.hierarchies.department:
                for place in self.hierarchies.places_of(establishment)[1:]:
                    found[place].append(establishment)
        return found

    @cached_property
    def insiders(self) -> Sequence[str]:
        """The establishments whose heads attack: half of them in the departments with the fewest establishments."""
        department = self.hierarchies.department
        everyone = sorted(e for place, inside in self.neighbours.items() if place[0] == "department" for e in inside)
        number = min(self.inputs.insiders, len(everyone))
        lonely = sorted(everyone, key=lambda e: (len(self.neighbours["department", department[e]]), e))[: number // 2]
        others = sorted(set(everyone) - set(lonely))
        drawn = np.random.default_rng(0).permutation(len(others))[: number - len(lonely)]
        return [*lonely, *(others[i] for i in drawn)]

    @cached_property
    def exact(self) -> Figures:
        """The exact figures of the rows that may be released."""
        tables = {n: self._released(n, t) for n, t in self.inputs.exact.items() if n not in FACTS}
        return Figures.of(self.inputs.tables_of_persons(tables))

    @cached_property
    def truth(self) -> Mapping[Figure, float]:
        """The true value of each unknown figure of the system."""
        found = true_values(self.system, self.exact.visible, self.groups)
        hidden: dict[Figure, float] = defaultdict(float)
        for (cell, measure), value in self.exact.visible.items():
            if is_by_diagnosis(cell) and cell[3][0] == "leaf":
                code = cell[3][1]
                if self.hierarchies.category(code) == UNKNOWN:
                    above: Cell = (*cell[:3], (NO_CATEGORY, self.hierarchies.chapter(code)))
                    hidden[above, measure] += value
        return {**found, **{f: v for f, v in hidden.items() if f in self.system.unknown}}

    def _released(self, name: str, table: pa.Table) -> pa.Table:
        """The rows of the published levels and grains, and the leaves, which are parts of hidden cells."""
        published = self.inputs.published.get(name)
        if published is None or "level" not in table.column_names:
            return table
        pairs = published.group_by(["period_grain", "level"]).aggregate([]).to_pylist()
        wanted = {(p["period_grain"], p["level"]) for p in pairs} | {(g, "leaf") for g in ("year", "all")}
        both = pc.binary_join_element_wise(table["period_grain"], table["level"], "|")
        return table.filter(pc.is_in(both, pa.array([f"{grain}|{level}" for grain, level in sorted(wanted)])))
