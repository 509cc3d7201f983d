"""Rows of a Delta table read without any Delta reader: the log as JSON and Parquet, the files with PyArrow.

No statistics are used, and conditions are tested in Python, one value at a time. So nothing can be skipped wrongly.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pyarrow.parquet as pq

from chu_platform_tests.readers.delta_readers import Answer, Filter, answer_of, keeps

# Text of a partition value to a value, by the type of the column in the log.
TYPED: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": str,
    "integer": int,
    "long": int,
    "date": date.fromisoformat,
    "boolean": lambda text: text == "true",
}
# At most so many values of a partition column become conditions.
MAX_VALUES: Final = 6


@dataclass(frozen=True)
class PlainTable:
    """The rows of one version: names, partition columns, and a tuple for each row."""

    names: Sequence[str]
    partition_by: Sequence[str]
    rows: Sequence[tuple[Any, ...]]

    def answer(self, condition: Filter | None = None) -> Answer:
        """What every reader has to answer."""
        if condition is None:
            return answer_of(self.names, self.rows)
        at = self.names.index(condition.column)
        return answer_of(self.names, [row for row in self.rows if keeps(condition, row[at])])

    def values(self, name: str) -> list[Any]:
        """The distinct values of a column in their order, without null and NaN."""
        at = self.names.index(name)
        return sorted({row[at] for row in self.rows if row[at] is not None and row[at] == row[at]})

    def conditions(self, columns: Iterable[str] = (), values: int = MAX_VALUES) -> Iterator[Filter]:
        """Conditions on each partition column, with about so many values of each, and on the given other columns."""
        for name in self.names:
            if name in self.partition_by:
                found = self.values(name)
                yield from (Filter(name, "=", value) for value in found[:: max(1, len(found) // values)])
                yield from (Filter(name, ">=", value) for value in found[-1:])
                yield Filter(name, "is null")
            elif name in columns:
                yield from self._of_column(name)

    def _of_column(self, name: str) -> Iterator[Filter]:
        values = self.values(name)
        if not values:
            yield Filter(name, "is null")
        elif isinstance(values[0], str):
            longest = max(values, key=lambda text: len(text.encode()))
            yield Filter(name, "=", longest)
            yield Filter(name, ">=", values[-1])
            yield Filter(name, "<=", values[0])
        elif isinstance(values[0], float):
            # Readers order NaN differently, so there is no condition upwards.
            yield Filter(name, "=", values[len(values) // 2])
            yield Filter(name, "<=", values[0])
        else:
            yield Filter(name, "=", values[-1])
            yield Filter(name, "<=", values[0])
            yield Filter(name, "is null")


def read(folder: Path, version: int | None = None) -> PlainTable:
    """The rows of a table at a version (None: the newest)."""
    schema: Any = None
    partition_by: list[str] = []
    files: dict[str, Mapping[str, str | None]] = {}
    for action in _actions(folder / "_delta_log", version):
        if metadata := action.get("metaData"):
            schema = json.loads(metadata["schemaString"])["fields"]
            partition_by = list(metadata["partitionColumns"])
        if add := action.get("add"):
            files[add["path"]] = dict(add["partitionValues"])
        if remove := action.get("remove"):
            files.pop(remove["path"], None)
    names = [field["name"] for field in schema]
    rows: list[tuple[Any, ...]] = []
    for path, values in files.items():
        found = pq.ParquetFile(folder / unquote(path)).read()
        columns = [
            _repeated(values[field["name"]], field["type"], len(found))
            if field["name"] in values
            else found[field["name"]].to_pylist()
            for field in schema
        ]
        rows += zip(*columns, strict=True)
    return PlainTable(names, partition_by, rows)


def _repeated(text: str | None, kind: str, count: int) -> list[Any]:
    """A partition value for each row of a file. An empty text is null, as the protocol says."""
    value: Any = TYPED[kind](text) if text else None
    return [value] * count


def versions(folder: Path) -> list[int]:
    """The versions that the log has a commit of."""
    return sorted(int(file.stem) for file in (folder / "_delta_log").glob("*.json"))


def _actions(log: Path, version: int | None) -> Iterator[dict[str, Any]]:
    """The actions up to a version: those of the last checkpoint before it, then those of the commits."""
    wanted = versions(log.parent)[-1] if version is None else version
    checkpoints = sorted(int(file.name[:20]) for file in log.glob("*.checkpoint.parquet"))
    start = max((number for number in checkpoints if number <= wanted), default=-1)
    if start >= 0:
        yield from pq.read_table(log / f"{start:020}.checkpoint.parquet").to_pylist(maps_as_pydicts="strict")
    for number in range(start + 1, wanted + 1):
        for line in (log / f"{number:020}.json").read_text(encoding="utf-8").split("\n"):
            if line:
                yield json.loads(line)
