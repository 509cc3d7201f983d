"""Measured response times of the platform's own layout and of others, without numbers of rows: for every reader.

It is the part of `reports/layout_benchmark` that tells nothing of a real lake but times.
"""

from chu_platform.layouts.results import COLUMNS
from chu_platform.reports.layout_benchmark import layout_benchmark
from chu_platform.tables.policies import REPORTS
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

PUBLISHED = (
    "machine", "scale", "engine", "layout", "query", "state", "runs", "median_ms", "low_ms", "high_ms", "max_ms",
    "others", "engine_version", "code", "measured_at",
)  # fmt: skip

response_time = Table(
    name="response_time",
    layer=Layer.REPORTS,
    zone=Zone.PUBLISHED,
    grain="une requête mesurée sur une disposition des tables, un moteur, une machine et une échelle, à froid ou à chaud",
    label="Temps de réponse publiés",
    owner="team:platform",
    access=REPORTS,
    columns=[column for column in COLUMNS if column.name in PUBLISHED],
    reads={"measured": layout_benchmark},
    rows=Query(sql=f"SELECT {', '.join(PUBLISHED)} FROM {{measured}}"),
)
