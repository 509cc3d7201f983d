"""The recorded measurements that the report shows: those of the machine that measured last."""

from collections.abc import Iterable, Sequence

from chu_platform import french
from chu_platform.building_blocks.measurement_file import Row
from chu_platform.committee.inputs import Inputs
from chu_platform.layouts.engines import ENGINES
from chu_platform.layouts.results import COLUMNS, MEASUREMENTS
from chu_platform.reports.response_time import COMPARED, response_time

COMMAND = "chu benchmark layouts"
NO_ROWS = (
    "Aucune mesure n’est dans le lac : la table `reports/layout_benchmark` est vide. `chu benchmark layouts` mesure, puis "
    "`chu materialize --select key:reports/layout_benchmark` l’enregistre."
)


def benchmark_rows(inputs: Inputs) -> Sequence[Row]:
    """The rows of `reports/layout_benchmark` of one machine, with their comparisons; none if the lake has none."""
    if inputs.lake.open(response_time) is None:
        return []
    names = [c.name for c in (*COLUMNS, *COMPARED)]
    found = inputs.query(
        f"SELECT {', '.join(names)} FROM reports.layout_benchmark "
        f"JOIN (SELECT {', '.join([*MEASUREMENTS.key, *(c.name for c in COMPARED)])} FROM reports.response_time) "
        f"USING ({', '.join(MEASUREMENTS.key)}) WHERE {of_newest('reports.layout_benchmark')}"
    )
    return [dict(zip(names, row, strict=True)) for row in found]


def of_newest(table: str) -> str:
    """SQL for the rows of the machine that measured last: times of two machines are not compared."""
    return f"machine = (SELECT arg_max(machine, measured_at) FROM {table})"


def in_order(column: str, names: Iterable[str]) -> str:
    """SQL that orders rows as these names."""
    listed = ", ".join(f"'{name}'" for name in names)
    return f"list_position([{listed}], {column})"


def command_of(scale: float) -> str:
    """The command that measures at a scale."""
    return f"{COMMAND} --scale {scale:g}"


def stated(rows: Sequence[Row]) -> str:
    """Machine, versions and dates of measurements, in words."""
    days = sorted(str(row["measured_at"])[:10] for row in rows)
    versions = {row["engine"]: row["engine_version"] for row in rows}
    listed = french.listed([f"{name} {versions[name]}" for name in ENGINES if name in versions])
    when = f"le {days[0]}" if days[0] == days[-1] else f"du {days[0]} au {days[-1]}"
    codes = french.listed(sorted({f"`{row['code']}`" for row in rows}))
    return f"Machine : {rows[0]['machine']}. Versions : {listed}. Mesuré {when}, code {codes}."
