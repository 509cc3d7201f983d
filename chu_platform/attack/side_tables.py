"""Attack 8: the tables beside the indicators."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from chu_platform.attack.figures import SMALL, Cell, Figure, finding, is_small
from chu_platform.attack.findings import Finding, Result
from chu_platform.attack.groups import total_of
from chu_platform.attack.inputs import PLACES
from chu_platform.attack.intervals import Propagated, propagate
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.system import System, build

COVERAGE: Final = "publication_coverage"
CHECKS: Final = "check_result"
SOURCES: Final = "source_quality"
CODES: Final = "published_diagnosis"
ESTABLISHMENTS: Final = "published_establishment"
# Shares of the coverage are rounded to three decimals.
_ROUNDED: Final = 0.0005
# Tables whose rows are persons or their events; the others are registers and public data.
_OF_PERSONS: Final = re.compile("patient|consultation|hospitali|prescription|adher", re.IGNORECASE)
_COUNTS: Final = ("rows_rejected", "rows_withdrawn", "open_rejects", "mended_rejects")
Row = Mapping[str, Any]


def side_tables(knowledge: Knowledge) -> Result:
    """Small counts in coverage shares, checks, source counts, and rare codes in search lists."""
    tried, found, left_out = 0, [], []
    readers = {
        COVERAGE: _coverage,
        CHECKS: _checks,
        SOURCES: _sources,
        CODES: _rare_diagnoses,
        ESTABLISHMENTS: _rare_establishments,
    }
    for name, reader in readers.items():
        table = knowledge.inputs.published.get(name)
        if table is None:
            left_out.append(f"{name} is not published")
            continue
        rows = table.to_pylist()
        tried += len(rows)
        found += list(reader(knowledge, rows))
    return Result.of(8, "side tables", tried, found, left_out)


def _coverage(knowledge: Knowledge, rows: list[Row]) -> Iterator[Finding]:
    """What visible shares say about masked cells.

    The visible events of a level, divided by their share, give all its events, and so the sum of its masked cells.
    Found are sums of at most 10, and figures that become known, or known to be at most 10, with these sums.
    """
    visible: dict[tuple[str, str, str], float] = defaultdict(float)
    for (cell, measure), value in knowledge.figures.visible.items():
        if measure == "events":
            visible[cell[0], cell[1], _level(cell[3], cell[0])] += value
    masked: dict[tuple[str, str, str], list[Figure]] = defaultdict(list)
    for cell, measure in knowledge.figures.masked:
        if measure == "events":
            masked[cell[0], cell[1], _level(cell[3], cell[0])].append((cell, measure))
    system = build(knowledge.figures, knowledge.hierarchies)
    before = _bounds(system)
    for row in rows:
        level = row["indicator"], row["grain"], row["level"]
        share, shown = row.get("visible_share"), visible.get(level, 0.0)
        if not masked.get(level) or not share or not shown:
            continue
        whole = _visible_total(knowledge, masked[level][0][0])
        if whole and abs(shown / whole - share) <= _ROUNDED:
            # The share of visible totals: everybody can compute it.
            continue
        least, most = shown / (share + _ROUNDED) - shown, shown / (share - _ROUNDED) - shown
        if most < SMALL + 1:
            yield Finding(
                COVERAGE, tuple(zip(("indicator", "grain", "level"), level, strict=True)), "sum of masked cells"
            )
        system.add_row([(figure, 1.0) for figure in masked[level]], least, most)
    after = _bounds(system)
    if after.broken:
        return
    known = (after.high - after.low < 1e-3) & (before.high - before.low >= 1e-3)
    small = (after.high < SMALL + 1) & (before.high >= SMALL + 1)
    for cell, measure in system.figures_of(np.flatnonzero((known | small) & (after.low > 1e-3)).tolist()):
        yield finding(cell, f"{measure} from the coverage")


def _visible_total(knowledge: Knowledge, cell: Cell) -> float | None:
    """All events of the periods of a table and grain, those of a cell; None if the total of a period is masked."""
    periods = {c[1:3] for c in knowledge.figures.ends if c[:2] == cell[:2]}
    totals = [knowledge.figures.value(total_of((cell[0], *period, ())), "events") for period in periods]
    known = [t for t in totals if t is not None]
    return sum(known) if len(known) == len(totals) else None


def _bounds(system: System) -> Propagated:
    return propagate(system.matrix, system.row_bounds, *system.column_bounds, system.step_array)


def _level(keys: tuple[str, ...], table: str) -> str:
    """The level of a cell as the coverage names it."""
    if "by_sex_and_age" in table:
        return f"{'all' if keys[0] == 'all' else 'sex'}/{'all' if keys[1] == 'all' else 'age'}"
    if "by_professional" in table:
        return "profession" if keys[1] == "Ensemble" else "speciality"
    return keys[0] if keys else "total"


def _checks(knowledge: Knowledge, rows: list[Row]) -> Iterator[Finding]:
    """Measured numbers of 1 to 10 rows, and measured shares of that many rows."""
    sizes = {r["source"]: r["rows_kept"] for r in _rows(knowledge, SOURCES)}
    facts = {
        "fact_consultation": knowledge.figures.value((PLACES, "all", None, ("total", "total")), "events"),
        "fact_hospitalisation": knowledge.figures.value(("kpi_hospitalisation_rate", "all", None, ()), "events"),
    }
    for row in rows:
        measured = row.get("measured")
        if measured is None or not _OF_PERSONS.search(row["table"]) or row.get("type") == "freshness":
            continue
        size = sizes.get(row["table"]) or facts.get(row["table"])
        share = abs(measured)
        whole = measured == int(measured) and 1 <= share <= SMALL
        if whole or (size and 0 < share < 1 and _is_whole_share(share, size)):
            yield Finding(CHECKS, tuple((c, str(row[c])) for c in ("layer", "table", "check")), "measured")


def _is_whole_share(share: float, size: float) -> bool:
    """Whether a share of about `size` rows is 1 to 10 rows: of this delivery, or of the one before."""
    return any(
        abs(share * of - round(share * of)) < 1e-6 and 1 <= round(share * of) <= SMALL
        for of in (size + change for change in range(-SMALL, SMALL + 1))
    )


def _sources(knowledge: Knowledge, rows: list[Row]) -> Iterator[Finding]:
    """Counts of 1 to 10 delivered rows about persons, and rows kept that no published total counts."""
    totals = {
        "Consultation": knowledge.figures.value((PLACES, "all", None, ("total", "total")), "events"),
        "Hospitalisations": knowledge.figures.value(("kpi_hospitalisation_rate", "all", None, ()), "events"),
    }
    for row in rows:
        source = row["source"]
        if not _OF_PERSONS.search(source):
            continue
        key = (("source", source),)
        yield from (Finding(SOURCES, key, c) for c in _COUNTS if row.get(c) is not None and is_small(row[c]))
        total, kept = totals.get(source), row.get("rows_kept")
        if total is not None and kept is not None and is_small(abs(kept - total)):
            yield Finding(SOURCES, key, "rows_kept - events")
        share, rows_in = row.get("rejected_share"), row.get("rows_in")
        if row.get("rows_rejected") is None and share and rows_in and is_small(share * rows_in):
            yield Finding(SOURCES, key, "rejected_share")


def _rare_diagnoses(knowledge: Knowledge, rows: list[Row]) -> Iterator[Finding]:
    """Codes in the search list that no visible figure has.

    A list that holds every official code of a level says nothing about a code of it.
    """
    shown = {c[3] for c, _ in knowledge.figures.visible if c[0].endswith("_by_diagnosis")}
    listed = {(r["level"], r["code"]) for r in rows}
    registers = knowledge.inputs.registers
    official = {
        "leaf": set(registers.codes["code"].to_pylist()),
        "category": set(registers.codes["category_code"].to_pylist()),
        "chapter": set(registers.chapters["chapter_code"].to_pylist()),
    }
    complete = {level for level, codes in official.items() if all((level, c) in listed for c in codes)}
    for level, code in sorted(listed):
        public = level in complete and code in official[level]
        if not public and (level, code) not in shown:
            yield Finding(CODES, (("level", level), ("code", code)), "exists")


def _rare_establishments(knowledge: Knowledge, rows: list[Row]) -> Iterator[Finding]:
    """Establishments in the search list that no visible figure has, unless the list is the whole register."""
    shown = {c[3][1] for c, _ in knowledge.figures.visible if c[0] == PLACES and c[3][0] == "establishment"}
    listed = {r["establishment_key"] for r in rows}
    if set(knowledge.hierarchies.department) - {"inconnu"} <= listed:
        return
    for code in sorted(listed - shown):
        yield Finding(ESTABLISHMENTS, (("establishment_key", code),), "exists")


def _rows(knowledge: Knowledge, name: str) -> list[dict[str, Any]]:
    table = knowledge.inputs.published.get(name)
    rows: list[dict[str, Any]] = table.to_pylist() if table is not None else []
    return rows
