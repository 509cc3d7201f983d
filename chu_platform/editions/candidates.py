"""Candidates: the rows of an indicator that could be published now, exact and not masked, of closed periods only.

`all` is the period of the closed years (`closed_years`), so that it is the sum of the published years. It moves once a
year for that reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from chu_platform.periods.closed_years import CLOSED_PERIODS, closed_years
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_hospitalised_patient import fact_hospitalised_patient
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.periods.hospitalised_patient_of_closed_years import hospitalised_patient_of_closed_years
from chu_platform.periods.patient_base_of_closed_years import patient_base_of_closed_years
from chu_platform.tables.period_sql import ClosedYears
from chu_platform.tables.policies import BEFORE_RELEASE
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

# Tables by period whose form for the closed years is declared in a module of its own.
DECLARED: Final[Mapping[Table, Table]] = {
    dim_period: closed_years,
    fact_patient_base: patient_base_of_closed_years,
    fact_hospitalised_patient: hospitalised_patient_of_closed_years,
}


@cache
def of_closed_years(table: Table, domain: str) -> Table:
    """The table with the period `all` of an edition instead of its own periods; itself if it has no periods."""
    if table in DECLARED:
        return DECLARED[table]
    if not table.rows.depends_on_periods:
        return table
    rows = table.rows.in_periods(ClosedYears(domain))
    return replace(
        table,
        name=f"{table.name}_of_closed_years",
        layer=Layer.CANDIDATES,
        zone=Zone.PSEUDONYMISED,
        label=f"{table.label} : années closes",
        reads={**{name: of_closed_years(read, domain) for name, read in table.reads.items()}, "closed": closed_years},
        rows=replace(rows, over_periods=None),
        checks=(),
        layout=Layout(),
        derives_from=(),
        period_scheme=None,
        access=BEFORE_RELEASE,
    )


def candidates_before(table: Table) -> Sequence[Table]:
    """The tables of the layer `candidates` from which a table is made, inputs first."""
    read = [t for t in table.reads.values() if t.layer is Layer.CANDIDATES]
    return list(dict.fromkeys(found for t in read for found in (*candidates_before(t), t)))


@cache
def candidate_of(table: Table, domain: str, name: str) -> Table:
    """The candidate of this name: the rows of `table` in closed months, quarters and years, and of the closed years."""
    columns = ", ".join(c.name for c in table.columns)
    return Table(
        name=name,
        layer=Layer.CANDIDATES,
        zone=Zone.PSEUDONYMISED,
        grain=f"{table.grain} ; seulement les périodes closes",
        label=f"{table.label} (à publier)",
        owner="team:privacy",
        access=BEFORE_RELEASE,
        columns=table.columns,
        reads={"exact": table, "period": dim_period, "closed_years": of_closed_years(table, domain)},
        rows=Query(
            f"""
        SELECT {columns} FROM {{exact}} k LEFT SEMI JOIN ({CLOSED_PERIODS}
        ) p ON p.domain = '{domain}' AND p.period_grain = k.period_grain AND p.period_start = k.period_start
        UNION ALL
        SELECT {columns} FROM {{closed_years}}
        """
        ),
        layout=Layout(partition_by=["period_grain"]),
    )
