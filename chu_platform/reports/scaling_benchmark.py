"""Measured scalability and elasticity: a program of queries on Spark clusters of one, two, and up to two workers.

The rows come with the platform. Those that `chu benchmark elasticity` measures here are added, or replace older ones of
the same machine. They hold times and executors, no number of rows, so the table is published.
"""

import pyarrow as pa

from chu_platform.building_blocks.measurement_file import MEDIAN_WITHIN_LIMITS
from chu_platform.scaling.results import CLUSTERS, COLUMNS, MEASUREMENTS, PROGRAM, results_file
from chu_platform.settings import Settings
from chu_platform.tables.checks import holds, one_of
from chu_platform.tables.policies import REPORTS
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone

MEASURED = "mesures de « chu benchmark elasticity »"


def measurements(settings: Settings, before: pa.Table) -> pa.Table:
    """The packaged measurements, those of the table, and those of this installation: the newest of each key."""
    return MEASUREMENTS.merged(before, results_file(settings))


scaling_benchmark = Table(
    name="scaling_benchmark",
    layer=Layer.REPORTS,
    zone=Zone.PUBLISHED,
    grain="une requête, ou le programme entier, mesuré sur une grappe, une machine et une échelle",
    label="Scalabilité et élasticité mesurées",
    owner="team:platform",
    access=REPORTS,
    columns=COLUMNS,
    rows=Computed(
        measurements,
        given=("settings", "before"),
        from_columns=MEASUREMENTS.origins(MEASURED),
    ),
    checks=[
        one_of("cluster", list(CLUSTERS)),
        holds("rows_are_equal", "equal_rows", "les lignes trouvées sont celles de DuckDB"),
        holds(
            "the_program_has_its_executors",
            f"(query = '{PROGRAM}') = (executors IS NOT NULL AND executor_seconds IS NOT NULL)",
            "le programme entier, et lui seul, a ses exécuteurs",
        ),
        MEDIAN_WITHIN_LIMITS,
    ],
)
