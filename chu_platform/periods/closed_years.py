"""The closed years of each domain as one period: the period `all` of an edition."""

from chu_platform.periods.dim_period import dim_period
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

# SQL: the closed periods of the calendar, with the columns of dim_period. A period is closed when the data reach beyond
# its end. `all` is never closed.
CLOSED_PERIODS = """
            SELECT c.* FROM {period} c
            JOIN (SELECT domain, covered_end FROM {period} WHERE period_grain = 'all') d ON d.domain = c.domain
            WHERE c.period_grain <> 'all' AND c.period_end < d.covered_end"""

closed_years = Table(
    name="closed_years",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="une nature d’événements dont une année au moins est close",
    label="Années closes",
    owner="team:dimensions",
    access=REFERENCES,
    columns=dim_period.columns,
    reads={"period": dim_period},
    rows=Query(
        f"""
        SELECT y.domain, 'all' AS period_grain, a.period_start, max(y.period_end) AS period_end, false AS is_partial,
               a.covered_start, max(y.period_end) AS covered_end,
               datediff(max(y.period_end), a.covered_start) AS covered_days
        FROM ({CLOSED_PERIODS}
        ) y JOIN {{period}} a ON a.domain = y.domain AND a.period_grain = 'all'
        WHERE y.period_grain = 'year'
        GROUP BY y.domain, a.period_start, a.covered_start
        """
    ),
)
