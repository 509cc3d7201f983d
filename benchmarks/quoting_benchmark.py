"""Benchmark of reading deces.csv with other quotes: CPU seconds, and the ratio to the file without quotes.

    python benchmarks/quoting_benchmark.py DECES_CSV [LINES]

The first LINES lines (default: 300 000) of a delivered file are written again with each quoting into a temporary
folder. Each one is read three times, in turns, and the least CPU time (user and system) counts. The rows must be equal.
"""

import csv
import hashlib
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import duckdb

from chu_platform.care_database.database import CareDatabase
from chu_platform.ingest.reading import ReadingContext, read
from chu_platform.settings import Settings
from chu_platform.sources.deces import deces

LINES = 300_000
REPEATS = 3


def quoted(value: str) -> str:
    """A value in quotes."""
    return '"' + value.replace('"', '""') + '"'


def needed(value: str) -> str:
    """A value, in quotes where it must be."""
    return quoted(value) if "," in value or '"' in value else value


QUOTINGS: dict[str, Callable[[str], str]] = {
    "none": needed,
    "empty fields": lambda value: needed(value) or '""',
    "all fields": quoted,
}


def written(rows: Sequence[Sequence[str]], quoting: Callable[[str], str], file: Path) -> None:
    """Write rows with a quoting."""
    file.parent.mkdir()
    with file.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(",".join(map(quoting, row)) + "\n" for row in rows)


def cpu_seconds() -> float:
    """CPU time of this process, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def one_reading(pack: Path, folder: Path) -> tuple[float, str]:
    """CPU seconds of one reading, and a hash of the rows."""
    folder.mkdir()
    for name in ("scratch", "rows", "quarantine"):
        (folder / name).mkdir()
    database = CareDatabase(Settings(home=folder / "home", sources=pack), lambda _: None)
    context = ReadingContext(pack, folder / "scratch", database, lambda _: None)
    begun = cpu_seconds()
    read(deces, None, folder / "rows", folder / "quarantine", context)
    taken = cpu_seconds() - begun
    with duckdb.connect() as connection:
        rows = f"read_parquet('{folder}/rows/**/*.parquet', hive_partitioning = true)"
        found = connection.execute(f"SELECT count(*), sum(hash(rows)) FROM {rows} rows").fetchall()
    shutil.rmtree(folder)
    return taken, hashlib.sha256(repr(found).encode()).hexdigest()


def measured(source: Path, lines: int, work: Path) -> Iterator[tuple[str, int, float]]:
    """For each quoting: its name, the size of its file in bytes, and CPU seconds."""
    with source.open(encoding="utf-8", newline="") as stream:
        rows = list(islice(csv.reader(stream), lines + 1))
    for name, quoting in QUOTINGS.items():
        written(rows, quoting, work / name / "deces.csv")
    results = {name: [one_reading(work / name, work / "reading") for name in [name]] for name in QUOTINGS}
    for _ in range(REPEATS - 1):
        for name in QUOTINGS:
            results[name].append(one_reading(work / name, work / "reading"))
    assert len({identity for found in results.values() for _, identity in found}) == 1, "the rows differ"
    for name, found in results.items():
        yield name, (work / name / "deces.csv").stat().st_size, min(taken for taken, _ in found)


def main() -> None:
    """Print a line for each quoting."""
    source, lines = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else LINES
    with tempfile.TemporaryDirectory() as work:
        base = 0.0
        for name, size, taken in measured(source, lines, Path(work)):
            base = base or taken
            print(f"{name:14} {size:>12,} bytes {taken:8.2f} s CPU, ratio {taken / base:.2f}")


if __name__ == "__main__":
    main()
