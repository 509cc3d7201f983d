"""The 22 chapters of the CIM-10 with their code ranges."""

import pyarrow as pa

from chu_platform.building_blocks.packaged_references import packaged, packaged_columns
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone


def _rows() -> pa.Table:
    return packaged("cim10_chapters")


cim10_chapter = Table(
    name="cim10_chapter",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="un chapitre de la CIM-10",
    label="Chapitres de la CIM-10",
    owner="team:references",
    access=REFERENCES,
    columns=[
        Column("chapter_code", STRING, "chapitre, en chiffres romains", "Chapitre", key=True),
        Column("first_category", STRING, "premier code de trois caractères", "Première catégorie", nullable=False),
        Column("last_category", STRING, "dernier code de trois caractères", "Dernière catégorie", nullable=False),
        Column("chapter_label", STRING, "titre du chapitre", "Libellé du chapitre", nullable=False),
    ],
    rows=Computed(_rows, from_columns=packaged_columns("cim10_chapters")),
)
