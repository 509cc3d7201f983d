"""Regions, with a member for places outside the regions."""

from chu_platform.references.region import region
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import ELSEWHERE, UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Table, Zone

dim_region = Table(
    name="dim_region",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="une région de France, un membre pour ailleurs (99), et le membre inconnu",
    label="Régions",
    owner="team:dimensions",
    access=REFERENCES,
    columns=[
        Column("region_key", STRING, "code Insee de la région ; 99 : ailleurs", "Région", key=True),
        Column("region_label", STRING, "nom de la région", "Nom de la région", nullable=False),
    ],
    reads={"region": region},
    rows=Query(
        f"""
        SELECT region_code AS region_key, region_label FROM {{region}}
        UNION ALL SELECT '{ELSEWHERE}', concat('étranger, collectivités d', chr(39), 'outre-mer ou inconnu')
        UNION ALL SELECT '{UNKNOWN}', '{UNKNOWN_LABEL}'
        """
    ),
)
