"""Medications."""

from chu_platform.sources.medicaments import medicaments
from chu_platform.tables.columns import BOOLEAN, STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Layout, Table, Zone

dim_medication = Table(
    name="dim_medication",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un médicament, et le membre inconnu",
    label="Médicaments",
    owner="team:dimensions",
    access=REFERENCES,
    columns=[
        Column("medication_key", STRING, "code CIS du médicament", "Médicament", key=True),
        Column("medication_label", STRING, "dénomination du médicament", "Dénomination", nullable=False),
        Column("form_label", STRING, "forme pharmaceutique", "Forme pharmaceutique"),
        Column("holder_label", STRING, "titulaire de l’autorisation de mise sur le marché", "Titulaire"),
        Column("is_marketed", BOOLEAN, "vrai si le médicament est commercialisé", "Commercialisé"),
    ],
    reads={"medication": medicaments},
    rows=Query(
        f"""
        SELECT Code_CIS AS medication_key, coalesce(Denomination, '{UNKNOWN_LABEL}') AS medication_label,
               Forme_pharmaceutique AS form_label, Titulaire AS holder_label,
               Etat_de_commercialisation RLIKE '^[Cc]ommercialis' AS is_marketed
        FROM {{medication}}
        UNION ALL SELECT '{UNKNOWN}', '{UNKNOWN_LABEL}', NULL, NULL, NULL
        """
    ),
    layout=Layout(z_order_by=["medication_key"]),
)
