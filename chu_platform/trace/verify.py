"""`chu verify`: compares published figures with their recomputation, and files and table data with the records."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

import duckdb
import pyarrow as pa

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.indicators.indicator import recomputations
from chu_platform.ingest.delivered import delivered_tables
from chu_platform.settings import Settings
from chu_platform.storage.damage import Damage, damage_of, is_readable
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import require_known_format
from chu_platform.storage.store import lake_root, may_read
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform.trace.comparison import Difference, differences
from chu_platform.trace.delivered_lines import Deliveries
from chu_platform.trace.recomputed_cells import CellRecomputation, RecomputationCache
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
    lake = Lake(lake_root(settings))
    require_known_format(lake.place)
    for zone in Zone:
        if not may_read(lake.place / zone):
            raise ChuError(f"the zone {lake.place / zone} does not exist or you may not read it: nothing was verified")
    result = VerifyResult()
    readable = readable_tables(lake)
    damage = find_damage(lake, readable, report)
    if not readable and not damage:
        raise ChuError(f"the lake {lake.place} has no table yet: nothing was verified; materialise first")
    _verify_files(lake, settings, readable, result, report)
    result.tables = len({*readable, *damage})
    result.findings += [found.finding for findings in damage.values() for found in findings]
    _verify_figures(lake, readable, sample, seed, result, report)
    return result


def readable_tables(lake: Lake) -> Sequence[Table]:
    """The tables of the lake whose log can be read."""
    return [made for t in catalogue() for made in t.outputs if is_readable(lake, made)]


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


def find_damage(
    lake: Lake, readable: Sequence[Table], report: Callable[[str], None]
) -> Mapping[Table, Sequence[Damage]]:
    """The damaged tables: with changed or lost files, damaged logs, or commits by other tools; and lost tables.

    `readable` are those of `readable_tables`.
    """
    everything = [made for t in catalogue() for made in t.outputs]
    read_by = {folder: t.folder for t in readable for folder in lake.provenance(t).get("read", {})}
    damage: dict[Table, Sequence[Damage]] = {}
    for number, table in enumerate(everything, 1):
        found = damage_of(lake, table)
        if not found and table.folder in read_by and table not in readable:
            found = [Damage(f"table {table.folder} does not exist, but {read_by[table.folder]} was made from it", None)]
        if found:
            damage[table] = found
        if number % 25 == 0:
            report(f"data of tables: {number} of {len(everything)}")
    report(f"data of tables: {len({*readable, *damage})}, {sum(map(len, damage.values()))} findings")
    return damage


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
    exact, mask = (
        lake.relation(t, version_of(t)) if t else None for t in (table.reads["exact"], table.reads.get("mask"))
    )
    recomputation.choose(shown, materialize=False)
    with duckdb.connect() as connection:
        connection.register("shown", shown)
        keys = ", ".join(map(sql_name, table.key))
        exact_rows = connection.sql(f"FROM {exact} SEMI JOIN shown USING ({keys})").to_arrow_table()
        of_mask = f"SELECT cell, is_masked FROM {mask} WHERE indicator = {sql_text(table.name)}"
        of_public_figures = f"SELECT concat_ws('|', {keys}) AS cell, false AS is_masked FROM {exact}"
        masks = connection.sql(of_mask if mask else of_public_figures).to_arrow_table()
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
