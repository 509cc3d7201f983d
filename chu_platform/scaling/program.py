"""The program of queries that is run on each cluster: a burst, a pause, one query, a pause.

Run as a module with the settings of the cluster in the environment, it writes what it measured to a file:

    CHU_ENGINE=spark CHU_SPARK_REMOTE=sc://host:port python -m chu_platform.scaling.program RUNS PAUSE FILE
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import duckdb

from chu_platform.engine.engine import Engine
from chu_platform.layouts.benchmark import plain_rows, scale_of
from chu_platform.layouts.copies import Source, in_place
from chu_platform.layouts.queries import EvidenceQuery, queries_named
from chu_platform.settings import load_settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root

# Queries without chosen values that read whole tables: what a second worker can help.
QUERIES: Final = ("full_scan", "large_join")
ALONE: Final = "full_scan"


@dataclass(frozen=True)
class Measured:
    """What a program took: its moments in seconds since 1970, the seconds of each query, whether rows were right."""

    scale: float
    begun: float
    ended: float
    seconds: Mapping[str, Sequence[float]]
    equal: Mapping[str, bool]


def run_program(lake: Lake, engine: Engine, runs: int, pause: float) -> Measured:
    """Run the program: each query once, then `runs` times in turn, a pause of so many seconds, one query, a pause."""
    queries = queries_named(QUERIES)
    expected = {query.name: _expected(lake, query) for query in queries}
    seconds: dict[str, list[float]] = {query.name: [] for query in queries}
    equal = dict.fromkeys(seconds, True)
    # What opens the session is no part of the program.
    frames = {
        query.name: {n: engine.read(s.folder, s.version) for n, s in _sources(lake, query).items()} for query in queries
    }
    begun = time.time()
    for run in range(runs + 1):
        for query in queries:
            before = time.perf_counter()
            found = engine.arrow(engine.query(query.sql({}, {}), frames[query.name]))
            if run:
                seconds[query.name].append(time.perf_counter() - before)
            equal[query.name] &= plain_rows(found) == expected[query.name]
    time.sleep(pause)
    (alone,) = queries_named([ALONE])
    found = engine.arrow(engine.query(alone.sql({}, {}), frames[ALONE]))
    equal[ALONE] &= plain_rows(found) == expected[ALONE]
    time.sleep(pause)
    return Measured(scale_of(lake), begun, time.time(), seconds, equal)


def _sources(lake: Lake, query: EvidenceQuery) -> Mapping[str, Source]:
    return {name: in_place(lake, table) for name, table in query.tables.items()}


def _expected(lake: Lake, query: EvidenceQuery) -> Sequence[tuple[object, ...]]:
    relations = {name: lake.relation(table) for name, table in query.tables.items()}
    with duckdb.connect() as connection:
        return plain_rows(connection.sql(query.sql({}, {}).format_map(relations)).to_arrow_table())


def main() -> None:
    """Run the program on the engine of the settings."""
    runs, pause, file = sys.argv[1:]
    settings = load_settings()
    engine = Engine(settings)
    try:
        measured = run_program(Lake(lake_root(settings)), engine, int(runs), float(pause))
    finally:
        engine.close()
    Path(file).write_text(json.dumps(asdict(measured)), encoding="utf-8")


if __name__ == "__main__":
    main()
