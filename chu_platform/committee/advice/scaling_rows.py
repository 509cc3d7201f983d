"""The recorded measurements of scalability and elasticity: those of the machine and scale that were measured last."""

from collections.abc import Mapping, Sequence
from typing import Final

from chu_platform import french
from chu_platform.building_blocks.measurement_file import Row
from chu_platform.committee.inputs import Inputs
from chu_platform.reports.scaling_benchmark import scaling_benchmark
from chu_platform.scaling.results import COLUMNS, PROGRAM

COMMAND: Final = "chu benchmark elasticity"


def scaling_rows(inputs: Inputs) -> Sequence[Row]:
    """The rows of `reports/scaling_benchmark` of one machine and scale; none if the lake has none."""
    if inputs.lake.open(scaling_benchmark) is None:
        return []
    names = [column.name for column in COLUMNS]
    found = inputs.query(f"SELECT {', '.join(names)} FROM reports.scaling_benchmark ORDER BY measured_at")
    rows = [dict(zip(names, row, strict=True)) for row in found]
    return [r for r in rows if all(r[name] == rows[-1][name] for name in ("machine", "scale"))]


def whole(rows: Sequence[Row]) -> Mapping[str, Row]:
    """The row of the whole program, by cluster."""
    return {row["cluster"]: row for row in rows if row["query"] == PROGRAM}


def stated(rows: Sequence[Row]) -> str:
    """Machine, version, load and dates of measurements, in words."""
    loads = sorted(float(row["others"]) for row in rows if row["others"] is not None)
    load = (
        f"D’autres processus ont pris de {french.percent(loads[0], 0)} à {french.percent(loads[-1], 0)} de la machine pendant les mesures."
        if loads
        else "La charge des autres processus n’est pas connue."
    )
    codes = french.listed(sorted({f"`{row['code']}`" for row in rows}))
    return (
        f"Machine : {rows[0]['machine']}. Spark {rows[0]['engine_version']}. Échelle "
        f"{french.measured(rows[0]['scale'])} (1 : 25 millions de décès). Mesuré le {str(rows[-1]['measured_at'])[:10]}, code {codes}. {load}"
    )
