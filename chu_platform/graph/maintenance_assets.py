"""Dagster assets of the maintenance of tables: one for each layer."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from chu_platform.errors import ChuError, TransientError
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import RUN_RESOURCES
from chu_platform.graph.failure_notice import failure_notice
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.shown_counts import row_count_in_words
from chu_platform.graph.step_reporting import as_dagster_failures, log_line
from chu_platform.ingest.delivered import is_delivered, quarantine_of
from chu_platform.storage.lake import TableLocked
from chu_platform.storage.maintenance import MaintenanceReport, maintain
from chu_platform.storage.retention import delete_expired
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.table import Layer, Table

GROUP: Final = "maintenance"
# Columns of the table of results: what a filter on one value of a Z-order column reads is an average.
RESULTS: Final = dg.TableSchema(
    [
        dg.TableColumn("table", "string"),
        dg.TableColumn("did", "string", description="operations and their reasons, or why there was none"),
        dg.TableColumn("z_order_by", "string"),
        *(
            dg.TableColumn(f"{measure}_{when}", "int", description=description)
            for measure, description in (
                ("files", "files of the current version"),
                ("bytes", "bytes of these files"),
                ("files_read", "files that a filter on one value of a Z-order column reads, on average"),
                ("bytes_read", "bytes of these files"),
                ("expired_files", "files that no version within the retention names"),
            )
            for when in ("before", "after")
        ),
        dg.TableColumn("seconds", "float"),
    ]
)


def maintenance_key(layer: Layer) -> dg.AssetKey:
    """Asset key of the maintenance of the tables of a layer."""
    return dg.AssetKey([GROUP, layer.value])


def maintenance_assets(tables: Iterable[Table]) -> Sequence[dg.AssetsDefinition]:
    """The assets that maintain these tables and what their steps also make, one for each layer.

    The quarantines of delivered tables have no asset and rarely exist. They belong to the layer of their source,
    because their files must not exist longer than the retention either.
    """
    by_layer: dict[Layer, list[Table]] = defaultdict(list)
    for table in tables:
        for made in table.outputs:
            by_layer[made.layer].append(made)
        if is_delivered(table):
            by_layer[table.layer].append(quarantine_of(table))
    return [_asset(layer, of_layer) for layer, of_layer in by_layer.items()]


def _asset(layer: Layer, tables: Sequence[Table]) -> dg.AssetsDefinition:
    assets = [t for t in tables if t.layer is layer]

    @dg.asset(
        key=maintenance_key(layer),
        deps=[key_of(t) for t in assets],
        group_name=GROUP,
        description=f"Keeps the tables of the layer {layer.value} readable fast (compact files in Z-order) and within "
        "their retention.",
        kinds={"deltalake", "python"},
        owners=sorted({t.owner for t in assets}),
        metadata={
            "tables": len(assets),
            "z_order_by": dg.MetadataValue.json({t.name: t.layout.z_order_by for t in assets if t.layout.z_order_by}),
        },
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=Freshness.WEEKLY.fail, warn_window=Freshness.WEEKLY.warn
        ),
        required_resource_keys={RUN_RESOURCES},
        hooks={failure_notice},
    )
    def maintenance(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        resources: RunResources = context.resources.platform
        with as_dagster_failures(resources, context):
            reports = _maintain(resources, context, tables)
        return dg.MaterializeResult(metadata=_metadata(reports))

    return maintenance


def _maintain(
    resources: RunResources, context: dg.AssetExecutionContext, tables: Sequence[Table]
) -> Mapping[Table, MaintenanceReport]:
    """Maintain each table that is in the lake. Raises the errors of all tables together, after the last table."""
    reports: dict[Table, MaintenanceReport] = {}
    errors: list[ChuError] = []
    for table in tables:
        try:
            if resources.lake.open(table) is None:
                continue
            _keep_retention(resources, context, table)
            report = maintain(resources.lake, table, table.maintenance, context.run.run_id, resources.operations)
        except ChuError as error:
            if resources.interrupted:
                raise
            errors.append(error)
            continue
        reports[table] = report
        line = _line(table, report)
        log_line(resources, context, line, line)
    if errors:
        # A retry finds little to do in the tables that were maintained.
        kind = TransientError if all(isinstance(e, TransientError) for e in errors) else ChuError
        raise kind("; ".join(map(str, errors)))
    return reports


def _keep_retention(resources: RunResources, context: dg.AssetExecutionContext, table: Table) -> None:
    """Delete the rows of a table that are kept for too long. Warn of those that only their sender can remove."""
    try:
        found = delete_expired(resources.lake, table, datetime.date.today(), context.run.run_id)
    except TableLocked as error:
        line = f"{GROUP} of {table.layer}/{table.name}: {error}"
        log_line(resources, context, line, line)
        return
    if found is None or found.rows == 0:
        return
    name = f"{table.layer}/{table.name}"
    if found.is_delivered:
        resources.warn(
            f"{name}: {found.rows} rows are of before {found.limit}, the end of their retention: ask the sender to "
            "leave them out of the delivery"
        )
    else:
        line = f"{GROUP} of {name}: rows of before {found.limit} deleted, "
        counted = row_count_in_words(table, found.rows)
        log_line(resources, context, f"{line}{found.rows:,} rows", f"{line}{counted}")


def _metadata(reports: Mapping[Table, MaintenanceReport]) -> dict[str, Any]:
    """Totals of the layer, and a line for each table."""
    before, after = [r.before for r in reports.values()], [r.after for r in reports.values()]
    totals: dict[str, Any] = {
        "tables_maintained": sum(bool(r.done) for r in reports.values()),
        "tables_examined": len(reports),
        "seconds": round(sum(r.seconds for r in reports.values()), 2),
    }
    for when, states in (("before", before), ("after", after)):
        totals[f"files_{when}"] = sum(s.files for s in states)
        totals[f"bytes_{when}"] = sum(s.size for s in states)
        totals[f"files_read_{when}"] = round(sum(s.files_read for s in states))
        totals[f"bytes_read_{when}"] = round(sum(s.bytes_read for s in states))
        totals[f"expired_files_{when}"] = sum(s.expired_files for s in states)
    if reports:
        records = [_record(table, report) for table, report in reports.items()]
        totals["results"] = dg.MetadataValue.table(records, schema=RESULTS)
    return totals


def _record(table: Table, report: MaintenanceReport) -> dg.TableRecord:
    before, after = report.before, report.after
    return dg.TableRecord(
        {
            "table": f"{table.layer}/{table.name}",
            "did": "; ".join(f"{d.action.operation.value}: {d.action.reason}" for d in report.done)
            or report.skipped
            or "nothing",
            "z_order_by": ", ".join(table.layout.z_order_by) or "-",
            "files_before": before.files,
            "files_after": after.files,
            "bytes_before": before.size,
            "bytes_after": after.size,
            "files_read_before": round(before.files_read),
            "files_read_after": round(after.files_read),
            "bytes_read_before": round(before.bytes_read),
            "bytes_read_after": round(after.bytes_read),
            "expired_files_before": before.expired_files,
            "expired_files_after": after.expired_files,
            "seconds": round(report.seconds, 2),
        }
    )


def _line(table: Table, report: MaintenanceReport) -> str:
    """A progress line."""
    if report.skipped:
        return f"{GROUP} of {table.layer}/{table.name}: {report.skipped}"
    did = ", ".join(d.action.operation.value for d in report.done)
    files = f"{report.before.files} -> {report.after.files} files"
    return f"{GROUP} of {table.layer}/{table.name}: {did}; {files}, {report.seconds:.1f} s"
