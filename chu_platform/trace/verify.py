"""`chu verify`: published figures, delivered files and table data, compared with what is recorded of them.

Here: the three comparisons and what they find. Not here: how a figure is computed again (recompute).
"""

import hashlib
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import duckdb
import pyarrow as pa

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import delivered_tables
from chu_platform.settings import Settings
from chu_platform.storage.commit_log import Commit, commits
from chu_platform.storage.content_addressed_files import content_addressed_files, content_of
from chu_platform.storage.lake import Lake, active_files
from chu_platform.storage.provenance import made_whole, platform_metadata
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform.trace.delivered_lines import Deliveries
from chu_platform.trace.delivered_rows import DELIVERED_ROWS
from chu_platform.trace.recomputation import Difference, Recomputation, Recomputations, differences
from chu_platform.trace.scratch_folder import scratch
from chu_platform.trace.version_chain import chain_of, step_of

# Differing cells of one indicator that are named; the others are counted.
MAX_NAMED_DIFFERENCES: Final = 20


@dataclass
class Verified:
    """What was looked at, and what was found to be wrong."""

    cells: int = 0
    files: int = 0
    tables: int = 0
    found: list[str] = field(default_factory=list)


def verify(settings: Settings, sample: int | None, seed: int, say: Callable[[str], None]) -> Verified:
    """Compare everything (of the figures, a sample of so many cells drawn by `seed`); says how far it is.

    Raises ChuError when a zone may not be read, or holds nothing: what is not looked at must not pass for right.
    """
    lake = Lake(settings.lake_folder)
    for zone in Zone:
        if not os.access(lake.root / zone, os.R_OK | os.X_OK):
            raise ChuError(f"the zone {lake.root / zone} is not there, or you may not read it: nothing was verified")
    if not _lying(lake, catalogue()):
        raise ChuError(f"the lake {lake.root} has no table yet: nothing was verified; materialise first")
    result = Verified()
    _verify_files(lake, settings, result, say)
    _verify_tables(lake, result, say)
    _verify_figures(lake, sample, seed, result, say)
    return result


def _lying(lake: Lake, tables: Sequence[Table]) -> Sequence[Table]:
    return [t for t in tables if lake.open(t) is not None]


def _verify_files(lake: Lake, settings: Settings, result: Verified, say: Callable[[str], None]) -> None:
    """The files that each delivered table has read last are there, byte for byte."""
    deliveries = Deliveries(settings)
    if not deliveries.pack.is_dir():
        result.found.append(f"the delivered folder {deliveries.pack} does not exist: set CHU_SOURCES to the right one")
        return
    problems: dict[str, tuple[str, list[str]]] = {}
    seen: set[str] = set()
    delivered = _lying(lake, delivered_tables(catalogue()))
    for table in delivered:
        for publication in step_of(lake, table, lake.version(table)).data_commits[:1]:
            for file in deliveries.recorded(publication):
                seen.add(file.name)
                if file.problem:
                    problems.setdefault(file.name, (file.problem, []))[1].append(table.name)
    result.files = len(seen)
    for name, (problem, readers) in problems.items():
        result.found.append(f"delivered file {name} (read by {', '.join(readers)}): {problem}")
    say(f"delivered files: {len(seen)}, read by {len(delivered)} tables; {len(problems)} not as they were read")


def _verify_tables(lake: Lake, result: Verified, say: Callable[[str], None]) -> None:
    """The data of each table are what was published, and nobody else has committed to it."""
    tables = _lying(lake, [made for t in catalogue() for made in t.outputs])
    before = len(result.found)
    for number, table in enumerate(tables, 1):
        result.found += _table_findings(lake, table)
        if number % 25 == 0:
            say(f"data of tables: {number} of {len(tables)}")
    result.tables = len(tables)
    say(f"data of tables: {len(tables)}, {len(result.found) - before} findings")


def _table_findings(lake: Lake, table: Table) -> Iterator[str]:
    path = lake.path(table)
    strangers = []
    for commit in commits(path):
        said = platform_metadata(commit)
        if not said:
            strangers.append(commit)
        elif "operation" not in said and made_whole(said):
            break
    for commit in strangers:
        when = f" at {commit.time:%Y-%m-%d %H:%M:%S}" if commit.time else ""
        yield (
            f"table {table.folder}: its version {commit.version} was committed{when} by another tool "
            f"({commit.operation}), without provenance"
        )
    foreign = {name for commit in strangers for name in commit.added}
    rewritten: dict[str, list[Path]] = defaultdict(list)
    for name in (unquote(f["path"]) for f in active_files(lake.require(table))):
        file, content = path / name, content_of(name)
        if not file.is_file():
            yield f"table {table.folder}: its file {name} is gone"
        elif content is not None:
            if _content(file, content) != content:
                yield f"table {table.folder}: its file {name} is not what was published: its rows were changed"
        elif name not in foreign:
            rewritten[name.rpartition("/")[0]].append(file)
    for folder, files in rewritten.items():
        if (problem := _rewritten_problem(lake, table, folder, files)) is not None:
            yield f"table {table.folder}: {folder or 'its files'}, rewritten by maintenance: {problem}"


