"""`chu verify`: compares published figures with their recomputation, and files and table data with the records."""

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
from chu_platform.indicators.indicator import recomputations
from chu_platform.ingest.delivered import delivered_tables
from chu_platform.settings import Settings
from chu_platform.storage.commit_log import commits
from chu_platform.storage.duckdb_session import bounded_connection
from chu_platform.storage.lake import DamagedLog, Lake, active_files, files_relation
from chu_platform.storage.partition_contents import PartitionContents, hash_in_name, recorded_contents, sha256
from chu_platform.storage.partition_folders import folder_of
from chu_platform.storage.provenance import commit_metadata, last_data_commit, replaced_whole_table
from chu_platform.storage.row_identity import aggregate_partitions
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform.trace.comparison import Difference, differences
from chu_platform.trace.delivered_lines import Deliveries
from chu_platform.trace.recomputed_cells import CellRecomputation, RecomputationCache
from chu_platform.trace.scratch_folder import scratch
from chu_platform.trace.version_chain import table_version, version_chain

# Differences of one indicator that are listed; the others are only counted.
MAX_LISTED_DIFFERENCES: Final = 20


@dataclass
class VerifyResult:
    """The numbers of compared cells, files and tables, and one line for each problem."""

    cells: int = 0
    files: int = 0
    tables: int = 0
    findings: list[str] = field(default_factory=list)


def verify(settings: Settings, sample: int | None, seed: int, report: Callable[[str], None]) -> VerifyResult:
    """Compare all delivered files, all tables, and all figures or those of `sample` random cells, drawn with `seed`.

    Raises ChuError when a zone cannot be read or the lake has no table, because then nothing was compared.
    """
    lake = Lake(settings.lake_folder)
    for zone in Zone:
        if not os.access(lake.root / zone, os.R_OK | os.X_OK):
            raise ChuError(f"the zone {lake.root / zone} does not exist or you may not read it: nothing was verified")
    result = VerifyResult()
    readable = _readable_tables(lake, result)
    if not readable and not result.findings:
        raise ChuError(f"the lake {lake.root} has no table yet: nothing was verified; materialise first")
    _verify_files(lake, settings, readable, result, report)
    _verify_tables(lake, readable, result, report)
    _verify_figures(lake, readable, sample, seed, result, report)
    return result


def _readable_tables(lake: Lake, result: VerifyResult) -> Sequence[Table]:
    """The tables of the lake whose log can be read; a damaged log is a finding."""
    readable = []
    for table in (made for t in catalogue() for made in t.outputs):
        try:
            if lake.open(table) is not None:
                readable.append(table)
        except DamagedLog as error:
            result.findings.append(str(error))
    return readable


def _verify_files(
    lake: Lake, settings: Settings, readable: Sequence[Table], result: VerifyResult, report: Callable[[str], None]
) -> None:
    """Find delivered files that were changed or removed after the tables have read them."""
    deliveries = Deliveries(settings)
    if not deliveries.pack.is_dir():
        result.findings.append(
            f"the delivered folder {deliveries.pack} does not exist: set CHU_SOURCES to the right one"
        )
        return
    problems: dict[str, tuple[str, list[str]]] = {}
    names: set[str] = set()
    delivered = [t for t in delivered_tables(catalogue()) if t in readable]
    for table in delivered:
        for commit in table_version(lake, table, lake.version(table)).data_commits[:1]:
            for file in deliveries.recorded_files(commit):
                names.add(file.name)
                if file.problem:
                    problems.setdefault(file.name, (file.problem, []))[1].append(table.name)
    result.files = len(names)
    for name, (problem, readers) in problems.items():
        result.findings.append(f"delivered file {name} (read by {', '.join(readers)}): {problem}")
    report(f"delivered files: {len(names)}, read by {len(delivered)} tables; {len(problems)} changed or removed since")


def _verify_tables(lake: Lake, tables: Sequence[Table], result: VerifyResult, report: Callable[[str], None]) -> None:
    """Find data files that differ from the committed ones, and commits by other tools."""
    before = len(result.findings)
    for number, table in enumerate(tables, 1):
        result.findings += _table_findings(lake, table)
        if number % 25 == 0:
            report(f"data of tables: {number} of {len(tables)}")
    result.tables = len(tables)
    report(f"data of tables: {len(tables)}, {len(result.findings) - before} findings")


