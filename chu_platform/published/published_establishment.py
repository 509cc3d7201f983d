"""The establishments that indicator 1 has rows of, with their place: what a reader searches by.

The register is public; practices carry a general word in place of their name (docs/decisions/0008).

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.published.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.table import Layer, Layout, Query, Table, Zone

published_establishment = Table(
    name="published_establishment",
    layer=Layer.PUBLISHED,
    zone=Zone.PUBLISHED,
    grain="one establishment that the published indicators have a row of",
    label="Établissements publiés",
    owner="team:privacy",
    columns=[
        Column("establishment_key", STRING, "identifier: F and FINESS number, or another prefix", "Clé", key=True),
        Column("establishment_label", STRING, "name; for practices, a general word", "Établissement", nullable=False),
        Column("finess", STRING, "FINESS number; null for practices", "FINESS"),
        Column("commune_label", STRING, "commune", "Commune"),
        Column("department_code", STRING, "INSEE code", "Code département", nullable=False),
        Column("department_label", STRING, "name", "Département", nullable=False),
        Column("region_code", STRING, "INSEE code of the region", "Code région", nullable=False),
        Column("region_label", STRING, "name", "Région", nullable=False),
    ],
    reads={"establishment": dim_establishment, "indicator": kpi_consultation_rate_by_establishment},
    rows=Query(
        """
        SELECT e.establishment_key, e.establishment_label,
               CASE WHEN e.establishment_key LIKE 'F%' THEN substr(e.establishment_key, 2) END AS finess,
               e.commune_label, e.department_code, e.department_label, e.region_key AS region_code, e.region_label
        FROM {establishment} e
        LEFT SEMI JOIN (SELECT code FROM {indicator} WHERE level = 'establishment') i ON i.code = e.establishment_key
        """
    ),
    layout=Layout(z_order_by=["department_code", "establishment_key"]),
)
