"""The Dagster step that releases an edition: it makes all tables of the editions, and the published tables."""

from collections.abc import Iterator

import dagster as dg

from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import (
    EDITIONS_POOL,
    RUN_RESOURCES,
    materialize_result,
    spec_of,
    step_line,
)
from chu_platform.graph.check_events import check_events, check_specs
from chu_platform.graph.checks_alone import run_selected
from chu_platform.graph.dagster_instance import MAIN_JOB
from chu_platform.graph.failure_notice import failure_notice
from chu_platform.graph.release import edition_tables, release, require_up_to_date
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import BlockingCheckFailed
from chu_platform.graph.step_reporting import as_dagster_failures, log_line


def release_asset() -> dg.AssetsDefinition:
    """One step for all tables of the editions, because readers see all or none of them.

    In the main job it makes the first edition only.
    """
    tables = edition_tables()

    @dg.multi_asset(
        name=EDITIONS_POOL,
        specs=[spec_of(t, t) for t in tables],
        check_specs=[spec for t in tables for spec in check_specs(t)],
        can_subset=True,
        required_resource_keys={RUN_RESOURCES},
        hooks={failure_notice},
        pool=EDITIONS_POOL,
    )
    def step(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        resources: RunResources = context.resources.platform
        checks = {*context.selected_asset_check_keys}
        if not context.selected_asset_keys:
            with as_dagster_failures(resources, context):
                yield from run_selected(resources, tables, checks)
            return
        run = context.run
        only_first = run.job_name.startswith(MAIN_JOB)
        with as_dagster_failures(resources, context):
            try:
                if not only_first:
                    require_up_to_date(resources)
                released = release(resources, run.run_id, only_first)
            except BlockingCheckFailed as failure:
                yield from check_events(failure.check_results, checks)
                raise
        edition = released.edition
        news = "new" if released.is_new else "nothing has changed since"
        line = f"edition {edition.number} of {edition.date}: {news}"
        log_line(resources, context, line, line)
        for table, result in released.results.items():
            if key_of(table) not in context.selected_asset_keys:
                continue
            with resources.lineage_events.step(table, run.run_id, run.job_name, context.retry_number) as done:
                done(result)
            log_line(resources, context, step_line(table, result), step_line(table, result, in_dagster=True))
            yield from check_events(result.check_results, checks)
            yield materialize_result(resources, table, result)

    return step
