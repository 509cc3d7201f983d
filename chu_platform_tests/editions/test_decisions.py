"""Decisions of editions on small tables, compared with what an attacker computes from all editions."""

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from chu_platform.editions.decisions import Member, decide, decision_columns
from chu_platform.editions.edition_rows import Figures, edition_rows
from chu_platform.sdc.cell_masks import Measures, mask, over_time, same_period
from chu_platform.sdc.primary_rules import PrimaryRules, Quantiles
from chu_platform.tables.columns import arrow_schema
from chu_platform_tests.ingest.real_files import CASES, needs_cases

Row = Mapping[str, Any]
Key = tuple[object, ...]
Shown = Mapping[Key, Row]
KEY = ("period_grain", "period_start", "level", "code")
RULES = PrimaryRules(["events", "patients"])
CELLS = f"""
    SELECT 'uses' AS indicator, concat_ws('|', period_grain, period_start, level, code) AS cell,
           period_grain AS grain, period_start AS start, level, code, {RULES.reason} AS unsafe,
           events AS weight, events FROM uses"""
MEMBER = Member("uses", "uses", KEY, ["events", "patients"], CELLS)
SYSTEM = Measures(["events"], [*over_time(), same_period("p.level = 'region'", "c.level = 'department'")])
DECISIONS = arrow_schema(decision_columns(MEMBER.counts))


def rate(counted: pa.Table) -> pa.Table:
    patients, base = (counted[c].to_numpy() for c in ("patients", "base_patients"))
    return counted.append_column("rate", pa.array(1000 * patients / base))


FIGURES = Figures(
    "uses",
    KEY,
    ["period_grain", "period_start", "period_end", "level", "code"],
    ["events", "patients"],
    ["base_patients"],
    ["rate"],
    rate,
    {"rate": ["patients", "base_patients"]},
)


@dataclass
class Editions:
    """Editions that are made one after the other. `shown` are the rows of each, by key."""

    decision: pa.Table = field(default_factory=lambda: DECISIONS.empty_table())
    rows: pa.Table | None = None
    shown: list[dict[Key, Row]] = field(default_factory=list)

    def release(self, candidates: Sequence[Row]) -> dict[Key, Row]:
        table = rate(pa.Table.from_pylist(list(candidates)))
        inputs = {"uses": table}
        masked = mask(inputs, CELLS, [SYSTEM])
        self.decision = decide(inputs, masked, self.decision, [MEMBER], [SYSTEM]).cast(DECISIONS)
        before = self.rows if self.rows is not None else edition_rows(FIGURES, table, self.decision, EMPTY).slice(0, 0)
        self.rows = edition_rows(FIGURES, table, self.decision, before)
        self.shown.append({tuple(row[k] for k in KEY): row for row in self.rows.to_pylist()})
        return self.shown[-1]

    def state(self, *key: object) -> str:
        cell = "|".join(map(str, key))
        return str(next(r["state"] for r in self.decision.to_pylist() if r["cell"] == cell))


EMPTY = pa.schema(
    [
        ("period_grain", pa.string()),
        ("period_start", pa.date32()),
        ("period_end", pa.date32()),
        ("level", pa.string()),
        ("code", pa.string()),
        ("events", pa.float64()),
        ("patients", pa.int64()),
        ("base_patients", pa.int64()),
        ("rate", pa.float64()),
    ]
).empty_table()


