"""Measured scalability and elasticity: a program of queries on Spark clusters of one, two, and up to two workers.

The rows come with the platform. Those that `chu benchmark elasticity` measures here are added, or replace older ones of
the same machine. They hold times and executors, no number of rows, so the table is published.
"""

import pyarrow as pa

from chu_platform.building_blocks.packaged_references import packaged_column
from chu_platform.scaling.results import CLUSTERS, COLUMNS, MEASUREMENTS, PROGRAM, results_file
from chu_platform.settings import Settings
from chu_platform.tables.checks import holds, one_of
from chu_platform.tables.rows import EVERY_ROW, Computed, ExternalSource
from chu_platform.tables.table import Layer, Table, Zone

MEASURED = "mesures de « chu benchmark elasticity »"


def measurements(settings: Settings, before: pa.Table) -> pa.Table:
    """The packaged measurements, those of the table, and those of this installation: the newest of each key."""
    rows = MEASUREMENTS.newest(MEASUREMENTS.packaged(), before.to_pylist(), MEASUREMENTS.read(results_file(settings)))
    return pa.Table.from_pylist(list(rows), MEASUREMENTS.schema)


scaling_benchmark = Table(
    name="scaling_benchmark",
    layer=Layer.REPORTS,
    zone=Zone.PUBLISHED,
    grain="une requête, ou le programme entier, mesuré sur une grappe, une machine et une échelle",
    label="Scalabilité et élasticité mesurées",
    owner="team:platform",
    columns=COLUMNS,
    rows=Computed(
        measurements,
        given=("settings", "before"),
        from_columns={
            EVERY_ROW: [packaged_column(MEASUREMENTS.name, "machine"), ExternalSource(MEASURED, "machine")],
            **{c.name: [packaged_column(MEASUREMENTS.name, c.name), ExternalSource(MEASURED, c.name)] for c in COLUMNS},
        },
    ),
    checks=[
        one_of("cluster", list(CLUSTERS)),
        holds("rows_are_equal", "equal_rows", "les lignes trouvées sont celles de DuckDB"),
        holds(
            "the_program_has_its_executors",
            f"(query = '{PROGRAM}') = (executors IS NOT NULL AND executor_seconds IS NOT NULL)",
            "le programme entier, et lui seul, a ses exécuteurs",
        ),
        holds(
            "a_median_is_within_its_limits",
            "coalesce(low_ms, median_ms) <= median_ms AND median_ms <= coalesce(high_ms, median_ms) AND median_ms <= max_ms",
            "la médiane est entre ses bornes et ne dépasse pas le maximum",
        ),
    ],
)
