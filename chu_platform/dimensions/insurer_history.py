"""Complementary insurers, each in its versions: its name, between which days."""

from chu_platform.history.mutuelle_history import mutuelle_history
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform.tables.versions import (
    FIRST_DAY,
    LAST_DAY,
    VERSION_COLUMNS,
    version_checks,
    version_key,
    version_of_none,
)

insurer_history = Table(
    name="insurer_history",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="une mutuelle dans l’une de ses versions, l’absence de mutuelle, et le membre inconnu",
    label="Mutuelles : historique",
    owner="team:dimensions",
    access=REFERENCES,
    columns=[
        Column("insurer_version", STRING, "mutuelle et premier jour de la version", "Version de la mutuelle", key=True),
        Column("insurer_key", STRING, "numéro de la mutuelle ; 0 : aucune", "Mutuelle", nullable=False),
        *VERSION_COLUMNS,
        Column("insurer_label", STRING, "nom de la mutuelle", "Nom de la mutuelle", nullable=False),
    ],
    reads={"insurer": mutuelle_history},
    rows=Query(
        f"""
        SELECT {version_key("Id_Mut")} AS insurer_version, CAST(Id_Mut AS STRING) AS insurer_key, valid_from, valid_to,
               coalesce(Nom, '{UNKNOWN_LABEL}') AS insurer_label
        FROM {{insurer}} WHERE Id_Mut <> 0
        UNION ALL
        SELECT '{version_of_none("0")}', '0', DATE '{FIRST_DAY}', DATE '{LAST_DAY}', 'Sans mutuelle'
        UNION ALL
        SELECT '{version_of_none(UNKNOWN)}', '{UNKNOWN}', DATE '{FIRST_DAY}', DATE '{LAST_DAY}', '{UNKNOWN_LABEL}'
        """
    ),
    checks=version_checks("insurer_key"),
)
