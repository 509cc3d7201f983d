"""Declarations as Dagster assets: everything the UI shows of a table is derived from its declaration here.

Here: asset, checks and metadata of a table. Not here: making its rows (step), running many (runs), when (automation).
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import dagster as dg

from chu_platform.catalogue import declared_at
from chu_platform.compat.run_tags import PARTITION_RANGE_END, PARTITION_RANGE_START
from chu_platform.graph.automation_conditions import FOLLOWS
from chu_platform.graph.failure_notice import failure_notice
from chu_platform.graph.partitions_definition import partitions_definition
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import BlockingCheckFailed, Outcome, make
from chu_platform.graph.step_reporting import as_dagster_failures, log_line
from chu_platform.storage.commit import Published
from chu_platform.storage.run_checks import CheckResult
from chu_platform.tables.checks import Check
from chu_platform.tables.columns import Column, sql_type
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.rows import Computed, DeliveredRows, Query
from chu_platform.tables.table import Layer, Table
from chu_platform.urls import QUALITY, ROOT, page_of

RUN_RESOURCES: Final = "platform"
# What is transient (a lost connection, a dead engine, two writers) is tried again; bad rows are not.
RETRIES: Final = dg.RetryPolicy(max_retries=2, delay=3, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def key_of(table: Table) -> dg.AssetKey:
    """The asset key: layer and table."""
    return dg.AssetKey([table.layer.value, table.name])


def pool_of(table: Table) -> str:
    """The pool of the table's writers: at most one at a time."""
    return f"{table.layer}__{table.name}"


def partition_range_tags(partition_range: PartitionRange | None) -> dict[str, str]:
    """The tags by which a Dagster run is one of a range of partitions."""
    if partition_range is None:
        return {}
    return {PARTITION_RANGE_START: partition_range.first, PARTITION_RANGE_END: partition_range.last}


def asset_of(table: Table) -> dg.AssetsDefinition:
    """The asset of a table; a delivered table brings the asset of its rejects."""
    tables = table.outputs

    @dg.multi_asset(
        name=pool_of(table),
        specs=[_spec(t, table) for t in tables],
        check_specs=[_check_spec(t, check) for t in tables for check in t.all_checks],
        backfill_policy=dg.BackfillPolicy.single_run() if table.partition_scheme else None,
        required_resource_keys={RUN_RESOURCES},
        retry_policy=RETRIES,
        hooks={failure_notice},
        pool=pool_of(table),
    )
    def step(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        platform: RunResources = context.resources.platform
        partition_range = _slices(table, context)
        with as_dagster_failures(platform):
            try:
                outcome = make(platform, table, partition_range, context.run_id, context.instance)
            except BlockingCheckFailed as broken:
                yield from _check_results(broken.check_results)
                raise
        log_line(platform, context, _line(table, outcome))
        if partition_range:
            _tell_slices(context, key_of(table), partition_range, outcome.published[table])
        yield from _check_results(outcome.check_results)
        for made, published in outcome.published.items():
            yield dg.MaterializeResult(
                asset_key=key_of(made),
                metadata=_metadata(platform, made, published, outcome),
                data_version=dg.DataVersion(published.content),
            )

    return step


def _slices(table: Table, context: dg.AssetExecutionContext) -> PartitionRange | None:
    if table.partition_scheme is None:
        return None
    keys = context.partition_keys
    return table.partition_scheme.between(keys[0], keys[-1])


def _tell_slices(
    context: dg.AssetExecutionContext, key: dg.AssetKey, partition_range: PartitionRange, published: Published
) -> None:
    """What is said of each slice alone: the events of a run over many partitions share the rest."""
    for partition in partition_range.keys:
        said = {
            "dagster/partition_row_count": published.rows_by_slice.get(partition, 0),
            "partition_bytes": published.size_by_slice.get(partition, 0),
            "partition_changed": partition in published.changed,
        }
        context.add_asset_metadata(said, asset_key=key, partition_key=partition)


@dataclass(frozen=True)
class _SpecByKind:
    """What the asset of a table has by the kind of its rows: `made_by` is the icon of the UI; a table that `follows` is
    made again when a table that it needs was.
    """

    made_by: str
    follows: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)


class _SpecsByKind:
    """The part of the asset that depends on the kind of rows."""

    def visit_query(self, rows: Query) -> _SpecByKind:
        """See `RowsVisitor`."""
        return _SpecByKind("sparksql", True, {"query": dg.MetadataValue.md(f"```sql\n{rows.sql}\n```")})

    def visit_computed(self, _rows: Computed) -> _SpecByKind:
        """See `RowsVisitor`."""
        return _SpecByKind("python", True)

    def visit_delivered(self, _rows: DeliveredRows) -> _SpecByKind:
        """See `RowsVisitor`."""
        return _SpecByKind("python", False)


_SPEC_BY_KIND: Final = _SpecsByKind()


