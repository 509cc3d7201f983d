"""The Dagster step that loads the marts for BI tools: one asset, downstream of the release and of the exact tables."""

from collections.abc import Iterator
from typing import Final

import dagster as dg

from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import RUN_RESOURCES
from chu_platform.graph.failure_notice import failure_notice
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step_reporting import as_dagster_failures, log_line
from chu_platform.marts.content import every_mart_table
from chu_platform.marts.server import OFF

KEY: Final = dg.AssetKey(["serving", "marts"])
SKIPPED: Final = f"serving/marts: skipped, {OFF}"
CHECK: Final = dg.AssetCheckSpec(
    "same_cells_as_the_lake",
    asset=KEY,
    description="Every cell of the marts is that of the lake. Readers see a load only if it is so.",
)


def mart_asset() -> dg.AssetsDefinition:
    """The step. If the marts are off it makes nothing, and says so."""

    @dg.multi_asset(
        name="serving__marts",
        specs=[
            dg.AssetSpec(
                KEY,
                deps=list(dict.fromkeys(key_of(t.table) for t in every_mart_table())),
                group_name="serving",
                description="The edition that readers see, and the exact tables of secured profiles, in PostgreSQL for "
                f"the BI tools of the group. If {OFF}, it is skipped.",
                kinds={"postgres", "python"},
                owners=["team:platform"],
                skippable=True,
            )
        ],
        check_specs=[CHECK],
        can_subset=True,
        required_resource_keys={RUN_RESOURCES},
        hooks={failure_notice},
        pool="serving__marts",
    )
    def step(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        resources: RunResources = context.resources.platform
        if not resources.settings.marts:
            log_line(resources, context, SKIPPED, SKIPPED)
            return
        # The driver imports pandas if it is installed, which takes half a second.
        from chu_platform.marts.load import OtherCells, load_marts

        with as_dagster_failures(resources, context):
            try:
                loaded = load_marts(resources.settings, resources.lake, resources.log_progress, resources.force)
            except OtherCells:
                yield dg.AssetCheckResult(passed=False, check_name=CHECK.name, asset_key=KEY)
                raise
        edition = f"edition {loaded.edition.number} of {loaded.edition.date}"
        line = f"serving/marts: {edition}, {loaded.seconds:.1f} s"
        if not loaded.tables:
            line = f"serving/marts: {edition} is loaded already"
        log_line(resources, context, line, line)
        compared = {"cells_compared": sum(t.cells for t in loaded.tables if t.name.startswith("publie."))}
        yield dg.AssetCheckResult(passed=True, check_name=CHECK.name, asset_key=KEY, metadata=compared)
        yield dg.MaterializeResult(
            asset_key=KEY,
            metadata={
                "edition": loaded.edition.number,
                "edition_date": loaded.edition.date,
                "tables_loaded": len(loaded.tables),
                "logins": len(loaded.logins),
                "seconds": round(loaded.seconds, 2),
            },
        )

    return step
