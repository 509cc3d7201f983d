"""Months, quarters and years covered by the data of each domain, and the whole span (`all`)."""

from chu_platform.building_blocks.period_columns import PERIOD_KEY
from chu_platform.sources.consultation import consultation
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.columns import BOOLEAN, DATE, INTEGER, STRING, Column
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone


def _periods(periods: Periods) -> str:
    return f"""
        WITH span AS (
            SELECT 'consultation' AS domain, min(Date) AS first, max(Date) AS last FROM {{consultation}}
            UNION ALL
            SELECT 'hospitalisation', min(Date_Entree), max(Date_Entree) FROM {{stay}}
        ),
        month AS (
            SELECT domain, first, last,
                   explode(sequence(trunc(first, 'month'), trunc(last, 'month'), interval 1 month)) AS start
            FROM span WHERE first IS NOT NULL
        ),
        judged AS (
            -- The last month is always partial: more of its events may still be delivered.
            SELECT *, (start = trunc(first, 'month') AND first > start) OR start = trunc(last, 'month') AS partial
            FROM month
        ),
        period AS ({periods.group_months("judged")}
        )
        SELECT domain, grain AS period_grain, start AS period_start, end AS period_end, partial AS is_partial,
               greatest(start, first) AS covered_start, least(end, date_add(last, 1)) AS covered_end,
               datediff(least(end, date_add(last, 1)), greatest(start, first)) AS covered_days
        FROM period
        """


dim_period = Table(
    name="dim_period",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="une période d’une nature d’événements",
    label="Périodes",
    owner="team:dimensions",
    access=REFERENCES,
    columns=[
        Column("domain", STRING, "nature des événements : consultation ou hospitalisation", "Domaine", key=True),
        *PERIOD_KEY,
        Column("period_end", DATE, "premier jour après la période", "Fin (exclue)", nullable=False),
        Column(
            "is_partial",
            BOOLEAN,
            "vrai si la période contient le premier mois, quand les données y commencent en cours de mois, ou le dernier",
            "Période incomplète",
            nullable=False,
        ),
        Column(
            "covered_start",
            DATE,
            "premier jour de la période que couvrent les données",
            "Début couvert",
            nullable=False,
        ),
        Column("covered_end", DATE, "premier jour après ce que couvrent les données", "Fin couverte", nullable=False),
        Column(
            "covered_days",
            INTEGER,
            "nombre de jours de la période que couvrent les données",
            "Jours couverts",
            nullable=False,
        ),
    ],
    # The sources, whose rows are those of the facts: facts read dimensions, so no dimension reads a fact.
    reads={"consultation": consultation, "stay": hospitalisations},
    rows=Query.over(_periods),
)
