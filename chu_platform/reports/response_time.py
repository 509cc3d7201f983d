"""Measured response times of the platform's own layout and of others, without numbers of rows: for every reader.

It is the part of `reports/layout_benchmark` that tells nothing of a real lake but times, and what these times allow to
say. Two times differ only if the intervals of their medians do not touch, the medians differ by a fifth at least, and
the CPU time, which depends little on other work on the machine, differs in the same direction.
"""

from typing import Final

from chu_platform.layouts.analysis import MATTERS, Verdict
from chu_platform.layouts.declarations import PLATFORM
from chu_platform.layouts.results import COLUMNS
from chu_platform.reports.layout_benchmark import layout_benchmark
from chu_platform.tables.checks import one_of
from chu_platform.tables.columns import DOUBLE, STRING, Column
from chu_platform.tables.policies import REPORTS
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

PUBLISHED = (
    "machine", "scale", "engine", "layout", "query", "state", "runs", "median_ms", "low_ms", "high_ms", "max_ms",
    "others", "engine_version", "code", "measured_at",
)  # fmt: skip

COMPARED: Final = (
    Column(
        "ratio",
        DOUBLE,
        "médiane divisée par celle de la disposition de la plateforme, même machine, échelle, moteur, requête et état",
        "Rapport des médianes",
    ),
    Column("cpu_ratio", DOUBLE, "temps de processeur divisé par celui de la plateforme", "Rapport des processeurs"),
    Column(
        "verdict",
        STRING,
        f"faster ou slower que la plateforme si les intervalles ne se touchent pas, si les médianes diffèrent d’un rapport de {MATTERS:g} au moins, et si le temps de processeur ne dit pas le contraire ; sinon alike ; vide sans intervalle",
        "Comparaison",
    ),
)


def _faster(row: str, other: str) -> str:
    """SQL that is true where a row is faster than another one."""
    return (
        f"{row}.high_ms < {other}.low_ms AND {other}.median_ms >= {MATTERS} * {row}.median_ms "
        f"AND ({row}.cpu_ms IS NULL OR {other}.cpu_ms IS NULL OR {row}.cpu_ms < {other}.cpu_ms)"
    )


response_time = Table(
    name="response_time",
    layer=Layer.REPORTS,
    zone=Zone.PUBLISHED,
    grain="une requête mesurée sur une disposition des tables, un moteur, une machine et une échelle, à froid ou à chaud",
    label="Temps de réponse publiés",
    owner="team:platform",
    access=REPORTS,
    columns=[*(column for column in COLUMNS if column.name in PUBLISHED), *COMPARED],
    reads={"measured": layout_benchmark},
    rows=Query(
        sql=f"""
        SELECT {", ".join(f"one.{name}" for name in PUBLISHED)},
            one.median_ms / base.median_ms AS ratio,
            CASE WHEN one.cpu_ms > 0 AND base.cpu_ms > 0 THEN one.cpu_ms / base.cpu_ms END AS cpu_ratio,
            CASE
                WHEN one.low_ms IS NULL OR base.low_ms IS NULL THEN NULL
                WHEN {_faster("one", "base")} THEN '{Verdict.FASTER}'
                WHEN {_faster("base", "one")} THEN '{Verdict.SLOWER}'
                ELSE '{Verdict.ALIKE}'
            END AS verdict
        FROM {{measured}} AS one
        LEFT JOIN {{measured}} AS base
            ON one.layout <> '{PLATFORM}' AND base.layout = '{PLATFORM}' AND one.machine = base.machine
            AND one.scale = base.scale AND one.engine = base.engine AND one.query = base.query
            AND one.state = base.state"""
    ),
    checks=[one_of("verdict", list(Verdict))],
)