def _table_findings(lake: Lake, table: Table) -> Iterator[str]:
    path = lake.path(table)
    foreign_commits = []
    for commit in commits(path):
        metadata = commit_metadata(commit)
        if not metadata:
            foreign_commits.append(commit)
        elif "operation" not in metadata and replaced_whole_table(metadata):
            # No row of an earlier commit is in the table any more, so earlier commits of other tools do not matter.
            break
    for commit in foreign_commits:
        when = f" at {commit.time:%Y-%m-%d %H:%M:%S}" if commit.time else ""
        yield (
            f"table {table.folder}: its version {commit.version} was committed{when} by another tool "
            f"({commit.operation}), without provenance"
        )
    foreign_files = {name for commit in foreign_commits for name in commit.added}
    delta = lake.require(table)
    contents = recorded_contents(last_data_commit(delta))
    recorded = {name: hash_ for partition in contents.values() for name, hash_ in partition.files.items()}
    rewritten: dict[str, list[Path]] = defaultdict(list)
    present: set[str] = set()
    for active in active_files(delta):
        name = unquote(active["path"])
        file, expected = path / name, recorded.get(name) or hash_in_name(name)
        if not file.is_file():
            yield f"table {table.folder}: its file {name} does not exist"
        elif expected is not None:
            if not sha256(file).startswith(expected):
                yield f"table {table.folder}: its file {name} differs from the committed file: its rows were changed"
        elif name not in foreign_files:
            rewritten[folder_of(active.get("partition") or {}, table.partition_by)].append(file)
        present.add(name)
    for folder, partition in contents.items():
        if folder not in rewritten and not foreign_commits and (lost := set(partition.files) - present):
            yield (
                f"table {table.folder}: {len(lost)} files of {folder or 'it'} are missing in its log, which was cut: "
                f"materialise {table.layer}/{table.name} again"
            )
    for folder, files in rewritten.items():
        if folder in contents and (problem := _rewritten_problem(lake, table, folder, files, contents[folder])):
            yield f"table {table.folder}: {folder or 'its files'}, rewritten by maintenance: {problem}"


def _rewritten_problem(
    lake: Lake, table: Table, folder: str, files: Sequence[Path], committed: PartitionContents
) -> str | None:
    """Why files written by maintenance do not have the committed rows; None when they have them."""
    if not committed.comparable:
        return "its rows cannot be compared with those that another version of DuckDB wrote; materialise it again"
    size = sum(f.stat().st_size for f in files)
    with scratch(lake) as temporary, bounded_connection(temporary, size) as connection:
        found = aggregate_partitions(connection, table, files_relation(table, files))
    same = folder in found and found[folder].identity == committed.identity
    return None if same else "its rows are not the committed rows"


def _verify_figures(
    lake: Lake,
    readable: Sequence[Table],
    sample: int | None,
    seed: int,
    result: VerifyResult,
    report: Callable[[str], None],
) -> None:
    """Find published figures that differ from their recomputation or from their mask."""
    published = [t for t in readable if t.layer is Layer.PUBLISHED and t.name in recomputations()]
    cells = {t: lake.arrow(t) for t in published}
    if sample is not None:
        cells = _sampled(cells, sample, seed)
        report(f"a sample of {sum(map(len, cells.values()))} cells, seed {seed}")
    with closing(RecomputationCache(lake)) as recomputation_cache:
        # Sorted by input set: consecutive indicators with the same one share its input tables.
        for table in sorted((t for t in published if len(cells[t])), key=lambda t: recomputations()[t.name].input_set):
            try:
                chain = version_chain(lake, table, lake.version(table))
                found = _figure_differences(
                    lake, table, chain.version_of, cells[table], recomputation_cache.of(table, chain)
                )
            except (duckdb.Error, ChuError) as error:
                # Most often a missing file, which was already reported. DuckDB's messages may contain values of rows.
                reason = str(error) if isinstance(error, ChuError) else type(error).__name__
                result.findings.append(f"indicator {table.folder} cannot be recomputed: {reason}")
                # Its input tables may be incomplete: the next indicator must create them again.
                recomputation_cache.close()
                continue
            result.cells += len(cells[table])
            result.findings += _listed_differences(table, found)
            report(f"{table.folder}: {len(cells[table])} cells, {len(found)} figures not equal")


def _sampled(cells: Mapping[Table, pa.Table], sample: int, seed: int) -> dict[Table, pa.Table]:
    all_cells = [(table, row) for table, rows in cells.items() for row in range(len(rows))]
    chosen = random.Random(seed).sample(all_cells, min(sample, len(all_cells)))
    return {
        t: rows.take(pa.array([row for table, row in chosen if table is t], pa.int64())) for t, rows in cells.items()
    }


def _figure_differences(
    lake: Lake, table: Table, version_of: Callable[[Table], int], shown: pa.Table, recomputation: CellRecomputation
) -> Sequence[Difference]:
    exact, mask = (lake.relation(t, version_of(t)) for t in (table.reads["exact"], table.reads["mask"]))
    recomputation.choose(shown, materialize=False)
    with duckdb.connect() as connection:
        connection.register("shown", shown)
        keys = ", ".join(map(sql_name, table.key))
        exact_rows = connection.sql(f"FROM {exact} SEMI JOIN shown USING ({keys})").to_arrow_table()
        masks = connection.sql(
            f"SELECT cell, is_masked FROM {mask} WHERE indicator = {sql_text(table.name)}"
        ).to_arrow_table()
    return list(differences(table, shown, exact_rows, recomputation.figures(), masks))


def _listed_differences(table: Table, found: Sequence[Difference]) -> Iterator[str]:
    for difference in found[:MAX_LISTED_DIFFERENCES]:
        cell = " ".join(f"{c}={v}" for c, v in difference.cell.items())
        yield (
            f"indicator {table.folder} {cell}: {difference.figure} is {difference.found}, and should be "
            f"{difference.expected}"
        )
    if len(found) > MAX_LISTED_DIFFERENCES:
        yield f"indicator {table.folder}: {len(found) - MAX_LISTED_DIFFERENCES} more figures are not equal"
