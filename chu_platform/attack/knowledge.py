"""What several attacks compute from their inputs: each once."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from chu_platform.attack.figures import Cell, Figure, Figures
from chu_platform.attack.groups import NO_CATEGORY, Group, groups_of, is_by_diagnosis
from chu_platform.attack.hierarchies import UNKNOWN, Hierarchies
from chu_platform.attack.inputs import CONSULTATIONS, Inputs
from chu_platform.attack.intervals import Contradiction, Intervals
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
        system = build(self.figures, self.hierarchies)
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
    def exact(self) -> Figures:
        """The exact figures of the rows that may be released."""
        tables = {n: self._released(n, t) for n, t in self.inputs.exact.items() if n != CONSULTATIONS}
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
