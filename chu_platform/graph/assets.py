"""Dagster assets of tables. All that the UI shows about a table is derived from its declaration."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import dagster as dg

from chu_platform.catalogue import declared_at
from chu_platform.compat.run_tags import BACKFILL, LEFT_OUT, PARTITION_RANGE_END, PARTITION_RANGE_START
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.check_events import check_events, check_specs
from chu_platform.graph.checks_alone import can_run_alone, run_selected
from chu_platform.graph.english import english_column, english_table
from chu_platform.graph.failure_notice import failure_notice
from chu_platform.graph.partition_figures import NOTHING, PartitionFigures, figures_by_partition, until_last_rows
from chu_platform.graph.partitions_definition import partitions_definition
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.shown_counts import row_count, row_count_in_words, size
from chu_platform.graph.step import BlockingCheckFailed, run_step
from chu_platform.graph.step_reporting import as_dagster_failures, log_line
from chu_platform.graph.step_result import StepResult
from chu_platform.ingest.delivered import delivered_rows
from chu_platform.storage.commit import CommitResult
from chu_platform.tables.columns import Column, sql_type
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.rows import Computed, DeliveredRows, Query
from chu_platform.tables.table import Layer, Table
from chu_platform.urls import DOCUMENTS_ROOT, QUALITY, page_of

RUN_RESOURCES: Final = "platform"

# Pool and name of the step of the release, which writes all tables of the editions.
EDITIONS_POOL: Final = "editions__release"


# Tag of the steps of reports: they describe the other steps of their run, on which they do not depend.
LAST: Final = {"dagster/priority": "-1"}


def pool_of(table: Table) -> str:
    """Dagster pool of the writers of a table. At most one of them runs at a time."""
    if table.in_editions:
        return EDITIONS_POOL
    return f"{table.layer}__{table.name}"


def partition_range_tags(partition_range: PartitionRange | None) -> dict[str, str]:
    """Tags that make a Dagster run a run of this partition range."""
    if partition_range is None:
        return {}
    return {PARTITION_RANGE_START: partition_range.first, PARTITION_RANGE_END: partition_range.last}


def asset_of(table: Table) -> dg.AssetsDefinition:
    """The asset of a table. For a delivered table, the same step also makes the asset of its rejects."""
    tables = table.outputs

    @dg.multi_asset(
        name=pool_of(table),
        specs=[spec_of(t, table) for t in tables],
        check_specs=[spec for t in tables for spec in check_specs(t)],
        can_subset=can_run_alone(table),
        backfill_policy=dg.BackfillPolicy.single_run() if table.asset_scheme else None,
        required_resource_keys={RUN_RESOURCES},
        hooks={failure_notice},
        pool=pool_of(table),
        op_tags=LAST if table.layer is Layer.REPORTS else None,
    )
    def step(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        resources: RunResources = context.resources.platform
        checks = {*context.selected_asset_check_keys}
        if not context.selected_asset_keys:
            with as_dagster_failures(resources, context):
                yield from run_selected(resources, tables, checks)
            return
        partition_range = _partition_range(table, context)
        run = context.run
        with (
            as_dagster_failures(resources, context),
            resources.lineage_events.step(table, run.run_id, run.job_name, context.retry_number) as done,
        ):
            try:
                result = run_step(resources, table, partition_range, run.run_id, context.instance)
                done(result)
            except BlockingCheckFailed as failure:
                yield from check_events(failure.check_results, checks)
                raise
        log_line(resources, context, step_line(table, result), step_line(table, result, in_dagster=True))
        if partition_range:
            figures = figures_by_partition(resources.lake, table, partition_range, result.commits[table])
            _add_partition_metadata(context, table, partition_range, figures)
        yield from check_events(result.check_results, checks)
        for made in result.commits:
            yield materialize_result(resources, made, result)

    return step


def materialize_result(resources: RunResources, table: Table, result: StepResult) -> dg.MaterializeResult[None]:
    """The event of Dagster for one of the tables that a step made."""
    commit = result.commits[table]
    return dg.MaterializeResult(
        asset_key=key_of(table),
        metadata=_metadata(resources, table, commit, result),
        data_version=dg.DataVersion(commit.content),
    )


def _partition_range(table: Table, context: dg.AssetExecutionContext) -> PartitionRange | None:
    if table.asset_scheme is None:
        return None
    keys = context.partition_keys
    return table.asset_scheme.between(keys[0], keys[-1])


def _add_partition_metadata(
    context: dg.AssetExecutionContext,
    table: Table,
    partition_range: PartitionRange,
    figures: Mapping[str, PartitionFigures],
) -> None:
    """Add the metadata of single partitions to their events. The events of a run share all other metadata.

    Partitions after the last one with rows or changes are not shown as made, unless a backfill asked for them: Dagster
    would count them as failed. The last event gets the column lineage, which is long: the UI reads it from the last
    event of an asset.
    """
    shown = partition_range.keys if BACKFILL in context.run.tags else until_last_rows(partition_range, figures)
    for partition in shown:
        found = figures.get(partition, NOTHING)
        metadata: dict[str, Any] = {
            **row_count(table, "dagster/partition_row_count", found.rows),
            "partition_bytes": size(table, found.size),
            "partition_changed": found.changed,
        }
        if partition == shown[-1]:
            metadata |= _column_lineage(table)
        context.add_asset_metadata(metadata, asset_key=key_of(table), partition_key=partition)
    for partition in partition_range.keys[len(shown) :]:
        for made in table.outputs:
            context.add_asset_metadata({LEFT_OUT: True}, asset_key=key_of(made), partition_key=partition)


@dataclass(frozen=True)
class _SpecByKind:
    """Properties of an asset that depend on the kind of its rows.

    `icon` is the icon of the asset in the UI.
    """

    icon: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


class _SpecsByKind:
    """Visitor that returns the properties for each kind of rows."""

    def visit_query(self, rows: Query) -> _SpecByKind:
        """See `RowsVisitor`."""
        return _SpecByKind("sparksql", {"query": dg.MetadataValue.md(f"```sql\n{rows.sql}\n```")})

    def visit_computed(self, _rows: Computed) -> _SpecByKind:
        """See `RowsVisitor`."""
        return _SpecByKind("python")

    def visit_delivered(self, _rows: DeliveredRows) -> _SpecByKind:
        """See `RowsVisitor`."""
        return _SpecByKind("python")


_SPEC_BY_KIND: Final = _SpecsByKind()


def spec_of(table: Table, step_table: Table) -> dg.AssetSpec:
    """The asset of `table`, which the step of `step_table` makes: the table itself, or the source table of rejects."""
    by_kind = step_table.rows.accept(_SPEC_BY_KIND)
    metadata: dict[str, Any] = {
        "dagster/column_schema": _column_schema(table),
        "dagster/table_name": table.folder.replace("/", "."),
        "dagster/code_references": _code_reference(step_table),
        "zone": table.zone.value,
        "folder": table.folder,
        "label_fr": table.label,
        "grain_fr": table.grain,
        "columns_fr": dg.MetadataValue.json({c.name: c.full_description for c in table.columns}),
        "partition_by": ", ".join(table.partition_by) or "-",
        "z_order_by": ", ".join(table.layout.z_order_by) or "-",
        "lineage_page": dg.MetadataValue.url(DOCUMENTS_ROOT + page_of(table)),
        "data_dictionary": dg.MetadataValue.url(DOCUMENTS_ROOT),
        "quality_report": dg.MetadataValue.url(DOCUMENTS_ROOT + QUALITY),
        **by_kind.metadata,
    }
    return dg.AssetSpec(
        key_of(table),
        # Rejects get the same partitions, although each run writes all of them. Dagster cannot backfill a step whose
        # assets have different partitions.
        partitions_def=partitions_definition(step_table.asset_scheme) if step_table.asset_scheme else None,
        deps=[_dependency(table, t) for t in step_table.needs] if table is step_table else [key_of(step_table)],
        group_name=table.layer.value,
        description=english_table(table, declared_at(step_table)[0]),
        kinds={"deltalake", by_kind.icon},
        owners=[table.owner],
        tags={"zone": table.zone.value},
        code_version=step_table.code_version,
        # A release makes no new rows if nothing has changed since the last edition.
        skippable=table.in_editions,
        metadata=metadata,
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=step_table.freshness.fail, warn_window=step_table.freshness.warn
        ),
    )


def _dependency(table: Table, needed: Table) -> dg.AssetDep:
    """The dependency of an asset on another one. A year of indicators may be before the first year of the facts."""
    if table.period_scheme is None or needed.asset_scheme is None:
        return dg.AssetDep(key_of(needed))
    with warnings.catch_warnings():
        # The parameter is in beta.
        warnings.filterwarnings("ignore", message="Parameter `allow_nonexistent_upstream_partitions`")
        mapping = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
    return dg.AssetDep(key_of(needed), partition_mapping=mapping)


def _code_reference(table: Table) -> dg.CodeReferencesMetadataValue:
    """File and line of the declaration, as a link in the UI."""
    file, line = declared_at(table)
    with warnings.catch_warnings():
        # Both classes are in beta.
        warnings.filterwarnings("ignore", message="Class `(CodeReferencesMetadataValue|LocalFileCodeReference)`")
        reference = dg.LocalFileCodeReference(file_path=str(file), line_number=line, label="declaration")
        return dg.CodeReferencesMetadataValue(code_references=[reference])


def _column_schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                c.name,
                sql_type(c.type),
                description=english_column(c),
                tags={"sensitivity": _sensitivity(table, c)},
                constraints=dg.TableColumnConstraints(nullable=not c.required, unique=[c.name] == table.key),
            )
            for c in table.columns
        ],
        constraints=dg.TableConstraints(other=[check.condition for check in table.all_checks if check.blocking]),
    )


def _sensitivity(table: Table, column: Column) -> str:
    if column.identifying:
        return "identifying"
    if column.sensitive:
        return "sensitive"
    return "quasi-identifying" if column.quasi_identifying else table.zone.value


def _metadata(resources: RunResources, table: Table, commit: CommitResult, result: StepResult) -> dict[str, Any]:
    """Metadata of the whole table after the run."""
    metadata: dict[str, Any] = {
        **row_count(table, "dagster/row_count", commit.table_rows),
        "bytes": commit.table_size,
        "files": commit.table_files,
        "delta_version": commit.version,
        "slices_changed" if table.partition_scheme else "partitions_changed": len(commit.changed),
        "run_seconds": round(result.seconds, 2),
        "up_to_date": result.up_to_date,
        **({"left_as_it_was": result.waits} if result.waits else {}),
        # Not `dagster/uri`: the UI does not show that key on the page of the asset.
        "location": dg.MetadataValue.path(str(resources.lake.place_of(table))),
    }
    if table.asset_scheme is None:
        metadata |= _column_lineage(table)
    if table.preview:
        metadata["preview"] = dg.MetadataValue.md(resources.lake.markdown(table, table.preview))
    if delivery := result.delivery:
        metadata["delivery_rows_in"] = delivery.rows_in
        metadata["delivery_rows_kept"] = delivery.kept
        metadata["delivery_rows_rejected"] = delivery.rejected
        metadata["delivery_rows_withdrawn"] = delivery.withdrawn
        ever_rejected = sum(c.table_rows for t, c in result.commits.items() if t.layer is Layer.REJECTS)
        # Corrected or withdrawn. Events of earlier runs hold this key, so the key keeps its name.
        metadata["delivery_rows_mended"] = ever_rejected - delivery.rejected
        metadata["delivery_columns_undeclared"] = delivery.undeclared
        metadata["delivery_columns_misunderstood"] = dg.MetadataValue.json(delivery.misunderstood)
        metadata["delivery_files_left_out"] = dg.MetadataValue.json(delivery.left_out)
        metadata["deliveries"] = dg.MetadataValue.json(delivery.deliveries)
    return metadata


def _column_lineage(table: Table) -> dict[str, Any]:
    """Metadata with the direct lineage: the columns from which each column is made or by which it is masked.

    It is metadata of each materialisation, not of the asset, so that loading the code location analyses no query.
    """
    from chu_platform.lineage.table_lineage import lineage_of
    from chu_platform.tables.column_origins import Field

    columns = lineage_of(table).columns
    lineage = dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(key_of(o.table), o.column) for o in origins if isinstance(o, Field)]
            for name, origins in columns.items()
        }
    )
    return {"dagster/column_lineage": lineage}


def step_line(table: Table, result: StepResult, in_dagster: bool = False) -> str:
    """A progress line, without values of rows. `in_dagster`: without a count that the UI does not show."""
    commit = result.commits[table]
    counts = row_count_in_words(table, commit.rows) if in_dagster else f"{commit.rows:,} rows"
    if delivery := result.delivery:
        counts = f"{delivery.rows_in:,} rows in = {delivery.kept:,} kept + {delivery.rejected:,} rejected"
        if delivered_rows(table).withdrawals:
            counts += f" + {delivery.withdrawn:,} withdrawn"
    if result.waits:
        return f"{table.layer}/{table.name}: left as it was: {result.waits}"
    if result.up_to_date:
        return f"{table.layer}/{table.name}: {counts.replace(',', ' ')}, up to date"
    what = ""
    if not commit.changed:
        what = ", unchanged"
    elif result.partial:
        what = f", {len(commit.changed)} {'partition' if len(commit.changed) == 1 else 'partitions'} made again"
    return f"{table.layer}/{table.name}: {counts.replace(',', ' ')}{what}, {result.seconds:.1f} s"
