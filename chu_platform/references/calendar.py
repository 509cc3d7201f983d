"""The calendar, 1900 to 2099."""

from datetime import date, timedelta

import pyarrow as pa

from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.rows import Computed, ExternalSource
from chu_platform.tables.table import Layer, Layout, Table, Zone

FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)


def _rows() -> pa.Table:
    days = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
    return pa.table(
        {
            "date": days,
            "year": pa.array([d.year for d in days], pa.int32()),
            "quarter": pa.array([(d.month + 2) // 3 for d in days], pa.int32()),
            "month": [f"{d:%Y-%m}" for d in days],
            "iso_week": pa.array([d.isocalendar().week for d in days], pa.int32()),
            "iso_weekday": pa.array([d.isoweekday() for d in days], pa.int32()),
        }
    )


COLUMNS = [
    Column("date", DATE, "le jour", "Date", key=True),
    Column("year", INTEGER, "année du jour", "Année", nullable=False),
    Column("quarter", INTEGER, "trimestre de l’année, de 1 à 4", "Trimestre", nullable=False),
    Column("month", STRING, "mois, AAAA-MM", "Mois", nullable=False),
    Column("iso_week", INTEGER, "semaine ISO 8601", "Semaine ISO", nullable=False),
    Column("iso_weekday", INTEGER, "de 1 (lundi) à 7 (dimanche)", "Jour de la semaine", nullable=False),
]
calendar = Table(
    name="calendar",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="un jour",
    label="Calendrier",
    owner="team:references",
    columns=COLUMNS,
    rows=Computed(_rows, from_columns={c.name: [ExternalSource("calendrier grégorien")] for c in COLUMNS}),
    layout=Layout(z_order_by=["date"]),
)
