"""Attacks 4, 5 and 6: small counts as differences of visible figures of one or a few rows."""

from collections.abc import Iterator
from math import floor

from chu_platform.attack.attendance import outside_of_regions
from chu_platform.attack.figures import ALL, BASE, FEWEST, SMALL, Figures, finding, is_small, rows_of
from chu_platform.attack.findings import Finding, Result
from chu_platform.attack.groups import ancestors, is_by_age, is_place_table
from chu_platform.attack.inputs import SPECIALITIES, USE
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.rounded import few_beyond, nearly_all
from chu_platform.attack.use import frequent_patients

_QUANTILES = {"p20": 0.2, "p80": 0.8}
_PACE = ("median", "p20", "p80", "funnel_low", "funnel_high")


def small_complements(knowledge: Knowledge) -> Result:
    """Attack 4: all patients of the base, or all but 1 to 10; exactly one event more than patients."""
    figures = knowledge.figures
    tried, found = 0, []
    for (cell, measure), patients in figures.visible.items():
        if measure != "patients":
            continue
        tried += 1
        base = figures.base(cell)
        if base is not None and patients > 0 and (abs(base - patients) < 0.5 or is_small(base - patients)):
            found.append(finding(cell, f"{BASE} - patients"))
        # Shares of a place are no whole events. Patients by age are in the band of their age in the period, events in
        # that of the age at the event.
        whole = "consultations" if is_place_table(cell) else "events"
        events = figures.value(cell, whole)
        by_band = is_by_age(cell) and cell[3][1] != ALL
        if events is not None and not by_band and abs(events - patients - 1) < 1e-6:
            found.append(finding(cell, f"{whole} - patients"))
    rounded, all_but_few = nearly_all(knowledge)
    return Result.of(4, "complements", tried + rounded, [*found, *all_but_few])


def small_overlaps(knowledge: Knowledge) -> Result:
    """Attack 5: inclusion and exclusion of distinct patients.

    A visible part leaves 1 to 10 patients of a visible whole who are in other parts only; or all parts are visible, and
    1 to 10 patients are in more than one (the sum of the parts minus the whole). Also consultations of a day or a slot
    of which 1 to 10 are not of a region.
    """
    figures = knowledge.figures
    tried, found = 0, []
    for (cell, measure), patients in figures.visible.items():
        if measure != "patients" or patients == 0:
            continue
        for whole in ancestors(cell, figures, knowledge.hierarchies):
            above = figures.value(whole, "patients")
            if above is None:
                continue
            tried += 1
            if is_small(above - patients):
                found.append(finding(whole, f"patients without those of {'|'.join(cell[3]) or cell[1]}"))
    for group in knowledge.groups:
        if "patients" not in group.united:
            continue
        whole_patients = figures.value(group.whole, "patients")
        parts = [figures.value(part, "patients") for part in group.parts]
        known = [p for p in parts if p is not None]
        if whole_patients is None or len(known) < len(parts) or len(known) < 2:
            continue
        tried += 1
        if is_small(sum(known) - whole_patients):
            found.append(finding(group.whole, f"patients in several {group.kind}"))
    found += outside_of_regions(figures)
    return Result.of(5, "inclusion and exclusion of patients", tried, found)


def few_ranks(knowledge: Knowledge) -> Result:
    """Attack 6: quantiles with fewer than 3 professionals on their outer side; funnels that give masked figures back.

    Also shares of the patients who consult most often that tell too much of one or few of them. The funnel's limits are
    symmetric around the mean, and as wide as the median number of active years says.
    """
    title = "quantiles, funnels and shares of few"
    tables = knowledge.inputs.tables_of_persons()
    tried, found = frequent_patients(tables[USE]) if USE in tables else (0, [])
    for cell, row in rows_of(SPECIALITIES, tables[SPECIALITIES]) if SPECIALITIES in tables else ():
        shown = [c for c in _PACE if row.get(c) is not None]
        if not shown:
            continue
        tried += 1
        professionals = row.get("professionals")
        if professionals is None:
            # Nothing says that there are enough of them.
            found.append(finding(cell, "quantiles of an unknown number of professionals"))
            continue
        for column, share in _QUANTILES.items():
            outside = floor(min(share, 1 - share) * professionals + 1e-9)
            if column in shown and outside < FEWEST:
                found.append(finding(cell, column))
        if professionals <= SMALL and "median" in shown:
            found.append(finding(cell, "median"))
        if row.get("events_per_active_year") is None and any(c.startswith("funnel") for c in shown):
            found.append(finding(cell, "mean from the funnel"))
    rounded, beyond = few_beyond(knowledge)
    return Result.of(6, title, tried + rounded, [*found, *beyond])


def differences(old: Figures, new: Figures) -> Iterator[Finding]:
    """Figures of persons or events that differ by 1 to 10 between two editions."""
    for figure, value in new.visible.items():
        before = old.visible.get(figure)
        if before is not None and figure[1] != "days" and is_small(abs(value - before)):
            yield finding(figure[0], f"{figure[1]} differ from an earlier edition")
