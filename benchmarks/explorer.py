"""How long the explorers take over random tables, beside the same queries in DuckDB alone.

    python benchmarks/explorer.py HOME [COUNT]

HOME is a CHU_HOME with a lake; nothing in it is changed. COUNT (200) random tables are asked of the public explorer, as
pages, and of the exact one, by an analyst, as files: any subject, measures, up to three axes, two dates. Each is made
as a server makes it, with gate, journal and files, and once more by its SQL alone in a new DuckDB connection. Prints
median and 95th percentile of both, in milliseconds, by the clock and of the CPU time of this process: the clock also
counts other load of the machine.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import parse_qsl

import duckdb

from chu_platform.access.gate import Gate
from chu_platform.access.journal import Journal
from chu_platform.describe_catalogue import described_catalogue
from chu_platform.exact_figures.cube_table import cube_asked_for
from chu_platform.exact_figures.cubes import CUBES, query_of
from chu_platform.exact_figures.pages import OwnPages
from chu_platform.identity.principal import Held, Principal
from chu_platform.portal.explorer.cells import MAX_ROWS, crossed
from chu_platform.portal.explorer.crossing import crossing_asked_for
from chu_platform.portal.kept_pages import Asked
from chu_platform.portal.pages import EXPLORER, Pages
from chu_platform.portal.reader import Reader
from chu_platform.storage.lake import Lake
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.portal.random_tables import random_tables

SEED: Final = 2023
FIRST_DAY: Final = date(2015, 6, 1)
DAYS: Final = 2800
# What analysts may count: the counts of the own consultations of a practitioner are closed to them.
COUNTED: Final = [cube for cube in CUBES if cube.purpose is None]
Times = list[tuple[float, float]]


def main(home: Path, count: int) -> None:
    """Print the times."""
    lake = Lake(home / "lake")
    reader = Reader(lake.place, described_catalogue())
    public(reader, count)
    with TemporaryDirectory(prefix="chu-") as secrets:
        exact(reader, lake, Journal(Path(secrets)), count)


def public(reader: Reader, count: int) -> None:
    """The public explorer: pages beside the SQL of their tables."""
    pages, snapshot = Pages(reader), reader.snapshot
    made, alone = Times(), Times()
    for query in random_tables(snapshot, SEED, count):
        found = crossed(snapshot, crossing_asked_for(snapshot, parse_qsl(query)))
        alone.append(timed(lambda: snapshot.table(f"{found.query.sql} LIMIT {MAX_ROWS}", found.query.values)))  # noqa: B023
        made.append(timed(lambda: pages.page(Asked(EXPLORER, "", query))))  # noqa: B023
    told("public, page", made)
    told("public, its SQL alone", alone)


def exact(reader: Reader, lake: Lake, journal: Journal, count: int) -> None:
    """The exact explorer, asked by an analyst: files beside the SQL of their tables."""
    pages = OwnPages(reader, Gate(lake, journal))
    analyst = Principal("analyst", (Held(Profile.ANALYST, Purpose.RESEARCH, date.max),))
    made, alone = Times(), Times()
    for given in random_counts(count):
        cube = next(c for c in COUNTED if c.slug == dict(given)["sujet"])
        asked = cube_asked_for(cube, given)
        dates = {name: day for name, day in (("first", asked.first), ("last", asked.last)) if day}
        query = query_of(cube, asked.axes, asked.measures, asked.filters, dates, None)
        sql = query.sql.format(**{table.name: lake.relation(table) for table in query.tables})
        with duckdb.connect() as connection:
            alone.append(timed(lambda: connection.sql(sql, params=dict(query.values)).to_arrow_table()))  # noqa: B023
        made.append(timed(lambda: pages.explored(analyst, "tableau.parquet", given)))  # noqa: B023
    told("exact, file", made)
    told("exact, its SQL alone", alone)
    seconds = sum(clock > 1000 for clock, _ in made)
    print(f"exact tables that took more than one second: {seconds} of {count}")


def random_counts(count: int) -> Iterator[Sequence[tuple[str, str]]]:
    """Random tables of the cubes that an analyst may count."""
    draw = Random(SEED)
    for _ in range(count):
        cube = draw.choice(COUNTED)
        given = [("sujet", cube.slug)]
        given += [("mesure", m.measure.key) for m in draw.sample(cube.measures, draw.randint(1, len(cube.measures)))]
        dimensions = sorted({axis.dimension for axis in cube.axes})
        for number, dimension in enumerate(draw.sample(dimensions, draw.randint(0, min(3, len(dimensions)))), 1):
            given.append((f"axe{number}", draw.choice([a.name for a in cube.axes if a.dimension == dimension])))
        first, last = sorted(FIRST_DAY + timedelta(days=draw.randrange(DAYS)) for _ in range(2))
        yield [*given, ("du", first.isoformat()), ("au", last.isoformat())]


def timed(make: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock, and of CPU time of this process."""
    clock, cpu = time.perf_counter(), time.process_time()
    make()
    return 1000 * (time.perf_counter() - clock), 1000 * (time.process_time() - cpu)


def told(name: str, times: Times) -> None:
    """Print the quantiles of some times."""
    texts = []
    for kind, values in zip(("clock", "CPU"), zip(*times, strict=True), strict=True):
        cuts = statistics.quantiles(values, n=100)
        texts.append(f"{kind} p50 {cuts[49]:.0f} ms, p95 {cuts[94]:.0f} ms")
    print(f"{name}: {'; '.join(texts)} ({len(times)} tables)")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200)
