"""Reads Delta tables with one reader after the other, and gives the number and an identity of the rows found.

It imports nothing of the platform, because it also runs in an environment that has only one of the readers:

    python delta_readers.py READER < requests.json > answers.json
"""

import datetime
import hashlib
import json
import operator
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

Value = str | int | float | bool | Decimal | datetime.date | None


class Filter(NamedTuple):
    """A condition on one column: `=`, `<=` or `>=` with a value, or `is null`."""

    column: str
    operator: str
    value: Value = None


class Request(NamedTuple):
    """A table at a version (None: the current one), whole or filtered."""

    path: str
    version: int | None = None
    filter: Filter | None = None


class Answer(NamedTuple):
    """Number of rows, and a hash of their values that does not depend on their order."""

    rows: int
    identity: str


Reader = Callable[[Request], Answer]


def answer_of(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Answer:
    """The answer for rows of Python values with these columns."""
    order = sorted(range(len(names)), key=names.__getitem__)
    texts = sorted(repr([row[i] for i in order]) for row in rows)
    whole = "\n".join([repr(sorted(names)), *texts])
    return Answer(len(texts), hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:24])


def keeps(condition: Filter, value: Any) -> bool:
    """Whether a value meets the condition, as in SQL."""
    if value is None or condition.operator == "is null":
        return value is None and condition.operator == "is null"
    expected: Any = condition.value
    compare = {"=": operator.eq, "<=": operator.le, ">=": operator.ge}[condition.operator]
    return bool(compare(value, expected))


def answer_of_arrow(table: Any) -> Answer:
    """The answer for an Arrow table."""
    columns = [column.to_pylist() for column in table.columns]
    return answer_of(table.column_names, zip(*columns, strict=True) if columns else [])


def sql_literal(value: Value) -> str:
    """A value in the SQL of DuckDB and of DataFusion."""
    match value:
        case bool() | int():
            return str(value)
        case float():
            return f"CAST('{value!r}' AS DOUBLE)"
        case Decimal():
            return f"CAST('{value}' AS DECIMAL(20, 12))"
        case datetime.date():
            return f"DATE '{value.isoformat()}'"
        case _:
            return "'" + str(value).replace("'", "''") + "'"


def sql_where(condition: Filter | None) -> str:
    """The clause WHERE of a condition; empty for None."""
    if condition is None:
        return ""
    value = "" if condition.operator == "is null" else sql_literal(condition.value)
    return f' WHERE "{condition.column}" {condition.operator} {value}'


def expression_of(operator: str, column: Any, value: Any, is_null: Any) -> Any:
    """A condition as an expression of a reader, whose columns have the operators of Python."""
    return {"=": column == value, "<=": column <= value, ">=": column >= value, "is null": is_null}[operator]


def polars(request: Request) -> Answer:
    """Polars: scan_delta."""
    import polars as pl

    frame = pl.scan_delta(request.path, version=request.version)
    if request.filter:
        column, value = pl.col(request.filter.column), pl.lit(request.filter.value)
        frame = frame.filter(expression_of(request.filter.operator, column, value, column.is_null()))
    found = frame.collect()
    return answer_of(found.columns, found.rows())


def delta_rs(request: Request) -> Answer:
    """delta-rs: its own query engine, DataFusion."""
    import pyarrow as pa
    from deltalake import DeltaTable, QueryBuilder

    builder = QueryBuilder().register("found", DeltaTable(request.path, version=request.version))
    return answer_of_arrow(pa.table(builder.execute(f"SELECT * FROM found{sql_where(request.filter)}")))


def pyarrow_dataset(request: Request) -> Answer:
    """delta-rs: a dataset of PyArrow, which is also what to_pandas(filters=...) reads."""
    import pyarrow.dataset as ds
    from deltalake import DeltaTable

    expression = None
    if request.filter:
        field = ds.field(request.filter.column)
        expression = expression_of(request.filter.operator, field, request.filter.value, field.is_null())
    dataset = DeltaTable(request.path, version=request.version).to_pyarrow_dataset()
    return answer_of_arrow(dataset.to_table(filter=expression))


