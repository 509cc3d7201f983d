"""The establishments with a visible figure in indicator 1, with their place; readers search in it.

An establishment without any visible figure is not listed: it may have one consultation of a single professional. The
register is public. Practices have a general term instead of their name (docs/decisions/0008).
"""

from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.editions.tables import published_from
from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.maintenance_policy import KEPT
from chu_platform.tables.policies import EDITIONS
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

published_establishment = Table(
    name="published_establishment",
    layer=Layer.EDITIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un établissement dont les indicateurs publiés ont un chiffre visible",
    label="Établissements publiés",
    owner="team:privacy",
    access=EDITIONS,
    columns=[
        Column("establishment_key", STRING, "identifiant : F et numéro FINESS, ou un autre préfixe", "Clé", key=True),
        Column(
            "establishment_label", STRING, "nom ; pour un cabinet, un terme général", "Établissement", nullable=False
        ),
        Column("finess", STRING, "numéro FINESS ; vide pour un cabinet", "FINESS"),
        Column("commune_label", STRING, "commune de l’établissement", "Commune"),
        Column("department_code", STRING, "code Insee du département", "Code département", nullable=False),
        Column("department_label", STRING, "nom du département", "Département", nullable=False),
        Column("region_code", STRING, "code Insee de la région", "Code région", nullable=False),
        Column("region_label", STRING, "nom de la région", "Région", nullable=False),
    ],
    reads={"establishment": dim_establishment, "indicator": kpi_consultation_rate_by_establishment.edition},
    rows=Query(
        """
        SELECT e.establishment_key, e.establishment_label,
               CASE WHEN e.establishment_key LIKE 'F%' THEN substr(e.establishment_key, 2) END AS finess,
               e.commune_label, e.department_code, e.department_label, e.region_key AS region_code, e.region_label
        FROM {establishment} e
        LEFT SEMI JOIN (SELECT code FROM {indicator} WHERE level = 'establishment' AND NOT is_masked) i ON i.code = e.establishment_key
        """
    ),
    maintenance=KEPT,
    layout=Layout(z_order_by=["department_code", "establishment_key"]),
)

published = published_from(published_establishment)