def _content(file: Path, named: str) -> str:
    """The name that the content of a file gives it."""
    with file.open("rb") as stream:
        return f"{named.partition('-')[0]}-{hashlib.file_digest(stream, 'sha256').hexdigest()[:40]}"


def _rewritten_problem(lake: Lake, table: Table, folder: str, files: Sequence[Path]) -> str | None:
    """What is wrong with the rows of files that maintenance wrote: as canonical files, they are those of before."""
    published = next(
        (
            contents
            for commit in commits(lake.path(table))
            if _is_publication(commit)
            and (contents := [content_of(n) for n in commit.added if n.rpartition("/")[0] == folder])
        ),
        None,
    )
    if published is None:
        return None  # its publication has left the log: nothing to compare with
    with scratch(lake) as folder_of_copies:
        again = [f.content for f in content_addressed_files(table, lake.path(table), files, folder_of_copies)]
    return None if sorted(again) == sorted(filter(None, published)) else "its rows are not those that were published"


def _is_publication(commit: Commit) -> bool:
    said = platform_metadata(commit)
    return bool(said) and "operation" not in said


def _verify_figures(lake: Lake, sample: int | None, seed: int, result: Verified, say: Callable[[str], None]) -> None:
    """Every published figure, or those of a sample of cells, is its recomputation, masked as its mask says."""
    published = _lying(lake, [t for t in catalogue() if t.layer is Layer.PUBLISHED and t.name in DELIVERED_ROWS])
    cells = {t: lake.arrow(t) for t in published}
    if sample is not None:
        cells = _sampled(cells, sample, seed)
        say(f"a sample of {sum(map(len, cells.values()))} cells, seed {seed}")
    with closing(Recomputations(lake)) as recomputations:
        # Those of a family one after the other: they share their delivered rows.
        for table in sorted((t for t in published if len(cells[t])), key=lambda t: DELIVERED_ROWS[t.name].family):
            chain = chain_of(lake, table, lake.version(table))
            try:
                found = _figure_differences(lake, table, chain.at, cells[table], recomputations.of(table, chain))
            except (duckdb.Error, ChuError) as error:
                # Most often a file that is gone, which is named already. DuckDB's words may quote rows.
                why = str(error) if isinstance(error, ChuError) else type(error).__name__
                result.found.append(f"indicator {table.folder} cannot be computed again: {why}")
                recomputations.close()
                continue
            result.cells += len(cells[table])
            result.found += _named(table, found)
            say(f"{table.folder}: {len(cells[table])} cells, {len(found)} figures not equal")


def _sampled(cells: Mapping[Table, pa.Table], sample: int, seed: int) -> dict[Table, pa.Table]:
    every = [(table, row) for table, rows in cells.items() for row in range(len(rows))]
    chosen = random.Random(seed).sample(every, min(sample, len(every)))
    return {
        t: rows.take(pa.array([row for table, row in chosen if table is t], pa.int64())) for t, rows in cells.items()
    }


def _figure_differences(
    lake: Lake, table: Table, version: Callable[[Table], int], shown: pa.Table, again: Recomputation
) -> Sequence[Difference]:
    exact, mask = table.reads["exact"], table.reads["mask"]
    again.choose(shown, keep=False)
    with duckdb.connect() as connection:
        connection.register("shown", shown)
        of_these = ", ".join(map(sql_name, table.key))
        true = connection.sql(
            f"FROM {lake.relation(exact, version(exact))} SEMI JOIN shown USING ({of_these})"
        ).to_arrow_table()
        masks = connection.sql(
            f"SELECT cell, is_masked FROM {lake.relation(mask, version(mask))} WHERE indicator = {sql_text(table.name)}"
        ).to_arrow_table()
    return list(differences(table, shown, true, again.figures(), masks))


def _named(table: Table, found: Sequence[Difference]) -> Iterator[str]:
    for difference in found[:MAX_NAMED_DIFFERENCES]:
        cell = " ".join(f"{c}={v}" for c, v in difference.cell.items())
        yield (
            f"indicator {table.folder} {cell}: {difference.figure} is {difference.found}, and should be "
            f"{difference.expected}"
        )
    if len(found) > MAX_NAMED_DIFFERENCES:
        yield f"indicator {table.folder}: {len(found) - MAX_NAMED_DIFFERENCES} more figures are not equal"
