"""Dagster assets of the maintenance of tables."""

from collections.abc import Iterator

import dagster as dg

from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import RETRIES, RUN_RESOURCES, pool_of
from chu_platform.graph.failure_notice import failure_notice
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step_reporting import as_dagster_failures, log_line
from chu_platform.ingest.delivered import quarantine_of
from chu_platform.storage.maintenance import MaintenanceReport, maintain
from chu_platform.tables.freshness import Freshness
from chu_platform.tables.table import Layer, Table

GROUP = "maintenance"


def maintenance_key(table: Table) -> dg.AssetKey:
    """Asset key of the maintenance of a table."""
    return dg.AssetKey([GROUP, f"{table.layer.value}_{table.name}"])


def maintenance_of(table: Table) -> dg.AssetsDefinition:
    """The asset that maintains a table and, if it is delivered, its rejects and its quarantine.

    It has the same pool as the step that writes the table, so the two never run at the same time.
    """
    tables = table.outputs

    @dg.multi_asset(
        name=f"maintenance__{pool_of(table)}",
        specs=[_spec(t, table) for t in tables],
        required_resource_keys={RUN_RESOURCES},
        retry_policy=RETRIES,
        hooks={failure_notice},
        pool=pool_of(table),
    )
    def step(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        resources: RunResources = context.resources.platform
        for maintained in tables:
            if resources.lake.open(maintained) is None:
                yield dg.MaterializeResult(
                    asset_key=maintenance_key(maintained), metadata={"skipped_because": "not in the lake yet"}
                )
                continue
            with as_dagster_failures(resources):
                report = maintain(
                    resources.lake, maintained, maintained.maintenance, context.run_id, resources.operations
                )
            log_line(resources, context, _line(maintained, report))
            yield dg.MaterializeResult(asset_key=maintenance_key(maintained), metadata=_metadata(report))
        quarantine = quarantine_of(table)
        # The quarantine has no asset and rarely exists. Its files must not exist longer than the retention either.
        if table.layer is Layer.SOURCES and resources.lake.open(quarantine):
            with as_dagster_failures(resources):
                report = maintain(
                    resources.lake, quarantine, quarantine.maintenance, context.run_id, resources.operations
                )
            log_line(resources, context, _line(quarantine, report))

    return step


def _spec(table: Table, step_table: Table) -> dg.AssetSpec:
    policy = table.maintenance
    return dg.AssetSpec(
        maintenance_key(table),
        deps=[key_of(table)],
        group_name=GROUP,
        description=f"Keeps {table.folder} readable fast and within its retention.",
        kinds={"deltalake", "python"},
        owners=[step_table.owner],
        metadata={
            "z_order_by": ", ".join(table.layout.z_order_by) or "-",
            "acts_at_small_files": policy.small_files,
            "acts_at_small_share": policy.small_share,
            "acts_at_expired_files": policy.expired_files,
            "acts_at_commits": policy.commits,
            "retention": str(policy.retention),
            "log_retention": str(policy.log_retention),
        },
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=Freshness.WEEKLY.fail, warn_window=Freshness.WEEKLY.warn
        ),
    )


def _metadata(report: MaintenanceReport) -> dict[str, str | int | float]:
    before, after = report.before, report.after
    return {
        "did": "; ".join(f"{d.action.operation.value}: {d.action.reason}" for d in report.done) or "nothing",
        "skipped_because": report.skipped or "-",
        "files_before": before.files,
        "files_after": after.files,
        "bytes_before": before.size,
        "bytes_after": after.size,
        "expired_files_before": before.expired_files,
        "expired_files_after": after.expired_files,
        "commits_since_checkpoint_before": before.commits,
        "commits_since_checkpoint_after": after.commits,
        "delta_version": after.version,
        "seconds": round(report.seconds, 2),
    }


def _line(table: Table, report: MaintenanceReport) -> str:
    """A progress line."""
    if report.skipped:
        return f"{GROUP} of {table.layer}/{table.name}: {report.skipped}"
    did = ", ".join(d.action.operation.value for d in report.done)
    files = f"{report.before.files} -> {report.after.files} files"
    return f"{GROUP} of {table.layer}/{table.name}: {did}; {files}, {report.seconds:.1f} s"
