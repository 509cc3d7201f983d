"""What the tables with rounded counts tell: steps of care, prescriptions. A count is the multiple of 20 below it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from chu_platform.attack.figures import ALL, FEWEST, LARGEST_SHARE, SMALL, Cell, Figures
from chu_platform.attack.findings import Finding
from chu_platform.attack.inputs import (
    CYCLE,
    DIAGNOSES,
    PLACES,
    PRESCRIPTION,
    ROUNDED_TABLES,
    SPECIALITIES,
    STAYS,
    STAYS_BY_DIAGNOSIS,
    Tables,
)
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.rounded_facts import Behind, Row, behind
from chu_platform.attack.rounded_sums import STEP, RoundedSums

KEYS: Final = {CYCLE: ("cycle", "level", "code"), PRESCRIPTION: ("level", "code")}
# The rounded count of which a published figure is the whole.
COUNTED: Final = {CYCLE: "at_least", PRESCRIPTION: "patients_at_least"}
TO_STAY, BETWEEN, LENGTH = "to_stay", "between_consultations", "length_of_stay"
# With fewer patients, a 90th percentile has fewer than three of them beyond it.
FEWEST_PATIENTS: Final = 30
_TOTAL: Final = ("total", "total")


@dataclass(frozen=True)
class Rounded:
    """The published rows with rounded counts, by their cells; those that are masked have no figures."""

    rows: Mapping[Row, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Tables) -> "Rounded":
        """The rows of the tables that have rounded counts."""
        found: dict[Row, Mapping[str, Any]] = {}
        for name in ROUNDED_TABLES:
            for row in tables[name].to_pylist() if name in tables else ():
                start = None if row["period_grain"] == ALL else row["period_start"]
                found[name, row["period_grain"], start, tuple(row[k] for k in KEYS[name])] = row
        return cls(found)

    @property
    def visible(self) -> Mapping[Row, Mapping[str, Any]]:
        """The rows with figures."""
        return {cell: row for cell, row in self.rows.items() if row["at_least"] is not None}

    @property
    def ends(self) -> Mapping[str, date]:
        """The days (excluded) up to which all years together are counted, by table and step."""
        return {
            cell[0] + (cell[3][0] if cell[0] == CYCLE else ""): row["period_end"]
            for cell, row in self.rows.items()
            if cell[1] == ALL
        }


def found(cell: Row, what: str) -> Finding:
    """The finding about a row."""
    name, grain, start, keys = cell
    period = [("period_grain", grain), *([("period_start", start.isoformat())] if start else [])]
    return Finding(name, (*period, *zip(KEYS[name], keys, strict=True)), what)


def few_persons(knowledge: Knowledge) -> tuple[int, list[Finding], list[str]]:
    """Of attack 2: the number of visible rows, those of few patients or professionals, and what was left out."""
    rounded = Rounded.of(knowledge.inputs.published)
    if not rounded.visible:
        return 0, [], []
    made = behind(knowledge, rounded.ends)
    if made is None:
        return 0, [], ["without the exact facts, nobody is counted behind rounded counts"]
    few = [found(c, what) for c in rounded.visible for what in _few(c, made.get(c))]
    return len(rounded.visible), few, []


def _few(cell: Row, made: Behind | None) -> Iterator[str]:
    if made is None:
        yield "rests on nobody"
        return
    if made.patients <= SMALL:
        yield "patients"
    of_nobody = cell[0] == CYCLE and cell[3][0] == LENGTH
    if not of_nobody and (made.professionals < FEWEST or made.largest_of_professional > LARGEST_SHARE):
        yield "professionals"
    if made.largest_of_patient > LARGEST_SHARE:
        yield "one patient"


def nearly_all(knowledge: Knowledge) -> tuple[int, list[Finding]]:
    """Of attack 4: rounded counts that leave at most ten of a visible whole."""
    figures, tried, all_but_few = knowledge.figures, 0, []
    for cell, row in Rounded.of(knowledge.inputs.published).visible.items():
        if cell[0] == CYCLE and (cell[3][0] == LENGTH or cell[3][:2] == (TO_STAY, "speciality")):
            # Every stay has a length; of the stays of a speciality, only those counted are known.
            continue
        wholes = _wholes(figures, cell)
        values = [figures.value(whole, measure) for whole, measure in wholes]
        if not values or None in values:
            continue
        tried += 1
        if sum(v for v in values if v is not None) - row[COUNTED[cell[0]]] < SMALL + 1:
            all_but_few.append(found(cell, f"{wholes[0][1]} without those counted"))
    return tried, all_but_few


def few_beyond(knowledge: Knowledge) -> tuple[int, list[Finding]]:
    """Of attack 6: percentiles with too few patients, or too few beyond them; counts that are not rounded."""
    rounded = Rounded.of(knowledge.inputs.published)
    made = behind(knowledge, rounded.ends) if rounded.visible else None
    few = []
    for cell, row in rounded.visible.items():
        counts = [row[c] for c in ("at_least", "patients_at_least", "period_at_least") if c in row]
        if any(count % STEP for count in counts):
            few.append(found(cell, "a count that is not rounded"))
        if cell[0] != CYCLE or made is None or cell not in made:
            continue
        if row["p90"] is None:
            continue
        if made[cell].patients < FEWEST_PATIENTS:
            few.append(found(cell, "percentile of few patients"))
        if (made[cell].beyond or 0) < FEWEST:
            few.append(found(cell, "patients beyond the 90th percentile"))
    return len(rounded.visible), few


def known_too_well(knowledge: Knowledge, earlier: Sequence[Tables] = ()) -> tuple[int, list[Finding]]:
    """Of attack 7 and, with earlier editions, 9: what rounded counts tell of small masked groups, and of other tables.

    A visible row whose stays or consultations are masked says that they are of so many persons. A masked row of 1 to
    10 persons, or of few professionals, must have an interval of at least ten that reaches 11.
    """
    rounded = Rounded.of(knowledge.inputs.published)
    told = [
        found(c, f"says that masked {m} are not few") for c in rounded.visible for m in _masked_behind(knowledge, c)
    ]
    made = behind(knowledge, rounded.ends) if rounded.rows else None
    small = [c for c in rounded.rows if c not in rounded.visible and made and _is_small(made.get(c), c)]
    sums = RoundedSums(rounded.rows, [Rounded.of(tables).rows for tables in earlier])
    return len(rounded.visible) + len(small), [*told, *(found(c, "interval of the count") for c in sums.narrow(small))]


def _is_small(made: Behind | None, cell: Row) -> bool:
    return made is not None and (made.patients <= SMALL or "professionals" in _few(cell, made))


def _masked_behind(knowledge: Knowledge, cell: Row) -> Iterator[str]:
    """The measures of the stays or consultations of a row that are masked."""
    for whole, measure in _wholes(knowledge.figures, cell):
        if (whole, measure) in knowledge.figures.masked:
            yield measure


def _wholes(figures: Figures, cell: Row) -> list[tuple[Cell, str]]:
    """The published stays, consultations or patients of which a row counts some; of each profession apart."""
    table, grain, start, keys = cell
    level, code = keys[-2:]
    if table == PRESCRIPTION:
        if level == "speciality":
            return [(c, "patients") for c in _of_speciality(figures, grain, start, code)]
        return [((PLACES, grain, start, _TOTAL), "patients")]
    if level == "speciality":
        # The consultation before a stay may be of the year before.
        period = (grain, start) if keys[0] == BETWEEN else (ALL, None)
        return [(c, "events") for c in _of_speciality(figures, *period, code)]
    if keys[0] == BETWEEN:
        whole, measure = (PLACES, "consultations") if level == "total" else (DIAGNOSES, "events")
        return [((whole, grain, start, (level, code)), measure)]
    return [
        ((STAYS, grain, start, ()) if level == "total" else (STAYS_BY_DIAGNOSIS, grain, start, (level, code)), "events")
    ]


def _of_speciality(figures: Figures, grain: str, start: date | None, code: str) -> list[Cell]:
    """The cells of a speciality, of all professions that have it."""
    return [c for c in figures.ends if c[0] == SPECIALITIES and c[1:3] == (grain, start) and c[3][1] == code]
