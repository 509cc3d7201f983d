"""Attack 3: published places and specialities are equations over the professionals of the public register."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from chu_platform.attack.contributors import FEWEST
from chu_platform.attack.figures import ALL, Cell, finding
from chu_platform.attack.findings import Finding, Result
from chu_platform.attack.groups import TOTAL, WHOLE_PROFESSION
from chu_platform.attack.hierarchies import UNKNOWN, Place
from chu_platform.attack.inputs import PLACES, SPECIALITIES
from chu_platform.attack.intervals import propagate
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.null_space import determined, solution

Period = tuple[str, date | None]
# Professionals whom the register does not tell apart: their places, with the share of each, and their speciality.
Kind = tuple[tuple[tuple[Place, float], ...], str, str]
# The equations of a professional: their numbers and coefficients.
Pattern = tuple[tuple[int, float], ...]
UNATTACHED: Place = ("unattached", "unattached")
_NEAR_ZERO = 1e-3


@dataclass
class Equations:
    """The equations of one period: published figures as sums over professionals."""

    constants: list[float] = field(default_factory=list)
    of_place: dict[Place, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    of_group: dict[tuple[str, str], int] = field(default_factory=dict)


def public_incidence(knowledge: Knowledge) -> Result:
    """Professionals whose consultations in a year, or in all years, can be computed: of one, or of two together.

    A row exists for each place with consultations, so professionals of a place without a row have none.
    """
    tried = 0
    found: list[Finding] = []
    kinds = _kinds(knowledge)
    levels, listed = _listed(knowledge)
    for period in sorted({c[1:3] for c in knowledge.figures.ends if c[0] == PLACES}, key=str):
        # Rows of months and quarters are of whole regions only.
        if period[0] not in ("year", ALL):
            continue
        equations = _equations(knowledge, period)
        patterns: dict[Pattern, list[Kind]] = defaultdict(list)
        for kind, number in kinds.items():
            if _may_work(kind, period, levels, listed):
                tried += number
                # Three professionals of one kind stand for any number: no equation tells them apart.
                patterns[_pattern(kind, equations)] += [kind] * min(number, FEWEST)
        found += _determined(patterns, equations, period)
        knowledge.log_progress(f"professionals in {period[0]} {period[1] or ''}: {len(found)} places found")
    return Result.of(3, "public incidence of professionals", tried, found)


def _kinds(knowledge: Knowledge) -> Mapping[Kind, int]:
    """The professionals of the registers by kind."""
    hierarchies = knowledge.hierarchies
    table = knowledge.inputs.registers.professions
    columns = (table[c].to_pylist() for c in ("professional_key", "profession_label", "speciality_label"))
    kinds: Counter[Kind] = Counter()
    for who, profession, speciality in zip(*columns, strict=True):
        organisations = hierarchies.organisations.get(who, [])
        shares: dict[Place, float] = defaultdict(float)
        for establishment in organisations:
            for place in hierarchies.places_of(establishment):
                shares[place] += 1 / len(organisations)
        # The unknown professional stands for all who are in no register.
        number = FEWEST if who == UNKNOWN else 1
        kinds[tuple(sorted(shares.items())) or ((UNATTACHED, 1.0),), profession, speciality] += number
    return kinds


def _listed(knowledge: Knowledge) -> tuple[set[tuple[Period, str]], set[Cell]]:
    """The levels that each period lists, and the listed cells."""
    listed = {c for c in knowledge.figures.ends if c[0] == PLACES}
    return {(c[1:3], c[3][0]) for c in listed}, listed


def _may_work(kind: Kind, period: Period, levels: set[tuple[Period, str]], listed: set[Cell]) -> bool:
    """Whether all places of a kind have a row, in the period and in all years."""
    return all(
        (at, place[0]) not in levels or (PLACES, *at, place) in listed
        for at in {period, (ALL, None)}
        for place, _ in kind[0]
    )


def _equations(knowledge: Knowledge, period: Period) -> Equations:
    equations = Equations()
    for (cell, measure), value in knowledge.figures.visible.items():
        if cell[1:3] != period:
            continue
        number = len(equations.constants)
        if cell[0] == PLACES and measure in ("events", "consultations"):
            equations.of_place[cell[3][0], cell[3][1]].append((number, measure == "events"))
        elif cell[0] == SPECIALITIES and measure == "events":
            equations.of_group[cell[3][0], cell[3][1]] = number
        else:
            continue
        equations.constants.append(value)
    return equations


def _pattern(kind: Kind, equations: Equations) -> Pattern:
    places, profession, speciality = kind
    entries: list[tuple[int, float]] = []
    for place, share in (*places, (TOTAL, 1.0)):
        for number, is_shared in equations.of_place.get(place, ()):
            entries.append((number, round(share, 9) if is_shared else 1.0))
    groups = ((profession, speciality), (profession, WHOLE_PROFESSION))
    entries += [(equations.of_group[group], 1.0) for group in groups if group in equations.of_group]
    return tuple(sorted(entries))


def _determined(patterns: Mapping[Pattern, list[Kind]], equations: Equations, period: Period) -> Iterator[Finding]:
    """The places of one or two professionals of a pattern whose consultations have only one possible number, not 0."""
    from scipy.sparse import csr_array

    used = [p for p in patterns if p]
    entries = [(number, column, a) for column, pattern in enumerate(used) for number, a in pattern]
    if not entries:
        return
    numbers, columns, coefficients = (np.array(values) for values in zip(*entries, strict=True))
    matrix = csr_array((coefficients, (numbers, columns)), shape=(len(equations.constants), len(used)))
    with_entries = np.flatnonzero(np.diff(matrix.indptr))
    matrix, constants = matrix[with_entries], np.array(equations.constants)[with_entries]
    n = len(used)
    bounds = propagate(matrix, (constants - 1e-6, constants + 1e-6), np.zeros(n), np.full(n, np.inf), np.ones(n))
    if bounds.broken:
        # Consultations of professionals who are in no register: the equations hold without whole numbers only.
        fixed, values = determined(matrix), solution(matrix, constants)
    else:
        fixed = bounds.high - bounds.low < _NEAR_ZERO
        values = bounds.low.copy()
        rest = np.flatnonzero(~fixed)
        part = matrix[:, rest]
        algebra = determined(part)
        values[rest] = np.where(algebra, solution(part, constants - matrix[:, fixed] @ values[fixed]), 0.0)
        fixed[rest[algebra]] = True
    for column in np.flatnonzero(fixed & (values > _NEAR_ZERO)):
        if len(patterns[used[column]]) < FEWEST:
            yield _finding(patterns[used[column]][0], period)


def _finding(kind: Kind, period: Period) -> Finding:
    places, profession, speciality = kind
    establishment = next((place for place, _ in places if place[0] == "establishment"), None)
    if establishment is None:
        return finding((SPECIALITIES, *period, (profession, speciality)), "consultations of one or two professionals")
    return finding((PLACES, *period, establishment), "consultations of one or two professionals")
