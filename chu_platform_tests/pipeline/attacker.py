"""What an attacker knows about the published tables: their rows, and all sums between them.

Written from the definitions of the indicators and the public hierarchies (CIM-10, regions and departments), without the
code of `chu_platform.masks`, so that it can verify the masks. This attacker knows more than a real one: also which
unpublished cells are zero. Of a level that is left out, no row is published: a sum of which only other parts are
published (consultations without a place, patients of unknown sex) is no sum for a reader.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chu_platform.catalogue import catalogue
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.sdc.relations import Relations
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.pipeline.lake_rows import rows

# (table, period grain, period, keys): a published row, or a sum of unpublished rows.
Cell = tuple[str, str, Any, Any]
Row = Mapping[str, Any]
ESTABLISHMENT = "kpi_consultation_rate_by_establishment"
CONSULTATION_DIAGNOSIS = "kpi_consultation_rate_by_diagnosis"
PROFESSIONAL = "kpi_consultation_rate_by_professional"
STAYS = "kpi_hospitalisation_rate"
STAY_DIAGNOSIS = "kpi_hospitalisation_rate_by_diagnosis"
STAY_SEX_AGE = "kpi_hospitalisation_rate_by_sex_and_age"
FOLLOW_UP = "kpi_follow_up"
USE = "kpi_use_concentration"
# Their counts are rounded down: there is no sum between them (`chu_platform_tests/attack/test_rounded.py`).
CYCLE = "kpi_cycle"
PRESCRIPTION = "kpi_prescription"
ATTENDANCE = "kpi_attendance"
UNKNOWN = "inconnu"
WHOLE = "Ensemble"
PARTS = {"quarter": "month", "year": "quarter", "all": "year"}


@dataclass
class System:
    """The cells of one additive measure, and the sums between them."""

    measure: str
    number: dict[Cell, int] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)
    masked: list[bool] = field(default_factory=list)
    sums: list[tuple[int, list[int]]] = field(default_factory=list)

    def add(self, cell: Cell, value: float, masked: bool) -> None:
        self.number[cell] = len(self.values)
        self.values.append(value)
        self.masked.append(masked)

    def equation(self, whole: Cell, parts: Iterable[Cell]) -> None:
        """Add: the whole is the sum of the parts. Parts that do not exist are zero."""
        found = [self.number[p] for p in parts if p in self.number]
        if whole in self.number and found:
            self.sums.append((self.number[whole], found))

    @property
    def relations(self) -> Relations:
        return Relations.of(*self.sums)

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        return np.array(self.values, np.float64), np.array(self.masked, np.bool_)

    def cells_of(self, numbers: Iterable[int]) -> list[Cell]:
        names = list(self.number)
        return [names[n] for n in numbers]

    def broken(self) -> list[Cell]:
        """The wholes that are not the sum of their parts: the relations of the attacker would be wrong."""
        values, relations = np.array(self.values), self.relations
        gaps = np.abs(relations.sums(values) - values[relations.parents])
        return self.cells_of(relations.parents[np.flatnonzero(gaps > 1e-6)])


@dataclass(frozen=True)
class TablePair:
    """The rows of a masked table, and the exact rows by key."""

    table: Table
    published: Sequence[Row]
    exact: Mapping[tuple[Any, ...], Row]

    def key(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[c] for c in self.table.key)

    def exact_row(self, row: Row) -> Row:
        return self.exact[self.key(row)]


def table_pairs(lake: Lake) -> dict[str, TablePair]:
    """The masked tables of the indicators by name, with the exact values; without those of public figures."""
    found = {}
    for table in catalogue():
        if table.edition and table.name.startswith("kpi_"):
            # The exact rows of closed periods.
            layer = Layer.CANDIDATES
            exact = next(t for t in catalogue() if t.layer is layer and t.name == table.name)
            by_key = {tuple(r[c] for c in table.key): r for r in rows(lake, exact).to_pylist()}
            found[table.name] = TablePair(table, rows(lake, table).to_pylist(), by_key)
    return found


def systems(lake: Lake) -> list[System]:
    """All systems of sums: one for each additive measure of the tables that share sums."""
    tables = table_pairs(lake)
    places = rows(lake, dim_establishment)
    codes = rows(lake, dim_diagnosis)
    leaves = {name: _leaves(lake, name) for name in (CONSULTATION_DIAGNOSIS, STAY_DIAGNOSIS)}
    return [
        _consultations(tables, places, codes, leaves[CONSULTATION_DIAGNOSIS]),
        _whole_consultations(tables),
        _patients_of_use(tables),
        *(_stays(tables, codes, leaves[STAY_DIAGNOSIS], m) for m in ("events", "days")),
        *(_persons(tables, m) for m in ("patients", "base_patients", "patient_years")),
    ]


def _leaves(lake: Lake, name: str) -> list[Row]:
    exact = next(t for t in catalogue() if t.layer is Layer.CANDIDATES and t.name == name)
    return [r for r in rows(lake, exact).to_pylist() if r["level"] == "leaf" and r["period_grain"] in ("year", "all")]


def _add_rows(system: System, pair: TablePair, keys_of: Callable[[Row], object]) -> None:
    for row in pair.published:
        cell = (pair.table.name, row["period_grain"], row["period_start"], keys_of(row))
        system.add(cell, float(pair.exact_row(row)[system.measure]), row["is_masked"])


def _level_and_code(row: Row) -> object:
    return row["level"], row["code"]


def _sex_and_age(row: Row) -> object:
    return row["sex"], row["age_band"]


def _over_time(system: System, wanted: Callable[[Cell], bool] = lambda _: True) -> None:
    """Add: a quarter is the sum of its months, a year of its quarters, `all` of the years, if both are published."""
    parts: dict[tuple[object, ...], list[Cell]] = defaultdict(list)
    for cell in system.number:
        name, grain, start, what = cell
        if wanted(cell) and isinstance(start, date):
            if grain == "month":
                parts[name, what, "quarter", start.replace(month=(start.month - 1) // 3 * 3 + 1, day=1)].append(cell)
            elif grain == "quarter":
                parts[name, what, "year", start.replace(month=1, day=1)].append(cell)
            elif grain == "year":
                parts[name, what, "all", None].append(cell)
    for cell in list(system.number):
        name, grain, start, what = cell
        if grain in PARTS:
            system.equation(cell, parts.get((name, what, grain, None if grain == "all" else start), []))


def _diagnoses(system: System, name: str, codes: pa.Table, leaves: Sequence[Row], total: str, whole: object) -> None:
    """Add: the total is the sum of the chapters, a chapter of its categories and codes without category, and so on."""
    listed = codes.to_pylist()
    chapter_of = {c["category_code"]: c["chapter_code"] for c in listed}
    place = {c["diagnosis_key"]: (c["category_code"], c["chapter_code"]) for c in listed}
    hidden: dict[Cell, float] = defaultdict(float)
    for leaf in leaves:
        category, chapter = place[leaf["code"]]
        if category == UNKNOWN:
            hidden[name, leaf["period_grain"], leaf["period_start"], ("no category", chapter)] += leaf[system.measure]
    for cell, value in hidden.items():
        system.add(cell, value, masked=True)
    groups: dict[Cell, list[Cell]] = defaultdict(list)
    with_categories = {c[1] for c in system.number if c[0] == name and _is_level(c, "category")}
    for cell in list(system.number):
        if cell[0] != name:
            continue
        _, grain, start, (level, code) = cell
        if level == "chapter":
            groups[total, grain, start, whole].append(cell)
        elif level == "category" and code != UNKNOWN:
            groups[name, grain, start, ("chapter", chapter_of[code])].append(cell)
        elif level == "no category":
            if grain in with_categories:
                groups[name, grain, start, ("chapter", code)].append(cell)
            groups[name, grain, start, ("category", UNKNOWN)].append(cell)
        elif level == "leaf":
            category, chapter = place[code]
            above = ("no category", chapter) if category == UNKNOWN else ("category", category)
            groups[name, grain, start, above].append(cell)
    for cell, parts in groups.items():
        system.equation(cell, parts)


def _is_level(cell: Cell, level: str) -> bool:
    return isinstance(cell[3], tuple) and cell[3][0] == level


def _consultations(tables: Mapping[str, TablePair], places: pa.Table, codes: pa.Table, leaves: Sequence[Row]) -> System:
    system = System("events")
    _add_rows(system, tables[ESTABLISHMENT], _level_and_code)
    _add_rows(system, tables[CONSULTATION_DIAGNOSIS], _level_and_code)
    _add_rows(system, tables[PROFESSIONAL], lambda r: (r["profession"], r["speciality"]))
    total = ("total", "total")
    _diagnoses(system, CONSULTATION_DIAGNOSIS, codes, leaves, ESTABLISHMENT, total)
    region_of = {p["department_code"]: p["region_key"] for p in places.to_pylist()}
    department_of = {p["establishment_key"]: p["department_code"] for p in places.to_pylist()}
    groups: dict[Cell, list[Cell]] = defaultdict(list)
    specialities: dict[Cell, list[Cell]] = defaultdict(list)
    for cell in system.number:
        name, grain, start, what = cell
        if name == PROFESSIONAL:
            profession, speciality = what
            above = (ESTABLISHMENT, grain, start, total)
            if speciality != WHOLE:
                above = (PROFESSIONAL, grain, start, (profession, WHOLE))
            specialities[above].append(cell)
        elif name == ESTABLISHMENT:
            level, code = what
            place = {
                "region": total,
                "unattached": total,
                "department": ("region", region_of.get(code)),
                "establishment": ("department", department_of.get(code)),
            }.get(level)
            groups[ESTABLISHMENT, grain, start, place].append(cell)
    for whole, parts in (*groups.items(), *specialities.items()):
        if not all(_is_level(part, "unattached") for part in parts):
            system.equation(whole, parts)
    _over_time(system)
    return system


def _whole_consultations(tables: Mapping[str, TablePair]) -> System:
    """Whole consultations: of places over time only, since one may count in several places; of slots within the total.

    Those of no slot of the evening, and of the evening but not the night, are not published: differences that are known
    where both figures are, unless they are small, which they must not be.
    """
    system = System("consultations")
    _add_rows(system, tables[ESTABLISHMENT], _level_and_code)
    total = ("total", "total")
    of_slots = [r for r in tables[USE].published if r["level"] == "slot"]
    _add_rows(system, replace(tables[USE], published=of_slots), _level_and_code)
    for _, grain, start, (level, code) in [c for c in system.number if c[0] == USE]:
        cell = (USE, grain, start, (level, code))
        whole = (ESTABLISHMENT, grain, start, total) if code == "evening" else (USE, grain, start, (level, "evening"))
        rest = system.values[system.number[whole]] - system.values[system.number[cell]]
        seen = not any(system.masked[system.number[c]] for c in (whole, cell))
        difference = (USE, grain, start, (level, f"not {code}"))
        system.add(difference, rest, masked=not seen or 0 < rest <= 10)
        system.equation(whole, [cell, difference])
    _attendance(system, tables[ATTENDANCE])
    _over_time(system, lambda c: c[0] != ATTENDANCE)
    return system


def _attendance(system: System, pair: TablePair) -> None:
    """Add days of the week and slots: a place is all of them; the weekend; the evening; the months of a year."""
    _add_rows(system, pair, lambda r: (r["level"], r["code"], r["region_code"]))
    groups: dict[tuple[str, Cell], list[Cell]] = defaultdict(list)
    for cell in [c for c in system.number if c[0] == ATTENDANCE]:
        _, grain, start, (level, code, region) = cell
        place = ("total", "total") if region == "all" else ("region", region)
        if (level, code) == ("week", "all"):
            # Another row shows the same figure, or it is masked there.
            system.masked[system.number[cell]] = system.masked[system.number[ESTABLISHMENT, grain, start, place]]
        if code != "weekend":
            groups[level, (ESTABLISHMENT, grain, start, place)].append(cell)
        if level == "weekday" and code in "67":
            groups["weekend", (ATTENDANCE, grain, start, ("week", "weekend", region))].append(cell)
        if (code, region) == ("20-06", "all"):
            groups["evening", (USE, grain, start, ("slot", "evening"))].append(cell)
        if grain == "month":
            groups["year", (ATTENDANCE, "year", start.replace(month=1), (level, code, region))].append(cell)
    for (_, whole), parts in groups.items():
        system.equation(whole, parts)


def _patients_of_use(tables: Mapping[str, TablePair]) -> System:
    """New and returning patients are all patients of a period. Each patient is new once: these add up over time."""
    system = System("patients")
    of_patients = [r for r in tables[USE].published if r["level"] == "patients"]
    totals = [r for r in tables[ESTABLISHMENT].published if r["level"] == "total"]
    _add_rows(system, replace(tables[ESTABLISHMENT], published=totals), _level_and_code)
    _add_rows(system, replace(tables[USE], published=of_patients), _level_and_code)
    new, total = ("patients", "new"), ("total", "total")
    for name, grain, start, what in list(system.number):
        if name == ESTABLISHMENT:
            parts = [(USE, grain, start, ("patients", code)) for code in ("new", "returning")]
            years = [c for c in system.number if (c[0], c[1], c[3]) == (USE, "year", new)]
            system.equation((name, grain, start, what), years if grain == "all" else parts)
    _over_time(system, lambda c: c[3] == new)
    assert any(grain == "all" and what == total for _, grain, _, what in system.number)
    return system


def _stays(tables: Mapping[str, TablePair], codes: pa.Table, leaves: Sequence[Row], measure: str) -> System:
    system = System(measure)
    _add_rows(system, tables[STAYS], lambda _: "total")
    _add_rows(system, tables[STAY_DIAGNOSIS], _level_and_code)
    _diagnoses(system, STAY_DIAGNOSIS, codes, leaves, STAYS, "total")
    _sexes_and_ages(system, tables[STAY_SEX_AGE])
    if measure == "events":
        _follow_up(system, tables[FOLLOW_UP])
    _over_time(system)
    return system


def _follow_up(system: System, pair: TablePair) -> None:
    """Add what follows stays: horizons within each other, within all stays, and the sums over groups of stays.

    Differences are not published. They are known where both figures are, unless they are small, which they must not be.
    """
    _add_rows(system, pair, lambda r: (r["outcome"], r["level"], r["code"]))
    cells = [cell for cell in system.number if cell[0] == FOLLOW_UP]
    groups: dict[Cell, list[Cell]] = defaultdict(list)
    for cell in cells:
        _, grain, start, (outcome, level, code) = cell
        stays = {
            "total": (STAYS, grain, start, "total"),
            "chapter": (STAY_DIAGNOSIS, grain, start, ("chapter", code)),
            "sex": (STAY_SEX_AGE, grain, start, (code, "all")),
            "age_band": (STAY_SEX_AGE, grain, start, ("all", code)),
        }[level]
        longer = {"followed_7": "followed_30", "followed_30": "followed_90"}.get(outcome)
        whole = (FOLLOW_UP, grain, start, (longer, level, code)) if longer else stays
        rest = system.values[system.number[whole]] - system.values[system.number[cell]]
        seen = not any(system.masked[system.number[c]] for c in (whole, cell))
        difference = (FOLLOW_UP, grain, start, (f"without {outcome}", level, code))
        system.add(difference, rest, masked=not seen or 0 < rest <= 10)
        system.equation(whole, [cell, difference])
        if level != "total":
            groups[FOLLOW_UP, grain, start, (outcome, "total", level)].append(cell)
    for whole in [c for c in cells if c[3][1] == "total"]:
        _, grain, start, (outcome, _, _) = whole
        for level in ("chapter", "sex", "age_band"):
            parts = groups[FOLLOW_UP, grain, start, (outcome, "total", level)]
            rest = system.values[system.number[whole]] - sum(system.values[system.number[p]] for p in parts)
            if level == "sex" and parts and rest > 0:
                system.add((FOLLOW_UP, grain, start, (outcome, level, "unknown")), rest, masked=True)
                parts = [*parts, (FOLLOW_UP, grain, start, (outcome, level, "unknown"))]
            system.equation(whole, parts)


def _sexes_and_ages(system: System, pair: TablePair) -> None:
    """Add the sums over sexes (women, men, unknown) and over age bands. The total is also a cell of indicator 3."""
    _add_rows(system, pair, _sex_and_age)
    name = pair.table.name
    values = {cell: system.values[n] for cell, n in system.number.items() if cell[0] == name}
    for cell in list(values):
        _, grain, start, (sex, band) = cell
        if sex == "all" and (name, grain, start, ("F", band)) in values:
            women, men = (values[name, grain, start, (s, band)] for s in "FM")
            rest = values[cell] - women - men
            if rest > 1e-6:
                system.add((name, grain, start, ("unknown", band)), rest, masked=True)
    by_age: dict[Cell, list[Cell]] = defaultdict(list)
    for cell in system.number:
        if cell[0] != name:
            continue
        _, grain, start, (sex, band) = cell
        if sex == "all":
            system.equation(cell, [(name, grain, start, (s, band)) for s in ("F", "M", "unknown")])
        if band != "all":
            by_age[name, grain, start, (sex, "all")].append(cell)
        system.equation((STAYS, grain, start, "total"), [cell] if (sex, band) == ("all", "all") else [])
    for whole, parts in by_age.items():
        system.equation(whole, parts)


def _persons(tables: Mapping[str, TablePair], measure: str) -> System:
    """Patients are additive over sexes and ages, but not over time. Their time is, in bands in which nobody is born."""
    system = System(measure)
    _add_rows(system, tables[STAYS], lambda _: "total")
    _sexes_and_ages(system, tables[STAY_SEX_AGE])
    if measure == "patient_years":
        _over_time(system, lambda c: isinstance(c[3], tuple) and c[3][1] not in ("all", "0-4", "unknown"))
    return system
