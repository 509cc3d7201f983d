"""The columns that identify a period, in the tables by month, quarter, year and `all`."""

from collections.abc import Sequence
from typing import Final

from chu_platform.tables.columns import DATE, STRING, Column

PERIOD_KEY: Final[Sequence[Column]] = (
    Column(
        "period_grain", STRING, "month, quarter, year ou all : mois, trimestre, année ou ensemble", "Période", key=True
    ),
    Column("period_start", DATE, "premier jour de la période", "Début (inclus)", key=True),
)
