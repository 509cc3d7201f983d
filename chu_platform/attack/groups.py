"""The relations between the rows of published tables: a whole and its parts.

They follow from the definitions of the indicators (docs/attack.md) and from the public hierarchies. Parts that are not
published, but exist (codes without category, patients of unknown sex), are cells too.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chu_platform.attack.figures import ALL, BASE, TOTAL, Cell, Figures, stays_of, whole_place
from chu_platform.attack.hierarchies import UNKNOWN, Hierarchies
from chu_platform.attack.inputs import ATTENDANCE, FOLLOW_UP, PLACES, SPECIALITIES, STAYS, USE

WHOLE_PROFESSION = "Ensemble"
NO_CATEGORY = "no category"
UNKNOWN_SEX = "unknown"
# Of the stays of a group, those that are followed within one horizon and not within the one before, or not at all: what
# they are part of.
DIFFERENCES = {
    "after_7": "followed_30",
    "after_30": "followed_90",
    "not_followed": None,
    "not_readmitted": None,
}
EVENING = ("slot", "evening")
NIGHT = ("slot", "night")
NEW = ("patients", "new")
RETURNING = ("patients", "returning")
# Consultations outside of a slot, which are hidden where the slot is listed.
DAY = ("slot", "day")
EVENING_ONLY = ("slot", "evening only")
OTHER_SLOTS = {DAY: EVENING, EVENING_ONLY: NIGHT}
NESTED = {"followed_7": "followed_30", "followed_30": "followed_90", **DIFFERENCES}
COARSER = {"month": "quarter", "quarter": "year", "year": ALL}


@dataclass(frozen=True)
class Group:
    """A whole and its parts.

    `kind` names the relation. In the measures `summed`, the whole is the sum of its parts. In the measures `united`, it
    is at least each part, and at most their sum.
    """

    kind: str
    whole: Cell
    parts: Sequence[Cell]
    summed: Sequence[str]
    united: Sequence[str] = ()


def is_place_table(cell: Cell) -> bool:
    """Whether a cell is in the table of places."""
    return cell[0] == PLACES


def is_by_diagnosis(cell: Cell) -> bool:
    """Whether a cell is in a table by diagnosis."""
    return cell[0].endswith("_by_diagnosis")


def is_by_age(cell: Cell) -> bool:
    """Whether a cell is in the table by sex and age."""
    return cell[0].endswith("_by_sex_and_age")


def is_difference(cell: Cell) -> bool:
    """Whether a cell is a difference of two published ones."""
    return (cell[0] == FOLLOW_UP and cell[3][0] in DIFFERENCES) or (cell[0] == USE and cell[3] in OTHER_SLOTS)


def is_computable(cell: Cell) -> bool:
    """Whether a cell is never published, but anybody may compute it from published ones unless it is small."""
    return is_difference(cell) or cell[3][:1] == (NO_CATEGORY,)


def is_unlisted(cell: Cell) -> bool:
    """Whether a cell is never published: patients of unknown sex, or differences, whose value others give."""
    of_unknown = cell[3][1:] == ("sex", UNKNOWN_SEX) if cell[0] == FOLLOW_UP else cell[3][:1] == (UNKNOWN_SEX,)
    return of_unknown or is_difference(cell)


def total_of(cell: Cell) -> Cell:
    """The cell of all events of the period of a cell."""
    table, grain, start, _ = cell
    of_consultations = table.startswith("kpi_consultation") or table in (USE, ATTENDANCE)
    return (PLACES, grain, start, TOTAL) if of_consultations else (STAYS, grain, start, ())


def hidden_cells(figures: Figures, hierarchies: Hierarchies) -> list[Cell]:
    """The cells that are never published, but are parts of published wholes.

    They are the patients of unknown sex, the differences between followed stays and between slots, and the codes
    without category of each chapter: of the chapters of such leaves where leaves are listed, else of all chapters if a
    row of codes without category is listed.
    """
    chapters: dict[str, set[str]] = defaultdict(set)
    listed: dict[str, set[str]] = defaultdict(set)
    levels: dict[str, set[str]] = defaultdict(set)
    without: set[str] = set()
    with_categories: dict[str, set[tuple[str, date | None]]] = defaultdict(set)
    found: dict[Cell, None] = {}
    for cell in figures.ends:
        table, grain, start, keys = cell
        if table == FOLLOW_UP:
            outcome, level, code = keys
            found |= {(table, grain, start, (difference, level, code)): None for difference in DIFFERENCES}
            if level == "sex":
                found[table, grain, start, (outcome, level, UNKNOWN_SEX)] = None
        elif table == USE:
            found |= {(table, grain, start, rest): None for rest, slot in OTHER_SLOTS.items() if keys == slot}
        elif is_by_diagnosis(cell):
            level, code = keys
            levels[table].add(level)
            if level == "leaf" and hierarchies.category(code) == UNKNOWN:
                chapters[table].add(hierarchies.chapter(code))
            elif level == "category":
                with_categories[table].add((grain, start))
                without |= {table} if code == UNKNOWN else set()
            elif level == "chapter":
                listed[table].add(code)
        elif is_by_age(cell) and keys[0] != ALL:
            # Where no sex is listed, the patients of unknown sex are not those of all.
            found[table, grain, start, (UNKNOWN_SEX, keys[1])] = None
    for table, periods in with_categories.items():
        possible = chapters[table] if "leaf" in levels[table] else listed[table] if table in without else set()
        for grain, start in periods:
            for chapter in possible:
                if (table, grain, start, ("chapter", chapter)) in figures.ends:
                    found[table, grain, start, (NO_CATEGORY, chapter)] = None
    return list(found)


def groups_of(figures: Figures, hierarchies: Hierarchies) -> Iterator[Group]:
    """All relations between the cells of the figures."""
    hidden = hidden_cells(figures, hierarchies)
    cells = [*figures.ends, *hidden]
    yield from _over_time(figures, hidden)
    by_whole: dict[tuple[str, Cell], list[Cell]] = defaultdict(list)
    with_categories = {c[:3] for c in cells if is_by_diagnosis(c) and c[3][0] in ("category", NO_CATEGORY)}
    with_leaves = {c[:3] for c in cells if is_by_diagnosis(c) and c[3][0] == "leaf"}
    for cell in cells:
        for kind, whole in _wholes(cell, hierarchies, with_categories, with_leaves):
            if whole in figures.ends or whole[3][:1] == (NO_CATEGORY,) or whole[3][:1] == (UNKNOWN_SEX,):
                by_whole[kind, whole].append(cell)
    for (kind, whole), parts in by_whole.items():
        if kind == "places in a total" and all(part[3][0] == "unattached" for part in parts):
            # No region is listed: the consultations without a place are not the total.
            continue
        yield Group(kind, whole, parts, *_measures(kind))


def _measures(kind: str) -> tuple[Sequence[str], Sequence[str]]:
    if kind.startswith(FOLLOW_UP):
        return ("events",), ()
    if kind.startswith(USE):
        return ("patients", "consultations"), ()
    if kind.startswith(ATTENDANCE):
        return ("consultations",), ()
    if kind.startswith(("sexes", "ages", "same total")):
        return ("events", "days", "patients", BASE), ()
    if kind.startswith("places"):
        return ("events",), ("patients", "consultations")
    if kind.startswith("specialities"):
        return ("events", "professionals", "active_years"), ("patients",)
    return ("events", "days"), ("patients",)


def _wholes(
    cell: Cell,
    hierarchies: Hierarchies,
    with_categories: set[tuple[str, str, date | None]],
    with_leaves: set[tuple[str, str, date | None]],
) -> Iterable[tuple[str, Cell]]:
    table, keys, period = cell[0], cell[3], cell[:3]
    if table == FOLLOW_UP:
        yield from _wholes_of_follow_up(cell)
    elif table == USE:
        if keys in (NEW, RETURNING):
            yield f"{USE}: patients", total_of(cell)
        elif keys in (EVENING, DAY):
            yield f"{USE}: slots", total_of(cell)
        elif keys in (NIGHT, EVENING_ONLY):
            yield f"{USE}: slots of the evening", (*period, EVENING)
    elif table == ATTENDANCE:
        yield from _wholes_of_attendance(cell)
    elif is_place_table(cell):
        level, code = keys
        if parent := hierarchies.parent_place((level, code)):
            yield f"places in a {parent[0]}", (*period, parent)
    elif is_by_diagnosis(cell):
        level, code = keys
        if level == "chapter":
            yield f"chapters of {table}", total_of(cell)
        elif level == "category" and code != UNKNOWN:
            yield f"categories of {table}", (*period, ("chapter", hierarchies.chapter(code)))
        elif level == NO_CATEGORY:
            yield f"categories of {table}", (*period, ("chapter", code))
            yield f"codes without category of {table}", (*period, ("category", UNKNOWN))
        elif level == "leaf" and period in with_categories and period in with_leaves:
            category = hierarchies.category(code)
            above = (NO_CATEGORY, hierarchies.chapter(code)) if category == UNKNOWN else ("category", category)
            yield f"leaves of {table}", (*period, above)
    elif is_by_age(cell):
        sex, band = keys
        if sex != ALL:
            yield "sexes", (*period, (ALL, band))
        if band != ALL:
            yield "ages", (*period, (sex, ALL))
        if (sex, band) == (ALL, ALL):
            yield "same total", total_of(cell)
    elif table == SPECIALITIES:
        profession, speciality = keys
        if speciality == WHOLE_PROFESSION:
            yield "professions", total_of(cell)
        else:
            yield "specialities", (*period, (profession, WHOLE_PROFESSION))


def _wholes_of_attendance(cell: Cell) -> Iterable[tuple[str, Cell]]:
    """All consultations of the place (by day of the week, by slot, and as a week), the weekend, and the evening.

    Use over time has the evening, too.
    """
    table, grain, start, (level, code, region) = cell
    if (level, code) != ("week", "weekend"):
        yield f"{table} by {level}", whole_place(cell)
    if level == "weekday" and code in ("6", "7"):
        yield f"{table} of weekends", (table, grain, start, ("week", "weekend", region))
    if (level, code, region) == ("slot", "20-06", ALL):
        yield f"{table} of evenings", (USE, grain, start, EVENING)


def _wholes_of_follow_up(cell: Cell) -> Iterable[tuple[str, Cell]]:
    """Longer horizons, all stays of the group, and the stays of all groups that are followed."""
    table, grain, start, (outcome, level, code) = cell
    if longer := NESTED.get(outcome):
        yield f"{table} within {longer}", (table, grain, start, (longer, level, code))
    elif (level, code) != ("sex", UNKNOWN_SEX):
        kind = "readmitted" if "readmitted" in outcome else "followed"
        yield f"{table} of stays, {kind}", stays_of(cell)
    if level != "total" and outcome not in DIFFERENCES:
        yield f"{table} by {level}", (table, grain, start, (outcome, "total", "total"))


def _over_time(figures: Figures, hidden: Iterable[Cell]) -> Iterator[Group]:
    """A quarter is made of its months, a year of its quarters, `all` of its years, where both grains are published."""
    parts: dict[Cell, list[Cell]] = defaultdict(list)
    ends = {**figures.ends}
    whole_ends = {cell[:3]: end for cell, end in figures.ends.items()}
    for cell in hidden:
        ends[cell] = whole_ends[cell[:3]]
    for cell in ends:
        table, grain, start, keys = cell
        if grain not in COARSER or start is None:
            continue
        # Attendance has no quarters.
        above = "year" if table == ATTENDANCE and grain == "month" else COARSER[grain]
        whole = (table, above, _start_of(above, start), keys)
        if table == USE and keys == NEW and grain == "year":
            # Of all years together, everybody is new.
            whole = total_of(whole)
        if whole in ends and start < ends[whole]:
            parts[whole].append(cell)
    for whole, found in parts.items():
        # Patients and professionals come back in several periods; their years of activity add up.
        new = [part for part in found if part[0] == USE and part[3] == NEW]
        if new:
            # Each patient is new once.
            yield Group(f"{whole[1]} of new patients", whole, new, ("patients",))
        found = [part for part in found if part not in new]
        yield Group(
            f"{whole[1]} of {whole[0]}",
            whole,
            found,
            ("events", "consultations", "days", "active_years"),
            () if _has_other_persons(whole) else ("patients", "professionals"),
        )


def _has_other_persons(cell: Cell) -> bool:
    """Whether the persons of a cell are not those of its parts over time.

    Persons are in the band of their age in the period; who returns in a month may be new in the year.
    """
    return (is_by_age(cell) and cell[3][1] != ALL) or (cell[0] == USE and cell[3] == RETURNING)


def _start_of(grain: str, day: date) -> date | None:
    if grain == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1) if grain == "year" else None


def ancestors(cell: Cell, figures: Figures, hierarchies: Hierarchies) -> Iterator[Cell]:
    """The published cells whose persons include those of a cell: wider places, diagnoses, groups and periods."""
    above = _levels_above(cell, hierarchies)
    for table, grain, start, keys in [cell, *above]:
        day = start
        while True:
            candidate = (table, grain, day, keys)
            if candidate != cell and candidate in figures.ends:
                yield candidate
            if grain not in COARSER or day is None or _has_other_persons(candidate):
                break
            grain = COARSER[grain]
            day = _start_of(grain, day)


def _levels_above(cell: Cell, hierarchies: Hierarchies) -> list[Cell]:
    found: list[Cell] = []
    period = cell[:3]
    if is_place_table(cell):
        place = hierarchies.parent_place((cell[3][0], cell[3][1]))
        while place:
            found.append((*period, place))
            place = hierarchies.parent_place(place)
    elif is_by_diagnosis(cell):
        level, code = cell[3]
        if level == "leaf":
            found.append((*period, ("category", hierarchies.category(code))))
        if level != "chapter" and code != UNKNOWN:
            found.append((*period, ("chapter", hierarchies.chapter(code))))
        found.append(total_of(cell))
    elif is_by_age(cell):
        sex, band = cell[3]
        found += [(*period, k) for k in ((ALL, band), (sex, ALL), (ALL, ALL)) if k != (sex, band)]
    elif cell[0] == USE:
        found.append(total_of(cell))
    elif cell[0] == SPECIALITIES:
        if cell[3][1] != WHOLE_PROFESSION:
            found.append((*period, (cell[3][0], WHOLE_PROFESSION)))
        found.append(total_of(cell))
    return found


def kinds_that_hold(groups: Sequence[Group], visible: Mapping[tuple[Cell, str], float]) -> tuple[set[str], list[str]]:
    """The kinds of relations that visible figures do not contradict, and a line for each other kind.

    A relation is contradicted if all its figures are visible and the sum is not the whole. A kind that is contradicted
    more often than confirmed is none; single contradictions are corrections that wait.
    """
    held: dict[str, int] = defaultdict(int)
    broken: dict[str, int] = defaultdict(int)
    for group in groups:
        held[group.kind] += 0
        for measure in group.summed:
            if (group.whole, measure) not in visible or any((p, measure) not in visible for p in group.parts):
                continue
            gap = visible[group.whole, measure] - sum(visible[p, measure] for p in group.parts)
            (held if abs(gap) < 1e-3 else broken)[group.kind] += 1
    wrong = {kind for kind in held if broken[kind] > held[kind]}
    return set(held) - wrong, [f"relation {k!r} does not hold in {broken[k]} of its groups" for k in sorted(wrong)]
