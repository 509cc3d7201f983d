"""The lineage matches the results: change inputs column by column, and compare the changed outputs with the lineage.

The queries run on the real engine over the tables of a lake; the Python functions are called directly.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from chu_platform.building_blocks.packaged_references import packaged
from chu_platform.catalogue import catalogue
from chu_platform.engine.engine import Engine
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.lineage.table_lineage import lineage_of
from chu_platform.pseudonymisation.lake_key import lake_key
from chu_platform.settings import Settings
from chu_platform.tables.column_origins import Field
from chu_platform.tables.influence import Influence
from chu_platform.tables.rows import Computed, Query
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.pipeline.home import Home

TABLES = {(t.layer, t.name): t for t in catalogue()}
# Tables with few rows that together cover unions, left joins, anti joins or stack, windows, lists and grouping.
QUERIES = [
    TABLES[Layer.FACTS, "fact_satisfaction"],
    TABLES[Layer.KPIS, "kpi_satisfaction_by_region"],
    TABLES[Layer.DIMENSIONS, "dim_professional"],
    TABLES[Layer.DIMENSIONS, "dim_establishment"],
    TABLES[Layer.PUBLISHED, "kpi_satisfaction_by_region"],
]
# Candidates are finished by the functions of the exact tables.
FINISHED = [t for t in catalogue() if isinstance(t.rows, Query) and t.rows.finish and t.layer is not Layer.CANDIDATES]
FUNCTIONS = [t for t in catalogue() if isinstance(t.rows, Computed) and t.reads and {*t.rows.given} <= {"key"}]
MAX_ROWS = 300


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(Settings(home=tmp_path_factory.mktemp("engine")))
    yield engine
    engine.close()


def changed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Other values of the same type in every row, mostly from the same set, so that joins still find rows."""
    rolled = pa.chunked_array([pa.concat_arrays([values[1:].combine_chunks(), values[:1].combine_chunks()])])
    if pa.types.is_boolean(values.type):
        return pc.invert(values)
    if pc.equal(rolled, values).to_pylist().count(True) < len(values) / 2:
        return rolled
    return pa.chunked_array([pa.nulls(len(values), values.type)])


def distribution(rows: pa.Table) -> dict[str, list[str]]:
    """The values of each column, without their order."""
    return {name: sorted(map(str, rows[name].to_pylist())) for name in rows.column_names}


def result(engine: Engine, table: Table, inputs: Mapping[str, pa.Table]) -> pa.Table:
    assert isinstance(table.rows, Query)
    frames = {name: engine.session.createDataFrame(rows) for name, rows in inputs.items()}
    rows = engine.arrow(engine.query(table.rows.sql, frames))
    return table.rows.finish(rows) if table.rows.finish else rows


@pytest.mark.integration
@pytest.mark.parametrize("table", QUERIES, ids=lambda t: f"{t.layer}/{t.name}")
def test_a_column_changes_only_with_its_origins(table: Table, engine: Engine, made: Home) -> None:
    inputs = {name: made.lake.arrow(read)[:MAX_ROWS] for name, read in table.reads.items()}
    lineage = lineage_of(table)
    before = distribution(result(engine, table, inputs))
    for name, rows in inputs.items():
        for i, column in enumerate(rows.column_names):
            field = Field(table.reads[name], column)
            declared = {c for c, origins in lineage.columns.items() if field in origins}
            if not declared and field in lineage.rows:
                continue  # it decides which rows exist, so it influences every column
            after = distribution(
                result(engine, table, {**inputs, name: rows.set_column(i, column, changed(rows[column]))})
            )
            changed_columns = {c.name for c in table.columns if after[c.name] != before[c.name]}
            assert changed_columns <= declared or field in lineage.rows, (
                f"{name}.{column} also changes {changed_columns - declared}"
            )


@pytest.fixture(scope="module")
def unfinished(engine: Engine, made: Home) -> Callable[[Table], pa.Table]:
    """What the query of a table gives to its `finish` function; each query runs once."""

    @cache
    def computed(table: Table) -> pa.Table:
        assert isinstance(table.rows, Query)
        frames = {n: engine.read(made.lake.path(t), made.lake.version(t)) for n, t in table.reads.items()}
        return engine.arrow(engine.query(table.rows.sql, frames))

    return computed


@pytest.mark.integration
@pytest.mark.parametrize("table", FINISHED, ids=lambda t: t.name)
def test_columns_finished_in_python_change_only_with_their_declared_origins(
    table: Table, unfinished: Callable[[Table], pa.Table]
) -> None:
    """Each declared column changes the result, and no other column does."""
    rows = table.rows
    assert isinstance(rows, Query) and rows.finish
    given = unfinished(table)
    if "period_grain" in given.column_names:
        given = given.filter(pc.is_in(given["period_grain"], pa.array(["quarter", "year", "all"])))
    before = rows.finish(given)
    made_from: dict[str, set[str]] = {name: set() for name in rows.from_columns}
    for i, column in enumerate(given.column_names):
        after = rows.finish(given.set_column(i, column, disturbed(given[column])))
        for name in made_from:
            if not same(before[name], after[name]):
                made_from[name].add(column)
    assert made_from == {name: set(used) for name, used in rows.from_columns.items()}


