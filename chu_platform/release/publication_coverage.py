"""The share of each indicator that is not masked."""

from chu_platform.indicators.indicator import indicators
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

FAMILIES = list(dict.fromkeys(i.release.family for i in indicators()))

publication_coverage = Table(
    name="publication_coverage",
    layer=Layer.PUBLISHED,
    zone=Zone.PUBLISHED,
    grain="un niveau d’un indicateur publié, pour une nature de période",
    label="Part visible des indicateurs publiés",
    owner="team:privacy",
    columns=[
        Column("indicator", STRING, "table de l’indicateur", "Indicateur", key=True),
        Column("grain", STRING, "nature de la période : month, quarter, year ou all", "Période", key=True),
        Column("level", STRING, "niveau de l’indicateur", "Niveau", key=True),
        Column("cells", LONG, "nombre de lignes", "Cellules", nullable=False),
        Column(
            "cells_masked", LONG, "nombre de lignes dont les chiffres sont masqués", "Cellules masquées", nullable=False
        ),
        Column(
            "visible_share",
            DOUBLE,
            "part des événements qui sont dans des lignes visibles, de 0 à 1, arrondie au millième",
            "Part visible des événements",
        ),
    ],
    reads={family.name: family.table for family in FAMILIES},
    rows=Query(
        f"""
        SELECT indicator, grain, level, count(*) AS cells, count(*) FILTER (WHERE is_masked) AS cells_masked,
               round(CASE WHEN sum(weight) > 0 THEN sum(CASE WHEN is_masked THEN 0D ELSE weight END) / sum(weight) END, 3) AS visible_share
        FROM (
            {" UNION ALL ".join(f"SELECT indicator, grain, level, weight, is_masked FROM {{{f.name}}}" for f in FAMILIES)}
        ) GROUP BY indicator, grain, level
        """
    ),
)