def duckdb_dataset(request: Request) -> Answer:
    """DuckDB from 2.0 on: a dataset of PyArrow."""
    import duckdb
    from deltalake import DeltaTable

    dataset = DeltaTable(request.path, version=request.version).to_pyarrow_dataset()
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM dataset{sql_where(request.filter)}")
        names = [column[0] for column in found.description or ()]
        assert dataset.schema.names == names
        return answer_of(names, found.fetchall())


def duckdb_delta(request: Request) -> Answer:
    """DuckDB 1.5: the extension delta, from the package duckdb-extension-delta."""
    version = "" if request.version is None else f", version => {request.version}"
    table = f"delta_scan({sql_literal(request.path)}{version})"
    found = _with_extension().execute(f"SELECT * FROM {table}{sql_where(request.filter)}")
    return answer_of([column[0] for column in found.description], found.fetchall())


@cache
def _with_extension() -> Any:
    """A connection of DuckDB with the extension delta."""
    import duckdb
    import duckdb_extension_delta  # type: ignore[import-not-found]

    (extension,) = Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension")
    connection = duckdb.connect(config={"threads": 2})
    connection.execute(f"LOAD {sql_literal(str(extension))}")
    return connection


def spark(session: Any) -> Reader:
    """Spark, with a session that has Delta."""
    from pyspark.sql import functions as sql

    def read(request: Request) -> Answer:
        reader = session.read.format("delta")
        if request.version is not None:
            reader = reader.option("versionAsOf", request.version)
        frame = reader.load(request.path)
        if request.filter:
            column, value = sql.col(request.filter.column), sql.lit(request.filter.value)
            frame = frame.where(expression_of(request.filter.operator, column, value, column.isNull()))
        return answer_of_arrow(frame.toArrow())

    return read


IN_PROCESS: Final[Mapping[str, Reader]] = {
    "Polars": polars,
    "delta-rs": delta_rs,
    "delta-rs with PyArrow": pyarrow_dataset,
    "DuckDB with PyArrow": duckdb_dataset,
    "DuckDB with delta_scan": duckdb_delta,
}


def answers_or_errors(reader: Reader, requests: Iterable[Request]) -> list[Answer | str]:
    """The answer to each request, or the error."""
    found: list[Answer | str] = []
    for request in requests:
        try:
            found.append(reader(request))
        except Exception as error:
            found.append(f"{type(error).__name__}: {str(error)[:300]}")
    return found


# Requests and answers in JSON, between two processes.

DECODERS: Final[Mapping[str, Callable[[Any], Value]]] = {
    "Decimal": Decimal,
    "date": datetime.date.fromisoformat,
    "float": float,
}


def encoded(request: Request) -> list[Any]:
    """A request as JSON."""
    condition = request.filter
    if condition is None:
        return [request.path, request.version, None]
    kind = type(condition.value).__name__
    value = str(condition.value) if kind in DECODERS else condition.value
    return [request.path, request.version, [condition.column, condition.operator, kind, value]]


def decoded(values: Sequence[Any]) -> Request:
    """A request from JSON."""
    path, version, condition = values
    if condition is None:
        return Request(path, version)
    column, sign, kind, value = condition
    return Request(path, version, Filter(column, sign, DECODERS[kind](value) if kind in DECODERS else value))


def main() -> None:
    """Answer the requests of the standard input."""
    requests = [decoded(values) for values in json.load(sys.stdin)]
    json.dump(answers_or_errors(IN_PROCESS[sys.argv[1]], requests), sys.stdout)


def run_elsewhere(python: Path, reader: str, requests: Iterable[Request]) -> list[Answer | str]:
    """The answers of a reader in the environment of another interpreter."""
    import subprocess

    done = subprocess.run(
        [str(python), __file__, reader],
        input=json.dumps([encoded(r) for r in requests]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [found if isinstance(found, str) else Answer(*found) for found in json.loads(done.stdout)]


if __name__ == "__main__":
    main()
