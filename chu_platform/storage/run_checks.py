"""Running the checks of a table over written rows, before they are committed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import duckdb

from chu_platform.storage.duckdb_session import bounded_connection
from chu_platform.storage.lake import Lake, Write, active_files, files_relation, partition_of, size_of
from chu_platform.storage.row_identity import Partition, aggregate_partitions
from chu_platform.storage.scratch_folder import scratch
from chu_platform.tables.checks import Check, CheckInputs, DeliveryCounts
from chu_platform.tables.partitions import PartitionRange, TouchedPartitions
from chu_platform.tables.table import Table

NOTHING_DELIVERED: Final = DeliveryCounts()


@dataclass(frozen=True)
class CheckResult:
    """Result of a check. `measured` is usually the number of rows that break it; None if nothing could be measured."""

    check: Check
    measured: float | None

    @property
    def passed(self) -> bool:
        """Whether the measured number is within the bounds of the check."""
        return self.check.allows(self.measured)

    @property
    def blocks(self) -> bool:
        """Whether the result prevents the commit of the rows."""
        return self.check.blocking and not self.passed


@dataclass(frozen=True)
class Examination:
    """What one scan of written rows found: the results of all checks, and the written partitions, by folder.

    `rows` is the number of checked rows, with those of the partitions that did not have to be written. `of_table` are
    the results for all rows of the table after the commit, also those outside of the partition range.
    """

    check_results: Sequence[CheckResult]
    partitions: Mapping[str, Partition]
    rows: int
    of_table: Sequence[CheckResult]


def examine(
    lake: Lake,
    table: Table,
    write: Write,
    partition_range: PartitionRange | None,
    versions: Mapping[Table, int],
    counts: DeliveryCounts = NOTHING_DELIVERED,
    touched: TouchedPartitions | None = None,
    measured_before: Mapping[str, float | None] = MappingProxyType({}),
) -> Examination:
    """Run all checks of the table over the written rows of `partition_range` (of the whole table if None).

    Other tables are read at their version in `versions`, by default at their current version. Conditions and the
    identity of the rows are computed in one scan, every other check by a query of its own.

    If only the partitions `touched` of the range were written, the results are still those of all its rows. The
    committed rows of the other partitions are not read again by a check that found nothing in them before
    (`measured_before`, by name of the check), and whose number adds up. The same holds for the partitions outside of
    the range, and the results of the whole table.
    """
    files = write.files
    others = _others(lake, table, partition_range, touched) if touched is not None else []
    size = sum(f.stat().st_size for f in files) + sum(f["size_bytes"] for f in others)
    with bounded_connection(write.scratch / "spill", size) as connection:
        connection.execute(f"CREATE TEMP VIEW written AS SELECT * FROM {files_relation(table, files)}")
        rest = files_relation(table, [lake.place_of(table) / f["path"] for f in others])
        with_rest = f"UNION ALL FROM {rest}" if others else ""
        connection.execute(f"CREATE TEMP VIEW made AS SELECT * FROM written {with_rest}")
        counted = [check for check in table.all_checks if check.breaks is not None]
        conditions = [f"count(*) FILTER ({check.breaks})" for check in counted]
        partitions = aggregate_partitions(connection, table, "written", conditions)
        of_partitions = {
            check.name: [(p.aggregates[place], p.rows) for p in partitions.values()]
            for place, check in enumerate(counted)
        }
        breaking: dict[str, float] = {name: sum(n for n, _ in counts) for name, counts in of_partitions.items()}
        broken_before = [check for check in counted if others and measured_before.get(check.name) != 0]
        if broken_before:
            listed = ", ".join(f"count(*) FILTER ({check.breaks})" for check in broken_before)
            (found,) = connection.execute(f"SELECT {listed} FROM {rest}").fetchall()
            for check, number in zip(broken_before, found, strict=True):
                breaking[check.name] += number

        def current(other: Table) -> str:
            return lake.relation(other, versions.get(other))

        def same_partitions(other: Table) -> str | None:
            if partition_range is None or partition_range.whole:
                return current(other)
            same_scheme = other.partition_scheme is partition_range.partition_scheme
            return f"(SELECT * FROM {current(other)} WHERE {partition_range.predicate()})" if same_scheme else None

        inputs = CheckInputs(
            "made",
            sum(p.rows for p in partitions.values()) + sum(f["num_records"] or 0 for f in others),
            "made" if touched is not None else _after(lake, table, partition_range),
            current,
            same_partitions,
            _rows_before(lake, table, partition_range),
            counts,
        )
        of_written = replace(inputs, written="written", after="written")

        def measured(check: Check) -> float | None:
            if check.breaks is not None:
                return check.measured(breaking[check.name], inputs.rows, of_partitions[check.name])
            only_written = touched is not None and check.adds_up and measured_before.get(check.name) == 0
            return _first_value(connection, check.query(of_written if only_written else inputs))

        results = [CheckResult(check, measured(check)) for check in table.all_checks]
        outside = _outside(lake, table, partition_range)
        if not outside:
            return Examination(results, partitions, inputs.rows, results)

        rest = files_relation(table, [lake.place_of(table) / f["path"] for f in outside])
        connection.execute(f"CREATE TEMP VIEW whole AS SELECT * FROM made UNION ALL FROM {rest}")
        unknown = [check for check in counted if measured_before.get(check.name) != 0]
        if unknown:
            listed = ", ".join(f"count(*) FILTER ({check.breaks})" for check in unknown)
            (found,) = connection.execute(f"SELECT {listed} FROM {rest}").fetchall()
            for check, number in zip(unknown, found, strict=True):
                breaking[check.name] += number
        of_whole = replace(
            inputs,
            written="whole",
            rows=inputs.rows + sum(f["num_records"] or 0 for f in outside),
            after="whole",
            same_partitions=current,
            rows_before=_rows_before(lake, table, None),
        )

        def of_table(result: CheckResult) -> CheckResult:
            check = result.check
            if check.breaks is not None:
                return CheckResult(check, check.measured(breaking[check.name], of_whole.rows))
            if check.adds_up and measured_before.get(check.name) == 0:
                return result
            return CheckResult(check, _first_value(connection, check.query(of_whole)))

        return Examination(results, partitions, inputs.rows, [of_table(result) for result in results])


def examine_committed(
    lake: Lake, table: Table, versions: Mapping[Table, int], measured_before: Mapping[str, float | None]
) -> Sequence[CheckResult]:
    """Run the checks of a table over its committed rows. It writes nothing.

    Other tables are read at their version in `versions`. Checks that only the step can measure have what was
    `measured_before`, by name of the check.
    """
    with scratch(lake, table.zone) as folder, bounded_connection(folder, size_of(lake.require(table))) as connection:
        connection.execute(f"CREATE TEMP VIEW made AS SELECT * FROM {lake.relation(table)}")
        counted = [check for check in table.all_checks if check.breaks is not None]
        listed = ", ".join(["count(*)", *(f"count(*) FILTER ({check.breaks})" for check in counted)])
        by = ", ".join(f'"{column}"' for column in table.partition_by) or "()"
        partitions = connection.execute(f"SELECT {listed} FROM made GROUP BY {by}").fetchall()
        rows = sum(numbers[0] for numbers in partitions)

        def current(other: Table) -> str:
            return lake.relation(other, versions.get(other))

        inputs = CheckInputs("made", rows, "made", current, current, None, NOTHING_DELIVERED)

        def measured(check: Check) -> float | None:
            if check.of_step:
                return measured_before.get(check.name)
            if check.breaks is None:
                return _first_value(connection, check.query(inputs))
            place = 1 + counted.index(check)
            of_partitions = [(numbers[place], numbers[0]) for numbers in partitions]
            return check.measured(sum(broken for broken, _ in of_partitions), rows, of_partitions)

        return [CheckResult(check, measured(check)) for check in table.all_checks]


def _outside(lake: Lake, table: Table, partition_range: PartitionRange | None) -> list[dict[str, Any]]:
    """The committed files of the partitions outside of the range, which the commit leaves as they are."""
    if partition_range is None or partition_range.whole or (delta := lake.open(table)) is None:
        return []
    column = partition_range.partition_scheme.column
    return [f for f in active_files(delta) if not partition_range.holds((f.get("partition") or {}).get(column))]


def _others(
    lake: Lake, table: Table, partition_range: PartitionRange | None, touched: TouchedPartitions
) -> list[dict[str, Any]]:
    """The committed files of the range in partitions that are not touched."""
    return [
        f
        for f in active_files(lake.require(table))
        if not touched.holds(partition := partition_of(f))
        and (partition_range is None or partition_range.holds(partition[partition_range.partition_scheme.column]))
    ]


def _after(lake: Lake, table: Table, partition_range: PartitionRange | None) -> str:
    """Relation of the whole table after the commit: written rows, and rows of the other partitions."""
    # The files of the other partitions only: those that are replaced may be damaged.
    others = [lake.place_of(table) / f["path"] for f in _outside(lake, table, partition_range)]
    return f"(SELECT * FROM written UNION ALL SELECT * FROM {files_relation(table, others)})" if others else "written"


def _rows_before(lake: Lake, table: Table, partition_range: PartitionRange | None) -> int | None:
    delta = lake.open(table)
    if delta is None:
        return None
    return sum(
        f["num_records"] or 0
        for f in active_files(delta)
        if partition_range is None
        or partition_range.holds((f.get("partition") or {}).get(partition_range.partition_scheme.column))
    )


def _first_value(connection: duckdb.DuckDBPyConnection, query: str) -> float | None:
    row = connection.execute(query).fetchone()
    return None if row is None or row[0] is None else float(row[0])
