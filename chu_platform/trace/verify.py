"""`chu verify`: compares published figures with their recomputation, and files and table data with the records."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

import duckdb
import pyarrow as pa

from chu_platform.access.gate import Gate
from chu_platform.access.journal import Journal
from chu_platform.catalogue import catalogue
from chu_platform.editions.readable import edition, kept_version, readable_version
from chu_platform.errors import ChuError
from chu_platform.identity.current_user import current_user
from chu_platform.indicators.indicator import recomputations
from chu_platform.ingest.delivered import delivered_tables
from chu_platform.settings import Settings
from chu_platform.storage.damage import Damage, damage_of, is_readable
from chu_platform.storage.edition_manifest import ADOPTED
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import require_known_format
from chu_platform.storage.provenance import data_commits
from chu_platform.storage.restore import open_if_readable
from chu_platform.storage.store import lake_root, may_read
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform.trace.comparison import Difference, differences, masked_rows
from chu_platform.trace.delivered_lines import Deliveries
from chu_platform.trace.edition_cells import EditionCells, edition_table_of
from chu_platform.trace.recomputed_cells import CellRecomputation, RecomputationCache
from chu_platform.trace.version_chain import VersionChain, table_version, version_chain

# Differences of one indicator that are listed; the others are only counted.
MAX_LISTED_DIFFERENCES: Final = 20


@dataclass
class VerifyResult:
    """The numbers of compared cells, files and tables, and one line for each problem."""

    cells: int = 0
    files: int = 0
    tables: int = 0
    findings: list[str] = field(default_factory=list)


def verify(
    settings: Settings, sample: int | None, seed: int, report: Callable[[str], None], as_of: int | None = None
) -> VerifyResult:
    """Compare all delivered files, all tables, and all figures or those of `sample` random cells, drawn with `seed`.

    With `as_of`, the figures of tables in editions are those of the edition of this number. Raises ChuError when a zone
    cannot be read or the lake has no table, because then nothing was compared.
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
    gate, principal = Gate(lake, Journal(settings.secrets_folder)), current_user(settings)

    def may_show(table: Table, number: int) -> bool:
        """Whether different figures of a table may be shown, which the access journal then says."""
        exact = [read for read in table.reads.values() if read.zone is Zone.PSEUDONYMISED]
        if not all(gate.holds(principal, read) for read in exact):
            return False
        gate.admit(principal, exact, "chu verify: figures that are not equal", number)
        return True

    _verify_figures(lake, _shown_tables(lake, readable, as_of), sample, seed, result, report, may_show)
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


def _shown_tables(lake: Lake, readable: Sequence[Table], as_of: int | None) -> Mapping[Table, int]:
    """The tables with published figures, and the version of each that readers see or saw."""
    found = {}
    past = edition(lake, as_of) if as_of is not None else None
    for table in readable:
        if table.layer is not Layer.PUBLISHED or table.name not in recomputations():
            continue
        if past and table.edition:
            found[table.edition] = kept_version(past, table.edition)
        else:
            found[table] = readable_version(lake, table)
    return found


