"""Complementary insurers."""

from chu_platform.sources.mutuelle import mutuelle
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Table, Zone

dim_insurer = Table(
    name="dim_insurer",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="une mutuelle, l’absence de mutuelle, et le membre inconnu",
    label="Mutuelles",
    owner="team:dimensions",
    access=REFERENCES,
    columns=[
        Column("insurer_key", STRING, "numéro de la mutuelle ; 0 : aucune", "Mutuelle", key=True),
        Column("insurer_label", STRING, "nom de la mutuelle", "Nom de la mutuelle", nullable=False),
    ],
    reads={"insurer": mutuelle},
    rows=Query(
        f"""
        SELECT CAST(Id_Mut AS STRING) AS insurer_key, coalesce(Nom, '{UNKNOWN_LABEL}') AS insurer_label
        FROM {{insurer}} WHERE Id_Mut <> 0
        UNION ALL SELECT '0', 'Sans mutuelle'
        UNION ALL SELECT '{UNKNOWN}', '{UNKNOWN_LABEL}'
        """
    ),
)
