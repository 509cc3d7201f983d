"""The 18 regions of France."""

import pyarrow as pa

from chu_platform.building_blocks.packaged_references import packaged, packaged_columns
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone


def _rows() -> pa.Table:
    return packaged("regions")


region = Table(
    name="region",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="une région de France (découpage de 2016)",
    label="Régions",
    owner="team:references",
    access=REFERENCES,
    columns=[
        Column(
            "region_code",
            STRING,
            "code Insee de la région ; certains sont aussi des codes de départements",
            "Code région",
            key=True,
        ),
        Column("region_label", STRING, "nom de la région", "Région", nullable=False),
    ],
    rows=Computed(_rows, from_columns=packaged_columns("regions")),
)
