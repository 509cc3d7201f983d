"""How much of each indicator the masking leaves visible.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.masks.consultation_mask import consultation_mask
from chu_platform.masks.death_mask import death_mask
from chu_platform.masks.satisfaction_mask import satisfaction_mask
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

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
    reads={
        "consultation": consultation_mask,
        "stay": stay_mask,
        "death": death_mask,
        "satisfaction": satisfaction_mask,
    },
    rows=Query(
        """
        SELECT indicator, grain, level, count(*) AS cells, count(*) FILTER (WHERE is_masked) AS cells_masked,
               round(CASE WHEN sum(weight) > 0 THEN sum(CASE WHEN is_masked THEN 0D ELSE weight END) / sum(weight) END, 3) AS visible_share
        FROM (
            SELECT indicator, grain, level, weight, is_masked FROM {consultation}
            UNION ALL SELECT indicator, grain, level, weight, is_masked FROM {stay}
            UNION ALL SELECT indicator, grain, level, weight, is_masked FROM {death}
            UNION ALL SELECT indicator, grain, level, weight, is_masked FROM {satisfaction}
        ) GROUP BY indicator, grain, level
        """
    ),
)
