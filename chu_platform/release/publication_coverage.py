"""The share of each indicator that is not masked.

It is exact in the pseudonymised zone. The published one is made of published rows only.
"""

from typing import Final

from chu_platform.editions.tables import published_from
from chu_platform.indicators.indicator import Indicator, Release, indicators
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.masks.consultation_mask import ATTENDANCE
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.maintenance_policy import KEPT
from chu_platform.tables.policies import BEFORE_RELEASE, EDITIONS
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

RELEASED: Final = [(i, i.release) for i in indicators() if i.release]
FAMILIES: Final = list(dict.fromkeys(release.family for _, release in RELEASED))
CELLS: Final = (
    Column("indicator", STRING, "table de l’indicateur", "Indicateur", key=True),
    Column("grain", STRING, "nature de la période : month, quarter, year ou all", "Période", key=True),
    Column("level", STRING, "niveau de l’indicateur", "Niveau", key=True),
    Column("cells", LONG, "nombre de lignes", "Cellules", nullable=False),
    Column(
        "cells_masked", LONG, "nombre de lignes dont les chiffres sont masqués", "Cellules masquées", nullable=False
    ),
)

publication_coverage_exact = Table(
    name="publication_coverage_exact",
    layer=Layer.DISCLOSURE,
    zone=Zone.PSEUDONYMISED,
    grain="un niveau d’un indicateur publié, pour une nature de période",
    label="Part visible des indicateurs publiés, exacte",
    owner="team:privacy",
    access=BEFORE_RELEASE,
    columns=[
        *CELLS,
        Column("events", DOUBLE, "nombre d’événements de toutes les lignes", "Événements", nullable=False),
        Column(
            "visible_events", DOUBLE, "nombre d’événements des lignes visibles", "Événements visibles", nullable=False
        ),
        Column("visible_share", DOUBLE, "événements visibles / événements, de 0 à 1", "Part visible des événements"),
    ],
    reads={family.name: family.table for family in FAMILIES},
    rows=Query(
        f"""
        SELECT *, CASE WHEN events > 0 THEN visible_events / events END AS visible_share
        FROM (
            -- Rounded, because sums of floating-point numbers depend on the order of the rows.
            SELECT indicator, grain, level, count(*) AS cells, count(*) FILTER (WHERE is_masked) AS cells_masked,
                   round(sum(weight), 6) AS events,
                   round(sum(CASE WHEN is_masked THEN 0D ELSE weight END), 6) AS visible_events
            FROM (
                {" UNION ALL ".join(f"SELECT indicator, grain, level, weight, is_masked FROM {{{f.name}}}" for f in FAMILIES)}
            ) GROUP BY indicator, grain, level
        )
        """
    ),
)


def _cells(indicator: Indicator, release: Release) -> str:
    # Sail refuses a union of columns that carry different comments; an expression has none.
    return f"""
            SELECT '{indicator.name}' AS indicator, '{release.family.name}' AS family, period_grain AS grain,
                   period_start AS start, {release.level} AS level, {release.weight} * 1 AS events, is_masked
            FROM {{{indicator.name}}}"""


# The levels of indicator 1 that share the consultations that are attached to an establishment.
PLACES: Final = f"indicator = '{kpi_consultation_rate_by_establishment.name}' AND level IN ('region', 'department', 'establishment')"


publication_coverage = Table(
    name="publication_coverage",
    layer=Layer.EDITIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un niveau d’un indicateur publié, pour une nature de période ; sans les indicateurs de données publiques",
    label="Part visible des indicateurs publiés",
    owner="team:privacy",
    access=EDITIONS,
    columns=[
        *CELLS,
        Column(
            "visible_share",
            DOUBLE,
            "part des événements qui sont dans des lignes visibles, de 0 à 1, arrondie au millième ; calculée seulement à partir des "
            "lignes visibles, et vide si le total d’une période est masqué",
            "Part visible des événements",
        ),
    ],
    reads={i.name: i.edition for i, _ in RELEASED},
    # Made of the published rows only, so that it tells nothing that they do not tell.
    rows=Query(
        f"""
        WITH cell AS ({" UNION ALL ".join(_cells(i, release) for i, release in RELEASED)}
        ),
        period AS (
            SELECT family, grain, start, max(CASE level WHEN 'total' THEN events END) AS events,
                   CASE WHEN count(CASE level WHEN 'unattached' THEN 1 END) = 0 THEN 0D
                        ELSE max(CASE level WHEN 'unattached' THEN events END) END AS unattached
            FROM cell WHERE level IN ('total', 'unattached') GROUP BY family, grain, start
        ),
        whole AS (
            SELECT family, grain, CASE WHEN count(events) = count(*) THEN sum(events) END AS events,
                   CASE WHEN count(events - unattached) = count(*) THEN sum(events - unattached) END AS attached
            FROM period GROUP BY family, grain
        ),
        level AS (
            SELECT indicator, family, grain, level, count(*) AS cells,
                   count(*) FILTER (WHERE is_masked) AS cells_masked, coalesce(sum(events), 0D) AS visible
            FROM cell GROUP BY indicator, family, grain, level
        )
        SELECT indicator, grain, level, cells, cells_masked, round(visible / nullif(shared, 0D), 3) AS visible_share
        FROM (
            SELECT l.*, CASE WHEN l.cells_masked = 0 THEN l.visible
                             -- France and its regions are rows of one level.
                             WHEN indicator = '{ATTENDANCE}' THEN CAST(NULL AS DOUBLE)
                             WHEN {PLACES} THEN w.attached
                             WHEN level <> 'unattached' THEN w.events END AS shared
            FROM level l LEFT JOIN whole w ON w.family = l.family AND w.grain = l.grain
        )
        """
    ),
    maintenance=KEPT,
)

published = published_from(publication_coverage)