def _verify_figures(
    lake: Lake,
    published: Mapping[Table, int],
    sample: int | None,
    seed: int,
    result: VerifyResult,
    report: Callable[[str], None],
    may_show: Callable[[Table, int], bool],
) -> None:
    """Find published figures that differ from their recomputation, from their mask or from the rule of editions."""
    cells = {t: lake.arrow(t, version=version) for t, version in published.items()}
    if sample is not None:
        cells = _sampled(cells, sample, seed)
        report(f"a sample of {sum(map(len, cells.values()))} cells, seed {seed}")
    with closing(RecomputationCache(lake)) as recomputation_cache:
        # Sorted by input set: consecutive indicators with the same one share its input tables.
        for table in sorted((t for t in published if len(cells[t])), key=lambda t: recomputations()[t.name].input_set):
            if _is_adopted(lake, table, published[table]):
                report(f"{table.folder}: published before there were editions, not recomputed")
                continue
            try:
                chain = version_chain(lake, table, published[table])
                if edition_table_of(table) and (past := _past_retention(lake, chain)):
                    # An edition stays for longer than the versions that it was made from.
                    report(f"{table.folder}: not recomputed, because {past} is past the retention")
                    continue
                found = _figure_differences(lake, table, chain, cells[table], recomputation_cache.of(table, chain))
            except (duckdb.Error, ChuError) as error:
                # Most often a missing file, which was already reported. DuckDB's messages may contain values of rows.
                reason = str(error) if isinstance(error, ChuError) else type(error).__name__
                result.findings.append(f"indicator {table.folder} cannot be recomputed: {reason}")
                # Its input tables may be incomplete: the next indicator must create them again.
                recomputation_cache.close()
                continue
            result.cells += len(cells[table])
            result.findings += _listed_differences(table, found, bool(found) and may_show(table, len(found)))
            report(f"{table.folder}: {len(cells[table])} cells, {len(found)} figures not equal")


def _is_adopted(lake: Lake, table: Table, version: int) -> bool:
    """Whether the rows of a version were published before there were editions, so that their origin is not recorded."""
    return ADOPTED in next(data_commits(lake.place_of(table), version), {})


def _past_retention(lake: Lake, chain: VersionChain) -> str | None:
    """A replaced version of a chain that can no longer be read; None if there is none."""
    for one in chain.versions:
        place = lake.place_of(one.table)
        if one.version != lake.version(one.table) and open_if_readable(place, one.version) is None:
            return one.name
    return None


def _sampled(cells: Mapping[Table, pa.Table], sample: int, seed: int) -> dict[Table, pa.Table]:
    all_cells = [(table, row) for table, rows in cells.items() for row in range(len(rows))]
    chosen = random.Random(seed).sample(all_cells, min(sample, len(all_cells)))
    return {
        t: rows.take(pa.array([row for table, row in chosen if table is t], pa.int64())) for t, rows in cells.items()
    }


def _figure_differences(
    lake: Lake, table: Table, chain: VersionChain, shown: pa.Table, recomputation: CellRecomputation
) -> Sequence[Difference]:
    recomputation.choose(shown, materialize=False)
    computed = recomputation.figures()
    if edition_table := edition_table_of(table):
        cells = EditionCells.of(lake, edition_table, chain)
        expected = cells.expected(shown, recomputation)
        found = differences(table, shown, cells.candidates(shown), computed, expected)
        return [*found, *cells.broken_rules(shown)]
    inputs = (table.reads["exact"], table.reads.get("mask"))
    exact, mask = (lake.relation(t, chain.version_of(t)) if t else None for t in inputs)
    with duckdb.connect() as connection:
        connection.register("shown", shown)
        keys = ", ".join(map(sql_name, table.key))
        exact_rows = connection.sql(f"FROM {exact} SEMI JOIN shown USING ({keys})").to_arrow_table()
        of_mask = f"SELECT cell, is_masked FROM {mask} WHERE indicator = {sql_text(table.name)}"
        of_public_figures = f"SELECT concat_ws('|', {keys}) AS cell, false AS is_masked FROM {exact}"
        masks = connection.sql(of_mask if mask else of_public_figures).to_arrow_table()
    return list(differences(table, shown, exact_rows, computed, masked_rows(table, exact_rows, masks)))


def _listed_differences(table: Table, found: Sequence[Difference], with_figures: bool) -> Iterator[str]:
    for difference in found[:MAX_LISTED_DIFFERENCES]:
        cell = " ".join(f"{c}={v}" for c, v in difference.cell.items())
        is_wrong = (
            f"is {difference.found}, and should be {difference.expected}"
            if with_figures
            else "is not what it should be"
        )
        yield f"indicator {table.folder} {cell}: {difference.figure} {is_wrong}"
    if len(found) > MAX_LISTED_DIFFERENCES:
        yield f"indicator {table.folder}: {len(found) - MAX_LISTED_DIFFERENCES} more figures are not equal"
