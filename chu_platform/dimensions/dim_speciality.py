"""Specialities of health professionals."""

from chu_platform.sources.specialites import specialites
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Table, Zone

dim_speciality = Table(
    name="dim_speciality",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="une spécialité, et le membre inconnu",
    label="Spécialités",
    owner="team:dimensions",
    access=REFERENCES,
    columns=[
        Column("speciality_key", STRING, "code de la spécialité", "Spécialité", key=True),
        Column("function_label", STRING, "fonction", "Fonction", nullable=False),
        Column("speciality_label", STRING, "spécialité", "Libellé de la spécialité", nullable=False),
    ],
    reads={"speciality": specialites},
    rows=Query(
        f"""
        SELECT Code_specialite AS speciality_key, coalesce(Fonction, '{UNKNOWN_LABEL}') AS function_label,
               coalesce(Specialite, '{UNKNOWN_LABEL}') AS speciality_label
        FROM {{speciality}}
        UNION ALL SELECT '{UNKNOWN}', '{UNKNOWN_LABEL}', '{UNKNOWN_LABEL}'
        """
    ),
)
