"""The public hierarchies: places, diagnoses, and the weights of professionals."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import lcm

from chu_platform.attack.inputs import Registers

UNKNOWN = "inconnu"
# Above this, a share of events is as good as continuous.
MAX_PARTS = 60
Place = tuple[str, str]


@dataclass(frozen=True)
class Weights:
    """What the register says about the share of a place in one consultation of its professionals.

    `parts`: shares are multiples of 1/parts; 0 if there is no small number of this kind.
    """

    least: float
    most: float
    parts: int


@dataclass(frozen=True)
class Hierarchies:
    """The parents of places and of diagnoses."""

    registers: Registers

    @cached_property
    def department(self) -> Mapping[str, str]:
        """The department of each establishment."""
        table = self.registers.establishments
        return dict(zip(table["establishment_key"].to_pylist(), table["department_code"].to_pylist(), strict=True))

    @cached_property
    def mixed(self) -> frozenset[str]:
        """The departments in which an establishment has been that has been in several.

        They are not the sum of the establishments that are in them now.
        """
        table = self.registers.moves
        found: dict[str, set[str]] = defaultdict(set)
        for establishment, department in zip(*(c.to_pylist() for c in table.columns), strict=True) if table else ():
            found[establishment].add(department)
        return frozenset(d for departments in found.values() if len(departments) > 1 for d in departments)

    @cached_property
    def region(self) -> Mapping[str, str]:
        """The region of each department."""
        table = self.registers.establishments
        return dict(zip(table["department_code"].to_pylist(), table["region_key"].to_pylist(), strict=True))

    def parent_place(self, place: Place) -> Place | None:
        """The place that contains a place; None for the total and for places that are in no register."""
        level, code = place
        if level in ("region", "unattached"):
            return ("total", "total")
        if level == "department":
            return ("region", self.region[code]) if code in self.region else None
        if level == "establishment":
            department = self.department.get(code)
            return ("department", department) if department and department not in self.mixed else None
        return None

    @cached_property
    def organisations(self) -> Mapping[str, list[str]]:
        """The establishments of the register in which each professional practises."""
        found: dict[str, set[str]] = defaultdict(set)
        table = self.registers.practices
        for who, where in zip(
            table["professional_key"].to_pylist(), table["establishment_key"].to_pylist(), strict=True
        ):
            if where in self.department:
                found[who].add(where)
        return {who: sorted(where) for who, where in found.items()}

    def places_of(self, establishment: str) -> list[Place]:
        """An establishment, its department and its region."""
        department = self.department[establishment]
        return [("establishment", establishment), ("department", department), ("region", self.region[department])]

    @cached_property
    def weights(self) -> Mapping[Place, Weights]:
        """The weights of the professionals of each place in which the same establishments have always been."""
        fractions: dict[Place, set[tuple[int, int]]] = defaultdict(set)
        for establishments in self.organisations.values():
            inside: dict[Place, int] = defaultdict(int)
            for establishment in establishments:
                for place in self.places_of(establishment):
                    inside[place] += 1
            for place, number in inside.items():
                fractions[place].add((number, len(establishments)))
        found = {}
        mixed = {p for d in self.mixed for p in (("department", d), ("region", self.region.get(d)))}
        for place, pairs in fractions.items():
            if place in mixed:
                continue
            shares = [number / of for number, of in pairs]
            parts = lcm(*(of if number < of else 1 for number, of in pairs))
            found[place] = Weights(min(shares), max(shares), parts if parts <= MAX_PARTS else 0)
        return found

    @cached_property
    def _categories(self) -> frozenset[str]:
        """The official categories."""
        return frozenset(self.registers.codes["category_code"].to_pylist())

    @cached_property
    def _chapters(self) -> list[tuple[str, str, str]]:
        """First and last category of each chapter, and its code, in the order of the categories."""
        table = self.registers.chapters
        columns = (table[c].to_pylist() for c in ("first_category", "last_category", "chapter_code"))
        return sorted(zip(*columns, strict=True))

    def category(self, leaf: str) -> str:
        """The official category of a code; `inconnu` if it has none."""
        return leaf[:3] if leaf[:3] in self._categories else UNKNOWN

    def chapter(self, code: str) -> str:
        """The chapter of a code, by its first three characters; `inconnu` if they are in none."""
        category = code[:3]
        place = bisect_right(self._chapters, category, key=lambda c: c[0]) - 1
        if place < 0 or category > self._chapters[place][1]:
            return UNKNOWN
        return self._chapters[place][2]
