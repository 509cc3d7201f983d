"""The history of a delivered table: versions by the day of the delivery, and what its checks find."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest

from chu_platform.building_blocks.delivered_history import continued
from chu_platform.history.mutuelle_history import mutuelle_history
from chu_platform.tables.versions import version_checks
from chu_platform_tests.tables.test_checks import measured

pytestmark = pytest.mark.unit

FIRST, LAST = date(1800, 1, 1), date(9999, 12, 31)
# The rows of each member, as pairs of values.
State = Mapping[str, Sequence[tuple[str | None, str | None]]]
Version = tuple[str, date, date, frozenset[tuple[str | None, str | None]]]
COLUMNS = ["member", "place", "name"]
SCHEMA = pa.schema(
    [
        *(pa.field(c, pa.string()) for c in COLUMNS),
        *(pa.field(c, pa.date32()) for c in ("valid_from", "valid_to", "delivered_on")),
        pa.field("line", pa.int32()),
    ]
)


def deliver(former: pa.Table, day: date, state: State, *, of_persons: bool = False) -> pa.Table:
    """The history after a delivery."""
    rows = [{"member": m, "place": p, "name": n, "other": "x"} for m, pairs in state.items() for p, n in pairs]
    schema = pa.schema([*(pa.field(c, pa.string()) for c in (*COLUMNS, "other"))])
    delivered = pa.Table.from_pylist(rows, schema)
    return continued(former, delivered, day, COLUMNS, {}, of_persons=of_persons).select(SCHEMA.names).cast(SCHEMA)


def after(*deliveries: tuple[date, State], of_persons: bool = False) -> pa.Table:
    history = SCHEMA.empty_table()
    for day, state in deliveries:
        history = deliver(history, day, state, of_persons=of_persons)
    return history


def versions(history: pa.Table) -> set[Version]:
    """The versions of a history, with the rows of each."""
    found: dict[tuple[str, date, date], set[tuple[str | None, str | None]]] = defaultdict(set)
    for row in history.to_pylist():
        found[row["member"], row["valid_from"], row["valid_to"]].add((row["place"], row["name"]))
    return {(*key, frozenset(rows)) for key, rows in found.items()}


def expected(deliveries: Sequence[tuple[date, State]]) -> set[Version]:
    """The same, computed from all deliveries at once: the last one of each day, and what it says of each member."""
    by_day: dict[date, State] = {}
    for day, state in deliveries:
        by_day[max([day, *by_day])] = state
    found: set[Version] = set()
    for member in {m for state in by_day.values() for m in state}:
        said = [(day, frozenset(by_day[day][member])) for day in sorted(by_day) if member in by_day[day]]
        changes = [said[0], *(now for before, now in pairwise(said) if before[1] != now[1])]
        days = [FIRST, *(day for day, _ in changes[1:]), LAST]
        found |= {(member, days[n], days[n + 1], rows) for n, (_, rows) in enumerate(changes)}
    return found


LYON, NICE, PARIS = [("84", "A")], [("93", "A")], [("11", "A")]


def test_a_change_ends_a_version_and_begins_another() -> None:
    found = after((date(2020, 1, 1), {"one": LYON, "two": PARIS}), (date(2021, 5, 1), {"one": NICE, "two": PARIS}))
    assert versions(found) == {
        ("one", FIRST, date(2021, 5, 1), frozenset(LYON)),
        ("one", date(2021, 5, 1), LAST, frozenset(NICE)),
        ("two", FIRST, LAST, frozenset(PARIS)),
    }


def test_the_same_delivery_adds_nothing() -> None:
    first = after((date(2020, 1, 1), {"one": LYON, "two": [("11", None), (None, "B")]}))
    again = deliver(first, date(2021, 1, 1), {"two": [(None, "B"), ("11", None), ("11", None)], "one": LYON})
    assert again.sort_by([("member", "ascending"), ("line", "ascending")]).equals(
        first.sort_by([("member", "ascending"), ("line", "ascending")])
    )


def test_a_correction_of_the_same_day_leaves_no_version() -> None:
    days = date(2020, 1, 1), date(2021, 1, 1)
    wrong = after((days[0], {"one": LYON}), (days[1], {"one": NICE, "new": PARIS}))
    assert versions(deliver(wrong, days[1], {"one": LYON})) == {("one", FIRST, LAST, frozenset(LYON))}
    # A file that claims to be older is a correction, too: what was known before stays.
    assert versions(deliver(wrong, date(1980, 1, 1), {"one": PARIS})) == {
        ("one", FIRST, days[1], frozenset(LYON)),
        ("one", days[1], LAST, frozenset(PARIS)),
    }


def test_a_member_that_is_not_delivered_keeps_its_version_unless_it_is_a_person() -> None:
    deliveries = (
        (date(2020, 1, 1), {"one": LYON, "two": PARIS}),
        (date(2021, 1, 1), {"one": NICE, "two": PARIS}),
        (date(2022, 1, 1), {"two": PARIS}),
    )
    assert {v[0] for v in versions(after(*deliveries))} == {"one", "two"}
    assert versions(after(*deliveries, of_persons=True)) == {("two", FIRST, LAST, frozenset(PARIS))}


def test_random_deliveries_give_the_versions_that_all_of_them_tell(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(8):
        day, deliveries = date(2015, 1, 1), []
        for _ in range(draw.randint(1, 6)):
            day += timedelta(days=draw.choice([0, 0, 30, 400, -20]))
            members = draw.sample("abcdef", draw.randint(1, 6))
            values = [(place, name) for place in ("84", "93", None) for name in ("A", None)]
            deliveries.append((day, {m: draw.sample(values, draw.randint(1, 2)) for m in members}))
        history = after(*deliveries)
        assert versions(history) == expected(deliveries)
        rows = [(r["member"], r["valid_from"], r["line"]) for r in history.to_pylist()]
        assert len(rows) == len({*rows})


@pytest.mark.parametrize(
    ("days", "wrong"),
    [
        ([("1800-01-01", "2020-01-01"), ("2020-01-01", "9999-12-31")], set()),
        ([("1800-01-01", "2020-01-01"), ("2021-01-01", "9999-12-31")], {"versions_follow_each_other"}),
        ([("1800-01-01", "2020-01-01"), ("2019-01-01", "9999-12-31")], {"versions_follow_each_other"}),
        ([("2000-01-01", "9999-12-31")], {"versions_follow_each_other"}),
        ([("1800-01-01", "2020-01-01")], {"one_newest_version"}),
        ([("1800-01-01", "9999-12-31"), ("9999-12-31", "9999-12-31")], {"one_newest_version"}),
    ],
)
def test_the_checks_find_versions_that_do_not_follow_each_other(days: list[tuple[str, str]], wrong: set[str]) -> None:
    rows = " UNION ALL ".join(
        f"SELECT 'one' AS member, DATE '{a}' AS valid_from, DATE '{b}' AS valid_to" for a, b in days
    )
    of_days, *counted = version_checks("member")
    assert {c.name for c in counted if measured(c, written=rows)} == wrong
    assert of_days.breaks == "NOT (valid_from < valid_to)"
    assert all(c.blocking for c in (of_days, *counted))


def test_a_history_is_an_input_that_continues_itself() -> None:
    assert mutuelle_history.rows.continues and mutuelle_history.rows.repeatable
    assert mutuelle_history.key == ["Id_Mut", "valid_from", "line"]