def row(
    level: str,
    code: str,
    events: float,
    patients: int | None = None,
    start: date = date(2019, 1, 1),
    grain: str = "year",
    end: date | None = None,
    base: int = 5000,
) -> Row:
    months = {"month": 1, "quarter": 3, "year": 12}.get(grain, 0)
    last = start.month - 1 + months
    return {
        "period_grain": grain,
        "period_start": start,
        "period_end": end or date(start.year + last // 12, last % 12 + 1, 1),
        "level": level,
        "code": code,
        "events": float(events),
        "patients": int(events) if patients is None else patients,
        "base_patients": base,
    }


def key_of(one: Row) -> Key:
    return tuple(one[k] for k in KEY)


def differences_disclosed(before: Shown, after: Shown) -> Iterator[Key]:
    """The keys whose figures two editions show with a difference of 1 to 10."""
    for key, old in before.items():
        new = after.get(key)
        for count in ("events", "patients"):
            if new and old[count] is not None and new[count] is not None and 0 < abs(new[count] - old[count]) <= 10:
                yield key


def delivered(publication: str) -> Sequence[Row]:
    with (CASES / "28-disclosure" / "differencing.csv").open(encoding="utf-8") as stream:
        return [
            row(r["level"], r["code"], int(r["events"]))
            for r in csv.DictReader(stream)
            if r["publication"] == publication
        ]


@pytest.mark.integration
@needs_cases
def test_two_publications_that_differ_by_one_stay_disclose_nobody() -> None:
    made = Editions()
    monday = made.release(delivered("Monday"))
    assert [r["events"] for r in monday.values()] == [100.0, 60.0, 40.0]
    tuesday = made.release(delivered("Tuesday"))
    # One of 100 and one of 40 is not less than 1 %.
    assert {k[3]: (r["events"], r["is_masked"], r["revision_pending"]) for k, r in tuesday.items()} == {
        "84": (None, True, False),
        "69": (60.0, False, False),
        "01": (None, True, False),
    }
    assert not list(differences_disclosed(monday, tuesday))


@pytest.mark.integration
def test_a_correction_below_one_per_cent_waits_and_is_shown_when_it_has_grown() -> None:
    made = Editions()
    made.release([row("region", "84", 2000), row("department", "69", 1200), row("department", "01", 800)])
    second = made.release([row("region", "84", 2003), row("department", "69", 1203), row("department", "01", 800)])
    assert {k[3]: (r["events"], r["revision_pending"]) for k, r in second.items()} == {
        "84": (2000.0, True),
        "69": (1200.0, True),
        "01": (800.0, False),
    }
    # Compared with what was released, however old: 9 more than in the first edition still wait, 12 more do not.
    third = made.release([row("region", "84", 2009), row("department", "69", 1209), row("department", "01", 800)])
    assert {r["events"] for r in third.values() if r["revision_pending"]} == {2000.0, 1200.0}
    fourth = made.release([row("region", "84", 2012), row("department", "69", 1212), row("department", "01", 800)])
    assert [(r["events"], r["revision_pending"]) for r in fourth.values()] == [
        (2012.0, False),
        (1212.0, False),
        (800.0, False),
    ]
    assert not any(list(differences_disclosed(a, b)) for a, b in itertools.combinations(made.shown, 2))


@pytest.mark.unit
def test_a_small_change_is_not_the_difference_of_two_large_ones() -> None:
    """The region has one more, which its departments would give: 12 more in one, 11 fewer in the other."""
    made = Editions()
    made.release([row("region", "84", 2000), row("department", "69", 1200), row("department", "01", 800)])
    second = made.release([row("region", "84", 2001), row("department", "69", 1212), row("department", "01", 789)])
    departments = {k[3]: r["events"] for k, r in second.items() if k[2] == "department"}
    assert second[key_of(row("region", "84", 0))]["revision_pending"]
    # With both shown, 1212 + 789 = 2001 would give the change of the region.
    assert departments == {"69": 1212.0, "01": None}
    assert not any(r["is_exposed"] for r in made.decision.to_pylist())


@pytest.mark.unit
def test_a_measure_that_has_not_changed_is_no_secret() -> None:
    """Department 69 loses a patient and no event: its events follow from the others, and were released."""
    made = Editions()
    region, other = row("region", "84", 3000, 2000), row("department", "01", 1200, 900)
    made.release([region, row("department", "69", 1800, 1200), other])
    second = made.release([region, row("department", "69", 1800, 1199), other])
    assert {k[3]: (r["patients"], r["revision_pending"]) for k, r in second.items()} == {
        "84": (2000, False),
        "69": (1200, True),
        "01": (900, False),
    }
    assert not any(r["is_exposed"] for r in made.decision.to_pylist())
    # An event more is a secret: the region has it too, and waits.
    third = made.release([row("region", "84", 3001, 2000), row("department", "69", 1801, 1199), other])
    assert {k[3] for k, r in third.items() if r["revision_pending"]} == {"84", "69"}
    assert not any(r["is_exposed"] for r in made.decision.to_pylist())


@pytest.mark.integration
def test_a_masked_cell_is_shown_later_only_with_another_figure() -> None:
    made = Editions()
    made.release([row("region", "84", 2000), row("department", "69", 1200), row("department", "01", 800)])
    made.release([row("region", "84", 2003), row("department", "69", 1200), row("department", "01", 803)])
    masked = made.release([row("region", "84", 2012), row("department", "69", 1200), row("department", "01", 812)])
    assert masked[key_of(row("department", "01", 0))]["events"] == 812.0
    made = Editions()
    made.release([row("region", "84", 300), row("department", "69", 200), row("department", "01", 100)])
    assert made.release([row("region", "84", 304), row("department", "69", 200), row("department", "01", 104)])[
        key_of(row("department", "01", 0))
    ]["is_masked"]
    # Released as 100: 108 is still too near, 100 again and 111 are not.
    for events, is_masked in ((108, True), (100, False), (109, True), (111, False)):
        found = made.release(
            [row("region", "84", 200 + events), row("department", "69", 200), row("department", "01", events)]
        )
        assert found[key_of(row("department", "01", 0))]["is_masked"] == is_masked, events
    assert not any(list(differences_disclosed(a, b)) for a, b in itertools.combinations(made.shown, 2))


@pytest.mark.unit
def test_a_secondary_cell_stays_masked_when_other_cells_would_protect() -> None:
    """Region 300 = 5 + 95 + 200: the second edition must not show the cell that protected the small one."""
    made = Editions()
    first = made.release(
        [
            row("region", "84", 300),
            row("department", "01", 5),
            row("department", "38", 95),
            row("department", "69", 200),
        ]
    )
    assert {k[3] for k, r in first.items() if r["is_masked"]} == {"01", "38"}
    # A fourth, smaller department would protect department 01 now.
    second = made.release(
        [
            row("region", "84", 340),
            row("department", "01", 5),
            row("department", "38", 95),
            row("department", "69", 200),
            row("department", "73", 40),
        ]
    )
    assert second[key_of(row("department", "38", 0))]["is_masked"]
    assert not second[key_of(row("department", "69", 0))]["is_masked"]


@pytest.mark.unit
def test_new_patients_change_no_released_rate() -> None:
    made = Editions()
    first = made.release([row("region", "84", 2000), row("department", "69", 1200), row("department", "01", 800)])
    grown = [
        row("region", "84", 2000, base=5040),
        row("department", "69", 1200, base=5040),
        row("department", "01", 800, base=5040),
    ]
    assert made.release(grown) == first
    # A figure that changes has the base that was released, and a new row too.
    third = made.release(
        [
            row("region", "84", 2100, base=5070),
            row("department", "69", 1200, base=5070),
            row("department", "01", 850, base=5070),
            row("department", "73", 50, base=5070),
        ]
    )
    assert {r["base_patients"] for r in third.values()} == {5000}
    assert [r["rate"] for r in third.values()] == pytest.approx([420.0, 240.0, 170.0, 10.0])


@pytest.mark.unit
def test_a_quantile_over_few_professionals_is_in_no_row() -> None:
    """Also not in a row that stays as it was: an edition before the rule showed it."""
    candidates = [row("region", "84", 3000), row("department", "69", 1800), row("department", "01", 1200)]
    table = rate(pa.Table.from_pylist(candidates))
    professionals = {"84": 29, "69": 15, "01": 14}
    for name, values in (
        ("professionals", [professionals[r["code"]] for r in candidates]),
        ("p20", [2.5, 3.5, 4.5]),
        ("mean", [12.0, 13.0, 14.0]),
    ):
        table = table.append_column(name, pa.array(values))
    figures = replace(
        FIGURES,
        counts=[*FIGURES.counts, "professionals"],
        others=[*FIGURES.others, "p20", "mean"],
        quantiles=Quantiles("professionals", {"p20": 0.2}),
    )
    decision = decide(
        {"uses": table}, mask({"uses": table}, CELLS, [SYSTEM]), DECISIONS.empty_table(), [MEMBER], [SYSTEM]
    )
    first = edition_rows(figures, table, decision, table.slice(0, 0))
    assert {r["code"]: (r["p20"], r["mean"]) for r in first.to_pylist()} == {
        "84": (2.5, 12.0),
        "69": (3.5, 13.0),
        "01": (None, 14.0),
    }
    waiting = rate(pa.Table.from_pylist([row("region", "84", 3003), row("department", "69", 1803), candidates[2]]))
    for name in ("professionals", "p20", "mean"):
        waiting = waiting.append_column(name, table[name])
    later = decide({"uses": waiting}, mask({"uses": waiting}, CELLS, [SYSTEM]), decision, [MEMBER], [SYSTEM])
    shown = edition_rows(figures, waiting, later, table).to_pylist()
    assert {r["code"]: (r["revision_pending"], r["p20"]) for r in shown} == {
        "84": (True, 2.5),
        "69": (True, 3.5),
        "01": (False, None),
    }


def months_until(last: date, monthly: Mapping[str, Sequence[int]], base: int) -> Sequence[Row]:
    """The closed months, quarters and years until `last`, and the closed years together, from counts by month."""
    days = [date(2018 + m // 12, m % 12 + 1, 1) for m in range((last.year - 2018) * 12 + last.month - 1)]
    found: list[Row] = []
    codes = {**monthly, "84": [sum(v) for v in zip(*monthly.values(), strict=True)]}
    for code, counts in codes.items():
        level = "region" if code == "84" else "department"
        by_month = dict(zip(days, counts, strict=False))
        for grain, size in (("month", 1), ("quarter", 3), ("year", 12)):
            starts = [d for d in days if (d.month - 1) % size == 0]
            for start in starts:
                inside = [
                    by_month[d]
                    for d in days
                    if start <= d and (d.year - start.year) * 12 + d.month - start.month < size
                ]
                if len(inside) == size:
                    found.append(row(level, code, sum(inside), start=start, grain=grain, base=base))
        closed = sum(c for d, c in by_month.items() if d.year < last.year)
        found.append(
            row(level, code, closed, start=date(2018, 1, 1), grain="all", end=date(last.year, 1, 1), base=base)
        )
    return [r for r in found if r["events"]]


@pytest.mark.integration
def test_a_year_of_monthly_editions_masks_nothing_that_was_shown(seed: int) -> None:
    """Each month adds its events and new patients. One department is so small that its year adds fewer than 11."""
    random = np.random.default_rng(seed)
    monthly = {
        "69": list(random.poisson(90, 36)),
        "01": list(random.poisson(30, 36)),
        "73": list(random.poisson(12, 36)),
        "05": [3] * 12 + [0] * 11 + [7] + [0] * 12,
    }
    made = Editions()
    for month in range(13):
        last = date(2019 + (11 + month) // 12, (11 + month) % 12 + 1, 1)
        made.release(months_until(last, monthly, 5000 + 37 * month))
        reasons = [r["reason"] for r in made.decision.to_pylist()]
        assert "correction" not in reasons
        assert not any(r["is_exposed"] for r in made.decision.to_pylist())
    for earlier, later in itertools.pairwise(made.shown):
        hidden = [k for k, r in earlier.items() if not r["is_masked"] and later[k]["is_masked"]]
        assert hidden == []
        changed = {k[0] for k, r in earlier.items() if later[k] != r}
        assert changed <= {"all"}
    assert not any(list(differences_disclosed(a, b)) for a, b in itertools.combinations(made.shown, 2))
    # The year 2019 adds 7 to the department 05: its former figure and its end stay.
    small_one = made.shown[-1][("all", date(2018, 1, 1), "department", "05")]
    assert (small_one["events"], small_one["period_end"]) == (36.0, date(2019, 1, 1))
    assert made.state("all", date(2018, 1, 1), "department", "05") == "kept"
    assert made.shown[-1][("all", date(2018, 1, 1), "region", "84")]["period_end"] == date(2020, 1, 1)


@pytest.mark.unit
def test_a_row_that_repeats_a_figure_is_masked_where_the_figure_is_that_of_an_earlier_edition() -> None:
    """The region keeps its figure, since a small correction waits: a row that repeats the present one would tell it."""
    repeats = ["SELECT c.id, p.id FROM cell c JOIN cell p ON c.level = 'part' AND p.level = 'region'"]
    decision = DECISIONS.empty_table()
    states = []
    for region, part in ((5000, 800), (5003, 900)):
        inputs = {"uses": pa.Table.from_pylist([row("region", "11", region), row("part", "11", part)])}
        masked = mask(inputs, CELLS, [SYSTEM], repeats=repeats)
        decision = decide(inputs, masked, decision, [MEMBER], [SYSTEM], repeats).cast(DECISIONS)
        states.append({r["level"]: r["state"] for r in decision.to_pylist()})
    assert states == [{"region": "new", "part": "new"}, {"region": "pending", "part": "masked"}]
