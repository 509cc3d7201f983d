"""The identity of rows depends on every value of every row, and on nothing else."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from chu_platform.storage.row_identity import aggregate_partitions
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, STRING, WEIGHT, Column
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Layout, Table, Zone
from chu_platform_tests import small_duckdb

pytestmark = pytest.mark.unit

COLUMNS = [
    Column(name, type_, name, name)
    for name, type_ in {
        "text": STRING,
        "other": STRING,
        "whole": INTEGER,
        "long": LONG,
        "double": DOUBLE,
        "share": WEIGHT,
        "day": DATE,
        "flag": BOOLEAN,
    }.items()
]
TABLE = Table(
    name="any",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="a row",
    label="Lignes",
    owner="team:tests",
    columns=[*COLUMNS, Column("part", STRING, "partition", "Partition")],
    rows=Computed(lambda: pa.table({})),
    layout=Layout(partition_by=["part"]),
)
TABLES = 10_000
Row = tuple[Any, ...]


def identities(tables: Sequence[Sequence[Row]]) -> Sequence[str]:
    """The identity of the rows of each table; each table has rows, and is a partition of one table."""
    rows = [(*row, str(number)) for number, table in enumerate(tables) for row in table]
    arrays = [pa.array(values, c.type) for values, c in zip(zip(*rows, strict=True), TABLE.columns, strict=True)]
    with small_duckdb.connect() as connection:
        connection.register("given", pa.table(arrays, [c.name for c in TABLE.columns]))
        found = aggregate_partitions(connection, TABLE, "given")
    return [found[f"part={number}"].identity for number in range(len(tables))]


def draw(random_: random.Random) -> Row:
    """A row of values that are often equal, null or near to each other."""
    text = ["", "a", "ab", "b", "é", "\u0000", "a" * random_.randrange(3000), None]
    return (
        random_.choice(text),
        random_.choice(text),
        random_.choice([None, 0, 1, -1, random_.randrange(-(2**31), 2**31)]),
        random_.choice([None, 0, 1, -1, random_.randrange(-(2**63), 2**63)]),
        random_.choice([None, 0.0, -0.0, math.nan, math.inf, random_.random(), 5e-324]),
        random_.choice([None, Decimal("0.000000000001"), Decimal("12345678.123456789012"), Decimal(0)]),
        random_.choice([None, 0, 1, random_.randrange(-700_000, 700_000)]),
        random_.choice([None, True, False]),
    )


def value(cell: object) -> object:
    """A cell as a key by which equal cells are equal: NaN equals itself."""
    return "NaN" if isinstance(cell, float) and math.isnan(cell) else cell


def test_random_tables_have_the_same_identity_only_if_they_have_the_same_rows(seed: int) -> None:
    random_ = random.Random(seed)
    tables: list[list[Row]] = []
    for _ in range(TABLES // 2):
        rows = [draw(random_) for _ in range(random_.randrange(1, 5))]
        changed = random_.sample(rows, len(rows))
        if random_.random() < 0.8:
            place, column = random_.randrange(len(changed)), random_.randrange(len(COLUMNS))
            cell = draw(random_)[column]
            changed[place] = (*changed[place][:column], cell, *changed[place][column + 1 :])
        tables += [rows, changed]
    contents = [frozenset(Counter(tuple(map(value, row)) for row in rows).items()) for rows in tables]
    pairs = set(zip(identities(tables), contents, strict=True))
    assert len(pairs) == len({identity for identity, _ in pairs}) == len({rows for _, rows in pairs})


BASE: Row = ("ab", "c", 1, 2, 0.5, Decimal("0.5"), 7, True)
EMPTY: Row = (None,) * len(COLUMNS)
PAIRS = {
    "a border between two columns moved": ([BASE], [("a", "bc", *BASE[2:])]),
    "two columns exchanged": ([BASE], [("c", "ab", *BASE[2:])]),
    "null and value exchanged": ([(None, "x", *BASE[2:])], [("x", None, *BASE[2:])]),
    "an empty text for null": ([(None, *BASE[1:])], [("", *BASE[1:])]),
    "zero for null": ([(*BASE[:2], None, *BASE[3:])], [(*BASE[:2], 0, *BASE[3:])]),
    "false for null": ([(*BASE[:7], None)], [(*BASE[:7], False)]),
    "values exchanged between rows": (
        [("a", "b", *BASE[2:]), ("c", "d", *BASE[2:])],
        [("a", "d", *BASE[2:]), ("c", "b", *BASE[2:])],
    ),
    "a row twice, and another row twice": ([BASE, BASE], [EMPTY, EMPTY]),
    "a row once and twice": ([BASE], [BASE, BASE]),
    "rows that only differ in number": ([EMPTY], [EMPTY, EMPTY]),
    "a sum moved between rows": (
        [(*BASE[:2], 1, *BASE[3:]), (*BASE[:2], 4, *BASE[3:])],
        [(*BASE[:2], 2, *BASE[3:]), (*BASE[:2], 3, *BASE[3:])],
    ),
    "the last bit of a number": (
        [(*BASE[:4], 0.1 + 0.2, *BASE[5:])],
        [(*BASE[:4], 0.3, *BASE[5:])],
    ),
    "the last digit of twenty": (
        [(*BASE[:5], Decimal("12345678.123456789012"), *BASE[6:])],
        [(*BASE[:5], Decimal("12345678.123456789013"), *BASE[6:])],
    ),
    "the end of a long text": ([("x" * 5000 + "y", *BASE[1:])], [("x" * 5000 + "z", *BASE[1:])]),
    "one number in two columns": ([(*BASE[:2], 5, 6, *BASE[4:])], [(*BASE[:2], 6, 5, *BASE[4:])]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_that_a_weak_hash_confuses_differ(name: str) -> None:
    one, other = identities(PAIRS[name])
    assert one != other


def test_zeros_of_both_signs_and_nan_are_equal() -> None:
    doubles = [0.0, -0.0, math.nan, -math.nan]
    zero, minus_zero, nan, minus_nan = identities([[(*BASE[:4], double, *BASE[5:])] for double in doubles])
    assert zero == minus_zero and nan == minus_nan and zero != nan
