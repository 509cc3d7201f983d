"""The system of equations and inequalities that the unknown figures satisfy."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chu_platform.attack.figures import ALL, BASE, Cell, Figure, Figures
from chu_platform.attack.groups import (
    NO_CATEGORY,
    Group,
    groups_of,
    hidden_cells,
    is_by_age,
    is_by_diagnosis,
    is_place_table,
    is_unlisted,
    kinds_that_hold,
)
from chu_platform.attack.hierarchies import Hierarchies
from chu_platform.attack.inputs import FOLLOW_UP, SPECIALITIES, STAYS, USE

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
INFINITE = float("inf")
# Shares of events are rounded to twelve decimals: their sums are not exact.
_ROUNDING = 1e-6
# Days of a stay: no longer, an attacker supposes, and drops this rule, as the others, if visible rows contradict it.
LONGEST_STAY = 366
# The table and the key of a row, without its period.
Kin = tuple[str, tuple[str, ...]]
# Rows of one kind (such as patients <= events) hold if they hold in all visible rows.
Rule = tuple[str, Sequence[tuple[Figure, float]], float, float]


@dataclass
class System:
    """Unknown figures with bounds, and rows `low <= sum of coefficient x figure <= high` between them.

    Cells that nothing tells apart (`add_alike`) have two columns for each measure: the first of them, which answers for
    all, and the mean of the others.

    Attributes:
        unknown: The unknown figures, by number of the column that answers for them.
        low, high: The bounds of each column.
        steps: 1/n if the figure of a column is a multiple of 1/n, 0 if it may be any number.
        visible: The known figures.
        left_out: The relations that the visible figures contradict.
        repeats: The cells whose rows would be those of another cell.
    """

    visible: dict[Figure, float]
    unknown: dict[Figure, int] = field(default_factory=dict)
    repeats: set[Cell] = field(default_factory=set)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    # Cells of one level below one whole, of all periods: union of sets, each with the next one on the way to its name.
    _families: dict[Kin, Kin] = field(default_factory=dict)
    # The first figure of each column, and the columns of figures that are part of a mean.
    _figures: list[Figure] = field(default_factory=list)
    _means: dict[Figure, int] = field(default_factory=dict)
    _columns: list[int] = field(default_factory=list)
    _coefficients: list[float] = field(default_factory=list)
    _starts: list[int] = field(default_factory=lambda: [0])
    _row_low: list[float] = field(default_factory=list)
    _row_high: list[float] = field(default_factory=list)

    def add_unknown(self, figure: Figure, low: float, step: float) -> None:
        """Add an unknown figure."""
        self.unknown[figure] = self._add_column(figure, low, step)

    def add_alike(self, cells: Sequence[Cell], measure: str, low: float, step: float) -> None:
        """Add a measure of cells that nothing tells apart: they have the same bounds, and stand in equal rows.

        With any values of the others, their mean for each of them satisfies the same rows: so the two columns hold for
        every linear statement about one of them. Only that each of the others is a whole number is not used.
        """
        first, *others = cells
        self.add_unknown((first, measure), low, step)
        if not others:
            return
        mean = self._add_column((others[0], measure), low, step / len(others))
        for cell in others:
            self.unknown[cell, measure] = self.unknown[first, measure]
            self._means[cell, measure] = mean
        self.repeats.update(others[1:])

    def _add_column(self, figure: Figure, low: float, step: float) -> int:
        self._figures.append(figure)
        self.low.append(low)
        self.high.append(INFINITE)
        self.steps.append(step)
        return len(self.low) - 1

    def add_row(self, terms: Iterable[tuple[Figure, float]], low: float, high: float) -> None:
        """Add a row. Visible figures become constants; figures that do not exist are 0."""
        constant = 0.0
        entries: dict[int, float] = {}
        for figure, coefficient in terms:
            if coefficient == 0:
                continue
            column = self._means.get(figure, self.unknown.get(figure))
            if column is not None:
                entries[column] = entries.get(column, 0.0) + coefficient
            else:
                constant += coefficient * self.visible.get(figure, 0.0)
        if not entries:
            return
        self._columns += entries.keys()
        self._coefficients += entries.values()
        self._starts.append(len(self._columns))
        self._row_low.append(low - constant)
        self._row_high.append(high - constant)

    def add_family(self, cells: Iterable[Cell]) -> None:
        """Note that cells are parts of one whole."""
        kin = [self._family(cell) for cell in cells]
        for one, other in pairwise(kin):
            self._families[self._family_of(other)] = self._family_of(one)

    def _family(self, cell: Cell) -> Kin:
        return self._family_of((cell[0], cell[3]))

    def _family_of(self, kin: Kin) -> Kin:
        while (above := self._families.get(kin, kin)) != kin:
            self._families[kin] = self._families.get(above, above)
            kin = above
        return kin

    @property
    def cells(self) -> Numbers:
        """The row of a table of each column by number: that of the first figure for which it stands."""
        numbers: dict[Cell, int] = {}
        return np.array([numbers.setdefault(cell, len(numbers)) for cell, _ in self._figures], np.int64)

    @property
    def kin(self) -> Numbers:
        """The table and key of each column by number: the same for all periods and measures."""
        numbers: dict[Kin, int] = {}
        return np.array([numbers.setdefault((cell[0], cell[3]), len(numbers)) for cell, _ in self._figures], np.int64)

    @property
    def families(self) -> Numbers:
        """The family of each column by number: cells that are parts of the same wholes, of all periods."""
        numbers: dict[Kin, int] = {}
        return np.array([numbers.setdefault(self._family(cell), len(numbers)) for cell, _ in self._figures], np.int64)

    @property
    def years(self) -> Numbers:
        """The year of each column, 0 for those of all years."""
        return np.array([cell[2].year if cell[2] else 0 for cell, _ in self._figures], np.int64)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self._row_low)

    @property
    def step_array(self) -> Floats:
        """The steps of the unknowns."""
        return np.array(self.steps, np.float64)

    @property
    def blocks(self) -> Numbers:
        """The cell of each unknown of the finest level (establishment, leaf) by number, -1 for the others."""
        numbers: dict[Cell, int] = {}
        found = [numbers.setdefault(cell, len(numbers)) if is_finest(cell) else -1 for cell, _ in self._figures]
        return np.array(found, np.int64)

    @property
    def measures(self) -> Numbers:
        """The measure of each unknown by number."""
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(measure, len(numbers)) for _, measure in self._figures], np.int64)

    def figures_of(self, columns: Iterable[int]) -> list[Figure]:
        """The unknown figures for which some columns answer."""
        wanted = set(columns)
        return [figure for figure, column in self.unknown.items() if column in wanted]

    def values(self, figures: Mapping[Figure, float]) -> Floats:
        """The value of each column for some values of the figures; those that are missing are 0."""
        members: dict[int, list[Figure]] = defaultdict(list)
        for figure, column in self.unknown.items():
            members[self._means.get(figure, column)].append(figure)
        return np.array([np.mean([figures.get(f, 0.0) for f in members[c]]) for c in range(len(self.low))])

    @property
    def matrix(self) -> "csr_array":
        """The coefficients, shape (rows, unknowns)."""
        from scipy.sparse import csr_array  # takes time to import

        shape = (len(self._row_low), len(self.low))
        return csr_array((np.array(self._coefficients), np.array(self._columns), np.array(self._starts)), shape=shape)

    @property
    def row_bounds(self) -> tuple[Floats, Floats]:
        """The bounds of the rows."""
        return np.array(self._row_low, np.float64), np.array(self._row_high, np.float64)

    @property
    def column_bounds(self) -> tuple[Floats, Floats]:
        """The bounds of the unknowns."""
        return np.array(self.low, np.float64), np.array(self.high, np.float64)


def build(figures: Figures, hierarchies: Hierarchies, apart: Collection[Cell] = ()) -> System:
    """The system of all tables together. Cells `apart` have columns of their own."""
    system = System(figures.visible)
    groups = list(groups_of(figures, hierarchies))
    hold, system.left_out = kinds_that_hold(groups, figures.visible)
    for cells, masked in _alike(figures, hierarchies, apart):
        for measure in masked:
            system.add_alike(cells, measure, *_least(cells[0], measure, hierarchies))
    measures: dict[str, set[str]] = defaultdict(set)
    for cell, measure in (*figures.masked, *figures.visible):
        measures[cell[0]].add(measure)
    for cell in hidden_cells(figures, hierarchies):
        for measure in sorted(measures[cell[0]]):
            system.add_unknown((cell, measure), 0.0, 1.0)
    for group in groups:
        if group.kind in hold:
            _add_group(system, group)
            if _is_family(group):
                system.add_family(group.parts)
    rules = [rule for cell in _with_unknowns(system) for rule in _rules(cell, figures, hierarchies)]
    false = _contradicted(figures, hierarchies)
    for kind, terms, low, high in rules:
        if kind not in false and all(_exists(system, figure) for figure, _ in terms):
            system.add_row(terms, low, high)
    return system


def _alike(
    figures: Figures, hierarchies: Hierarchies, apart: Collection[Cell]
) -> Iterable[tuple[Sequence[Cell], Sequence[str]]]:
    """The cells with masked figures, with these: those that nothing tells apart together.

    Nothing tells apart establishments or leaves of one period without any visible figure, if they have the same parent
    and (establishments) the same weights.
    """
    masked: dict[Cell, list[str]] = defaultdict(list)
    for cell, measure in figures.masked:
        masked[cell].append(measure)
    shown = {cell for cell, _ in figures.visible if is_finest(cell)}
    periods = Counter((cell[0], cell[3]) for cell in figures.ends if is_finest(cell))
    classes: dict[object, list[Cell]] = defaultdict(list)
    for cell, measures in masked.items():
        kind: object = cell
        if is_finest(cell) and cell not in shown and cell not in apart and periods[cell[0], cell[3]] == 1:
            kind = (cell[:3], tuple(measures), _surroundings(cell, hierarchies))
        classes[kind].append(cell)
    return [(cells, masked[cells[0]]) for cells in classes.values()]


def is_finest(cell: Cell) -> bool:
    """Whether a cell is an establishment or a leaf."""
    return cell[3][:1] in (("establishment",), ("leaf",))


def _surroundings(cell: Cell, hierarchies: Hierarchies) -> object:
    """What the hierarchies say about an establishment or a leaf."""
    level, code = cell[3]
    if is_by_diagnosis(cell):
        return hierarchies.category(code), hierarchies.chapter(code)
    return hierarchies.parent_place((level, code)), hierarchies.weights.get((level, code))


def _with_unknowns(system: System) -> list[Cell]:
    """The cells with unknown figures whose rows are not those of another cell."""
    return list(dict.fromkeys(cell for cell, _ in system.unknown if cell not in system.repeats))


def _least(cell: Cell, measure: str, hierarchies: Hierarchies) -> tuple[float, float]:
    """The least possible value of a masked figure, and its step. A listed row has at least one event, but of stays that
    none follows, and of slots and groups of patients.
    """
    if is_place_table(cell) and measure == "events" and cell[3][0] not in ("total", "unattached"):
        weights = hierarchies.weights.get((cell[3][0], cell[3][1]))
        if weights is None:
            return 0.0, 0.0
        return weights.least, 1 / weights.parts if weights.parts else 0.0
    at_least_one = _is_listed_with_events(cell) and measure not in ("patients", "days", BASE)
    return (1.0 if at_least_one else 0.0), 1.0


def _is_listed_with_events(cell: Cell) -> bool:
    """Whether a row of this kind is listed only if it has events."""
    hidden = is_unlisted(cell) or cell[3][:1] == (NO_CATEGORY,)
    return not hidden and not is_by_age(cell) and cell[0] not in (STAYS, FOLLOW_UP, USE)


def _add_group(system: System, group: Group) -> None:
    names = {m for f in (group.whole, *group.parts) for m in (*group.summed, *group.united) if (f, m) in system.unknown}
    for measure in sorted(names):
        parts = [(part, measure) for part in group.parts if _exists(system, (part, measure))]
        whole = (group.whole, measure)
        if not parts or not _exists(system, whole):
            continue
        terms = [(p, 1.0) for p in parts]
        if measure in group.summed:
            slack = _ROUNDING if group.kind.startswith("places") or is_place_table(group.whole) else 0.0
            system.add_row([*terms, (whole, -1.0)], -slack, slack)
        else:
            system.add_row([*terms, (whole, -1.0)], 0.0, INFINITE)
            for part in parts:
                if part[0] not in system.repeats and (part in system.unknown or whole in system.unknown):
                    system.add_row([(whole, 1.0), (part, -1.0)], 0.0, INFINITE)


def _is_family(group: Group) -> bool:
    """Whether the parts are rows of one level and period. Codes without category are parts of each chapter."""
    rest = sum(part[3][:1] == (NO_CATEGORY,) for part in group.parts)
    return rest < 2 and all(part[:3] == group.whole[:3] or part[0] != group.whole[0] for part in group.parts)


def _exists(system: System, figure: Figure) -> bool:
    return figure in system.unknown or figure in system.visible


def _rules(cell: Cell, figures: Figures, hierarchies: Hierarchies) -> Iterable[Rule]:
    """The relations between the measures of one row."""
    table = cell[0]
    events, patients, days = (cell, "events"), (cell, "patients"), (cell, "days")
    if _is_listed_with_events(cell):
        # Events of unknown patients have none: then some visible row says so.
        yield f"at least one patient in {table}", [(patients, 1.0)], 1.0, INFINITE
    if is_place_table(cell):
        consultations = (cell, "consultations")
        level, code = cell[3]
        weights = hierarchies.weights.get((level, code))
        if level in ("total", "unattached"):
            least, most = 1.0, 1.0
        else:
            least, most = (weights.least, weights.most) if weights else (0.0, 1.0)
        yield "events <= consultations", [(events, 1.0), (consultations, -most)], -INFINITE, _ROUNDING
        yield "events >= consultations", [(events, 1.0), (consultations, -least)], -_ROUNDING, INFINITE
        yield f"patients <= consultations in {table}", [(patients, 1.0), (consultations, -1.0)], -INFINITE, 0.0
    elif is_by_age(cell):
        # Patients are in the band of their age in the period, events in that of the age at the event.
        if cell[3][1] == ALL:
            yield f"patients <= events in {table}", [(patients, 1.0), (events, -1.0)], -INFINITE, 0.0
        if cell[3][1] != "unknown":
            yield f"patients <= base in {table}", [(patients, 1.0), ((cell, BASE), -1.0)], -INFINITE, 0.0
    else:
        yield f"patients <= events in {table}", [(patients, 1.0), (events, -1.0)], -INFINITE, 0.0
    if table.startswith(STAYS) and cell[3][:1] != (NO_CATEGORY,):
        yield f"events <= days in {table}", [(events, 1.0), (days, -1.0)], -INFINITE, 0.0
        yield f"days <= {LONGEST_STAY} events in {table}", [(days, 1.0), (events, -LONGEST_STAY)], -INFINITE, 0.0
    if table == SPECIALITIES:
        people, years = (cell, "professionals"), (cell, "active_years")
        yield "professionals <= years", [(people, 1.0), (years, -1.0)], -INFINITE, 0.0
        yield "years <= events", [(years, 1.0), (events, -1.0)], -INFINITE, 0.0
        if cell[1] == "year":
            yield "years = professionals", [(people, 1.0), (years, -1.0)], 0.0, 0.0
    if not is_by_age(cell) and (base := figures.base(cell)) is not None:
        yield f"patients <= base in {table}", [(patients, 1.0)], -INFINITE, base


def _contradicted(figures: Figures, hierarchies: Hierarchies) -> set[str]:
    """The kinds of rules that a visible row contradicts."""
    found = set()
    for cell in figures.ends:
        for kind, terms, low, high in _rules(cell, figures, hierarchies):
            if kind not in found and all(f in figures.visible for f, _ in terms):
                value = sum(a * figures.visible[f] for f, a in terms)
                if not low - 1e-3 <= value <= high + 1e-3:
                    found.add(kind)
    return found


def true_values(system: System, exact: Mapping[Figure, float], groups: Iterable[Group]) -> dict[Figure, float]:
    """The true values of the unknown figures, those of hidden cells as differences of exact figures."""
    found = {f: exact[f] for f in system.unknown if f in exact}
    for group in groups:
        for part in group.parts:
            if not is_unlisted(part):
                continue
            for measure in group.summed:
                if (part, measure) in system.unknown and (group.whole, measure) in exact:
                    others = sum(exact.get((p, measure), 0.0) for p in group.parts if p != part)
                    found.setdefault((part, measure), exact[group.whole, measure] - others)
    return found