def _spec(table: Table, made_by: Table) -> dg.AssetSpec:
    by_kind = made_by.rows.accept(_SPEC_BY_KIND)
    metadata: dict[str, Any] = {
        "dagster/column_schema": _column_schema(table),
        "dagster/table_name": table.folder.replace("/", "."),
        "dagster/code_references": _code_reference(made_by),
        "zone": table.zone.value,
        "folder": table.folder,
        "grain": table.grain,
        "label": table.label,
        "partition_by": ", ".join(table.partition_by) or "-",
        "z_order_by": ", ".join(table.layout.z_order_by) or "-",
        "lineage_page": dg.MetadataValue.url(ROOT + page_of(table)),
        "data_dictionary": dg.MetadataValue.url(ROOT),
        "quality_report": dg.MetadataValue.url(ROOT + QUALITY),
        **by_kind.metadata,
    }
    return dg.AssetSpec(
        key_of(table),
        # Also the rejects, although they are always all of a delivery: Dagster refuses to backfill a step that makes
        # assets of different partitions.
        partitions_def=partitions_definition(made_by.partition_scheme) if made_by.partition_scheme else None,
        deps=[key_of(t) for t in made_by.needs],
        group_name=table.layer.value,
        description=table.said,
        kinds={"deltalake", by_kind.made_by},
        owners=[table.owner],
        tags={"zone": table.zone.value},
        code_version=made_by.code_version,
        metadata=metadata,
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=made_by.freshness.fail, warn_window=made_by.freshness.warn
        ),
        # Deliveries come when they come, reports follow runs: schedules and sensors start them.
        automation_condition=FOLLOWS if by_kind.follows and table.layer is not Layer.REPORTS else None,
    )


def _code_reference(table: Table) -> dg.CodeReferencesMetadataValue:
    """The place of the declaration, which the UI links to."""
    file, line = declared_at(table)
    with warnings.catch_warnings():
        # These two classes, which are in beta, and nothing else.
        warnings.filterwarnings("ignore", message="Class `(CodeReferencesMetadataValue|LocalFileCodeReference)`")
        place = dg.LocalFileCodeReference(file_path=str(file), line_number=line, label="declaration")
        return dg.CodeReferencesMetadataValue(code_references=[place])


def _column_schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                c.name,
                sql_type(c.type),
                description=c.said,
                tags={"sensitivity": _sensitivity(table, c)},
                constraints=dg.TableColumnConstraints(nullable=not c.required, unique=[c.name] == table.key),
            )
            for c in table.columns
        ],
        constraints=dg.TableConstraints(other=[r.description for r in table.all_checks if r.blocking]),
    )


def _sensitivity(table: Table, column: Column) -> str:
    return "identifying" if column.identifying else table.zone.value


def _check_spec(table: Table, check: Check) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        check.name,
        asset=key_of(table),
        description=check.description,
        blocking=check.blocking,
        metadata={"kind": check.kind.value, "column": check.column or "-", "threshold": check.threshold},
    )


def _check_results(check_results: Mapping[Table, Sequence[CheckResult]]) -> Iterator[dg.AssetCheckResult]:
    for table, found in check_results.items():
        for check_result in found:
            measured = {} if check_result.measured is None else {"measured": check_result.measured}
            yield dg.AssetCheckResult(
                passed=check_result.passed,
                asset_key=key_of(table),
                check_name=check_result.check.name,
                severity=dg.AssetCheckSeverity.ERROR if check_result.check.blocking else dg.AssetCheckSeverity.WARN,
                metadata=measured,
            )


def _metadata(platform: RunResources, table: Table, published: Published, outcome: Outcome) -> dict[str, Any]:
    """What is said of the table as a whole, after the run."""
    said: dict[str, Any] = {
        "dagster/row_count": published.table_rows,
        "bytes": published.table_size,
        "files": published.table_files,
        "delta_version": published.version,
        "slices_changed" if table.partition_scheme else "partitions_changed": len(published.changed),
        "run_seconds": round(outcome.seconds, 2),
        # Not `dagster/uri`: the UI leaves that out of the page of the asset.
        "location": dg.MetadataValue.path(str(platform.lake.path(table))),
        "dagster/column_lineage": _column_lineage(table),
    }
    if table.preview:
        said["preview"] = dg.MetadataValue.md(platform.lake.markdown(table, table.preview))
    if outcome.reading:
        said["delivery_rows_in"] = outcome.reading.rows_in
        said["delivery_rows_kept"] = outcome.reading.kept
        said["delivery_rows_rejected"] = len(outcome.reading.rejects)
        ever_rejected = sum(p.table_rows for t, p in outcome.published.items() if t.layer is Layer.REJECTS)
        said["delivery_rows_mended"] = ever_rejected - len(outcome.reading.rejects)
        said["delivery_columns_undeclared"] = len(outcome.reading.undeclared)
        said["deliveries"] = dg.MetadataValue.json([d.metadata for d in outcome.reading.deliveries])
    return said


def _column_lineage(table: Table) -> dg.TableColumnLineage:
    """The columns that each column is made from, or masked by, one step back.

    Told with each version and not with the definition: a code location then loads without following any query.
    """
    from chu_platform.lineage.tables import lineage_of
    from chu_platform.tables.lineage import Field

    columns = lineage_of(table).columns
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(key_of(o.table), o.column) for o in origins if isinstance(o, Field)]
            for name, origins in columns.items()
        }
    )


def _line(table: Table, outcome: Outcome) -> str:
    """One line of progress, without any value of a row."""
    published = outcome.published[table]
    counts = f"{published.rows:,} rows"
    if outcome.reading:
        r = outcome.reading
        counts = f"{r.rows_in:,} rows in = {r.kept:,} kept + {len(r.rejects):,} rejected"
    unchanged = "" if published.changed else ", unchanged"
    return f"{table.layer}/{table.name}: {counts.replace(',', ' ')}{unchanged}, {outcome.seconds:.1f} s"
