"""Dates.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.references.calendar import calendar
from chu_platform.tables.columns import BOOLEAN, DATE, INTEGER, STRING, Column
from chu_platform.tables.table import Layer, Layout, Query, Table, Zone

dim_date = Table(
    name="dim_date",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="one day",
    label="Dates",
    owner="team:dimensions",
    columns=[
        Column("date", DATE, "the day", "Date", key=True),
        Column("year", INTEGER, "year", "Année", nullable=False),
        Column("quarter", INTEGER, "quarter of the year", "Trimestre", nullable=False),
        Column("month", STRING, "month, YYYY-MM", "Mois", nullable=False),
        Column("iso_week", INTEGER, "ISO 8601 week", "Semaine ISO", nullable=False),
        Column("iso_weekday", INTEGER, "1 Monday to 7 Sunday", "Jour de la semaine", nullable=False),
        Column("is_weekend", BOOLEAN, "Saturday or Sunday", "Week-end", nullable=False),
    ],
    reads={"calendar": calendar},
    rows=Query(
        """
        SELECT date, year, quarter, month, iso_week, iso_weekday, iso_weekday >= 6 AS is_weekend FROM {calendar}
        """
    ),
    layout=Layout(z_order_by=["date"]),
)
