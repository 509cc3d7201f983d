"""Declarations as Dagster assets: everything the UI shows of a table is derived from its declaration here.

Here: asset, checks and metadata of a table. Not here: making its rows (step), running many (runs).
"""

from collections.abc import Iterator

import dagster as dg

from chu_platform.errors import ChuError, keep_trace
from chu_platform.graph.platform import Platform
from chu_platform.graph.step import Outcome, RuleBroken, make
from chu_platform.lake.audit import Verdict
from chu_platform.sources.delivered import Delivered, rejects_of
from chu_platform.tables.columns import sql_type
from chu_platform.tables.slices import Slices
from chu_platform.tables.table import Query, Table

PLATFORM = "platform"


def key_of(table: Table) -> dg.AssetKey:
    """The asset key: layer and table."""
    return dg.AssetKey([table.layer.value, table.name])


def asset_of(table: Table) -> dg.AssetsDefinition:
    """The asset of a table; a delivered table brings the asset of its rejects."""
    tables = [table, rejects_of(table)] if isinstance(table.rows, Delivered) else [table]
    key = key_of(table)

    @dg.multi_asset(
        name=f"{table.layer.value}__{table.name}",
        specs=[_spec(t, table) for t in tables],
        check_specs=[
            dg.AssetCheckSpec(r.name, asset=key, description=r.description, blocking=True) for r in table.all_rules
        ],
        backfill_policy=dg.BackfillPolicy.single_run() if table.slicing else None,
        required_resource_keys={PLATFORM},
        pool=f"{table.layer}__{table.name}",
    )
    def step(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        platform: Platform = context.resources.platform
        slices = _slices(table, context)
        try:
            outcome = make(platform, table, slices, context.run_id)
        except RuleBroken as broken:
            yield from (_check_result(key, v) for v in broken.verdicts)
            raise dg.Failure(str(broken), allow_retries=False) from None
        except ChuError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        except Exception as error:
            # Dagster keeps messages of exceptions, and libraries quote values of rows in theirs.
            log = keep_trace(error, platform.settings.logs_folder)
            raise dg.Failure(f"unexpected {type(error).__name__}; where it happened is in {log}") from None
        platform.say(_line(table, outcome))
        if not platform.says_to_dagster:
            context.log.info(_line(table, outcome))
        if slices:
            for partition in slices.keys:
                rows = outcome.published.rows_by_slice.get(partition, 0)
                context.add_asset_metadata(
                    {"dagster/partition_row_count": rows}, asset_key=key, partition_key=partition
                )
        yield from (_check_result(key, v) for v in outcome.verdicts)
        yield dg.MaterializeResult(asset_key=key, metadata=_metadata(platform, table, outcome))
        if outcome.rejects:
            rejected = {"dagster/row_count": outcome.rejects.rows, "delta_version": outcome.rejects.version}
            yield dg.MaterializeResult(asset_key=key_of(tables[1]), metadata=rejected)

    return step


def _slices(table: Table, context: dg.AssetExecutionContext) -> Slices | None:
    if table.slicing is None:
        return None
    keys = context.partition_keys
    return table.slicing.between(keys[0], keys[-1])


def _spec(table: Table, made_with: Table) -> dg.AssetSpec:
    rows = made_with.rows
    kinds = {"deltalake", "python" if not isinstance(rows, Query) else "sparksql"}
    columns = [
        dg.TableColumn(
            c.name,
            sql_type(c.type),
            description=f"{c.label}. {c.description}",
            tags={"identifying": "true"} if c.identifying else {},
            constraints=dg.TableColumnConstraints(nullable=not c.required),
        )
        for c in table.columns
    ]
    metadata: dict[str, object] = {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "zone": table.zone.value,
        "folder": table.folder,
        "grain": table.grain,
        "label": table.label,
        "partition_by": ", ".join(table.partition_by) or "-",
    }
    if isinstance(rows, Query):
        metadata["query"] = dg.MetadataValue.md(f"```sql\n{rows.sql}\n```")
    return dg.AssetSpec(
        key_of(table),
        # A delivery is read whole whatever slices are wanted, so its rejects are always all of them.
        partitions_def=table.slicing.partitions if table.slicing else None,
        deps=[key_of(t) for t in table.needs],
        group_name=table.layer.value,
        description=f"{table.label}. One row: {table.grain}.",
        kinds=kinds,
        owners=[table.owner],
        tags={"zone": table.zone.value},
        code_version=table.code_version,
        metadata=metadata,
    )


def _metadata(platform: Platform, table: Table, outcome: Outcome) -> dict[str, str | int | float]:
    said: dict[str, str | int | float] = {
        "dagster/row_count": outcome.published.rows,
        "bytes": outcome.published.size,
        "delta_version": outcome.published.version,
        "seconds": round(outcome.seconds, 2),
        "dagster/uri": str(platform.lake.path(table)),
    }
    if outcome.reading:
        said["rows_in"] = outcome.reading.rows_in
        said["rows_kept"] = outcome.reading.kept
        said["rows_rejected"] = len(outcome.reading.rejects)
        said["files"] = ", ".join(o.name for o in outcome.reading.origins)
    return said


def _check_result(key: dg.AssetKey, verdict: Verdict) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=verdict.passed,
        asset_key=key,
        check_name=verdict.rule.name,
        metadata={"rows_breaking_it": verdict.broken},
    )


def _line(table: Table, outcome: Outcome) -> str:
    """One line of progress, without any value of a row."""
    counts = f"{outcome.published.rows:,} rows"
    if outcome.reading:
        r = outcome.reading
        counts = f"{r.rows_in:,} rows in = {r.kept:,} kept + {len(r.rejects):,} rejected"
    return f"{table.layer}/{table.name}: {counts.replace(',', ' ')}, {outcome.seconds:.1f} s"
