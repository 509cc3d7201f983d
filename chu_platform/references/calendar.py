"""The calendar: every day of the years with consultations, stays or deaths.

Its years are those of the delivered events, which the sources have checked: a date that is not possible is a reject, so
that it does not add years.
"""

from chu_platform.sources.consultation import consultation
from chu_platform.sources.deces import deces
from chu_platform.sources.deces_insee_csv import deces_insee_csv
from chu_platform.sources.deces_insee_fixe import deces_insee_fixe
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

calendar = Table(
    name="calendar",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="un jour",
    label="Calendrier",
    owner="team:references",
    access=REFERENCES,
    columns=[
        Column("date", DATE, "le jour, de la première année d’un événement à la dernière", "Date", key=True),
        Column("year", INTEGER, "année du jour", "Année", nullable=False),
        Column("quarter", INTEGER, "trimestre de l’année, de 1 à 4", "Trimestre", nullable=False),
        Column("month", STRING, "mois, AAAA-MM", "Mois", nullable=False),
        Column("iso_week", INTEGER, "semaine ISO 8601", "Semaine ISO", nullable=False),
        Column("iso_weekday", INTEGER, "de 1 (lundi) à 7 (dimanche)", "Jour de la semaine", nullable=False),
    ],
    reads={
        "consultation": consultation,
        "stay": hospitalisations,
        "deces": deces,
        "insee_fixed": deces_insee_fixe,
        "insee_csv": deces_insee_csv,
    },
    rows=Query(
        """
        WITH span AS (
            SELECT min(year) AS first, max(year) AS last FROM (
                SELECT substr(min(month), 1, 4) AS year FROM {consultation}
                UNION ALL SELECT substr(max(month), 1, 4) FROM {consultation}
                UNION ALL SELECT substr(min(month), 1, 4) FROM {stay}
                UNION ALL SELECT substr(max(month), 1, 4) FROM {stay}
                UNION ALL SELECT min(death_year) FROM {deces}
                UNION ALL SELECT max(death_year) FROM {deces}
                UNION ALL SELECT min(death_year) FROM {insee_fixed}
                UNION ALL SELECT max(death_year) FROM {insee_fixed}
                UNION ALL SELECT min(death_year) FROM {insee_csv}
                UNION ALL SELECT max(death_year) FROM {insee_csv}
            )
        ),
        day AS (
            SELECT explode(sequence(make_date(CAST(first AS INT), 1, 1), make_date(CAST(last AS INT), 12, 31), interval 1 day))
                AS date
            FROM span WHERE first IS NOT NULL
        )
        SELECT date, year(date) AS year, quarter(date) AS quarter, substr(CAST(date AS STRING), 1, 7) AS month,
               -- 1900 began on a Monday. (Sail 0.7 gives Sundays another number in weekday() than Spark.)
               weekofyear(date) AS iso_week, pmod(datediff(date, DATE '1900-01-01'), 7) + 1 AS iso_weekday
        FROM day
        """,
    ),
    layout=Layout(z_order_by=["date"]),
)