def disturbed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Changed values: greater numbers, lists of equal numbers or changed values, other types in another order."""
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        greater = pc.add(pc.multiply(values.cast(pa.float64()), 1.5), np.arange(len(values)) % 3)
        return greater.cast(values.type, safe=False)
    if pa.types.is_list(values.type) and pa.types.is_integer(values.type.value_type):
        return pa.chunked_array([pa.array([[1] * len(one) for one in values.to_pylist()], values.type)])
    if pa.types.is_list(values.type):
        return pa.chunked_array([pa.array(map(nested, values.to_pylist(), count()), values.type)])
    if pa.types.is_boolean(values.type):
        return pc.invert(values)
    return pa.chunked_array([pa.concat_arrays([values[7:].combine_chunks(), values[:7].combine_chunks()])])


def nested(value: Any, number: int) -> Any:
    """A changed value of a list: greater numbers, and every second truth value its opposite."""
    if isinstance(value, list):
        return [nested(one, number + n) for n, one in enumerate(value)]
    if isinstance(value, dict):
        return {name: nested(one, number) for name, one in value.items()}
    if isinstance(value, bool):
        return value == (number % 2 == 0)
    return value + 1 + number % 5 if isinstance(value, (int, float)) else value


def same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """Whether two columns have the same values, in any order of rows."""
    return bool(sorted(map(str, one.to_pylist())) == sorted(map(str, other.to_pylist())))


@pytest.mark.integration
@pytest.mark.parametrize("table", FINISHED, ids=lambda t: t.name)
def test_a_finish_function_treats_each_row_alone(table: Table, unfinished: Callable[[Table], pa.Table]) -> None:
    """The engine may give it any batches, in any order: reversed slices, and no rows at all, give the same rows."""
    rows = table.rows
    assert isinstance(rows, Query) and rows.finish
    given = unfinished(table)
    names = [c.name for c in table.columns]
    whole = rows.finish(given).select(names)
    assert whole.num_rows > 50
    size = len(given) // 7 + 1
    slices = [rows.finish(given.slice(n, size)).select(names) for n in range(0, len(given), size)]
    assert (
        pa.concat_tables(reversed(slices))
        .sort_by([(c.name, "ascending") for c in table.columns if c.key])
        .equals(whole.sort_by([(c.name, "ascending") for c in table.columns if c.key]))
    )
    assert rows.finish(given.slice(0, 0)).select(names).num_rows == 0


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(t, marks=pytest.mark.system if t.layer is Layer.DISCLOSURE else pytest.mark.integration)
        for t in FUNCTIONS
    ],
    ids=lambda t: t.name,
)
def test_a_function_needs_the_declared_columns_and_no_others(table: Table, made: Home) -> None:
    """The function gives the whole table from these columns only, and fails without any one of them.

    Masks, which take long: the system tier.
    """
    rows = table.rows
    assert isinstance(rows, Computed)
    declared = sorted({o for used in rows.from_columns.values() for o in used if isinstance(o, str)})
    needed: dict[str, list[str]] = {name: [] for name in table.reads}
    for origin in declared:
        name, column = origin.split(".")
        needed[name].append(column)
    inputs = {name: made.lake.arrow(table.reads[name], columns) for name, columns in needed.items()}
    if "delivered" in inputs and not len(inputs["delivered"]):
        # The pack has no such delivery, which would replace packaged rows: these are delivered.
        inputs["delivered"] = packaged(table.name).select(needed["delivered"]).cast(inputs["delivered"].schema)
    given = {"key": lake_key(made.lake, made.secrets)} if rows.given else {}
    found = rows.function(**inputs, **given)
    assert distribution(found.select([c.name for c in table.columns])) == distribution(made.lake.arrow(table))
    for name, columns in needed.items():
        for column in columns:
            without = {**inputs, name: inputs[name].drop_columns([column])}
            with pytest.raises((KeyError, pa.ArrowInvalid, duckdb.Error), match=column):
                rows.function(**without, **given)


def headers(pack: Path, reader: DeliveredFiles) -> list[set[str]]:
    """Column names in the first line of each CSV file of a reader, read without the platform."""
    files = [f for f in pack.rglob("*") if re.fullmatch(reader.pattern, f.name, re.IGNORECASE)]
    lines = [f.read_bytes().split(b"\n", 1)[0] for f in files if f.suffix.lower() == ".csv"]
    return [{n.strip(b'"\r \xef\xbb\xbf').decode("cp1252") for n in re.split(rb"[;,]", line)} for line in lines]


@pytest.mark.integration
def test_delivered_columns_are_in_the_headers_of_the_delivered_files(pack: Path) -> None:
    seen = 0
    for table in delivered_tables(catalogue()):
        rows = delivered_rows(table)
        if not isinstance(rows.reader, DeliveredFiles):
            continue
        if not isinstance(rows.reader.formats.get(".csv"), CsvFormat):
            continue
        for header in headers(pack, rows.reader):
            seen += 1
            for name, origins in lineage_of(table).columns.items():
                if name in rows.derived or name in rows.optional:
                    continue
                ((place, kind),) = origins.items()
                # The letter case of names does not matter.
                names = re.split(r" \(ou |, |\)", place.column.lower())
                assert kind.direct and set(names) & {n.lower() for n in header}, f"{table.name}.{name}: {place.column}"
    assert seen > 15


@pytest.mark.integration
def test_every_kind_of_influence_occurs() -> None:
    """No kind is unused."""
    found = {k for t in catalogue() for origins in lineage_of(t).columns.values() for k in origins.values()}
    found |= {k for t in catalogue() for kinds in lineage_of(t).rows.values() for k in kinds}
    assert found == set(Influence)
