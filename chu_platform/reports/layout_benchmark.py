"""Measured response times of the evidence queries: each layout of the large tables, on each engine.

The rows come with the platform. Those that `chu benchmark layouts` measures here are added, or replace older ones of
the same machine. Numbers of rows of a real lake are exact, so the table is in the pseudonymised zone.
"""

import pyarrow as pa

from chu_platform.building_blocks.measurement_file import MEDIAN_WITHIN_LIMITS
from chu_platform.layouts.results import COLD, COLUMNS, MEASUREMENTS, WARM, results_file
from chu_platform.settings import Settings
from chu_platform.tables.checks import holds, one_of
from chu_platform.tables.policies import EXACT_MEASURES
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone

MEASURED = "mesures de « chu benchmark layouts »"


def measurements(settings: Settings, before: pa.Table) -> pa.Table:
    """The packaged measurements, those of the table, and those of this installation: the newest of each key."""
    return MEASUREMENTS.merged(before, results_file(settings))


layout_benchmark = Table(
    name="layout_benchmark",
    layer=Layer.REPORTS,
    zone=Zone.PSEUDONYMISED,
    grain="une requête mesurée sur une disposition des tables, un moteur, une machine et une échelle, à froid ou à chaud",
    label="Temps de réponse par disposition",
    owner="team:platform",
    access=EXACT_MEASURES,
    columns=COLUMNS,
    rows=Computed(
        measurements,
        given=("settings", "before"),
        from_columns=MEASUREMENTS.origins(MEASURED),
    ),
    checks=[
        one_of("state", [COLD, WARM]),
        MEDIAN_WITHIN_LIMITS,
        holds("others_is_a_share", "others BETWEEN 0 AND 1", "la charge des autres est une part, de 0 à 1"),
    ],
)
