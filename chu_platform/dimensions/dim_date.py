"""Dates from the calendar, with a weekend flag."""

from chu_platform.references.calendar import calendar
from chu_platform.tables.columns import BOOLEAN, DATE, INTEGER, STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

dim_date = Table(
    name="dim_date",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un jour",
    label="Dates",
    owner="team:dimensions",
    access=REFERENCES,
    columns=[
        Column("date", DATE, "le jour", "Date", key=True),
        Column("year", INTEGER, "année du jour", "Année", nullable=False),
        Column("quarter", INTEGER, "trimestre de l’année", "Trimestre", nullable=False),
        Column("month", STRING, "mois, AAAA-MM", "Mois", nullable=False),
        Column("iso_week", INTEGER, "semaine ISO 8601", "Semaine ISO", nullable=False),
        Column("iso_weekday", INTEGER, "de 1 (lundi) à 7 (dimanche)", "Jour de la semaine", nullable=False),
        Column("is_weekend", BOOLEAN, "vrai le samedi et le dimanche", "Week-end", nullable=False),
    ],
    reads={"calendar": calendar},
    rows=Query(
        """
        SELECT date, year, quarter, month, iso_week, iso_weekday, iso_weekday >= 6 AS is_weekend FROM {calendar}
        """
    ),
    layout=Layout(z_order_by=["date"]),
)
