"""Region labels used in the survey files, and the region of each label."""

import pyarrow as pa

from chu_platform.building_blocks.packaged_references import packaged, packaged_columns
from chu_platform.references.region import region
from chu_platform.tables.checks import foreign_key
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone


def _rows() -> pa.Table:
    return packaged("survey_regions")


survey_region = Table(
    name="survey_region",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="un libellé de région des fichiers e-Satis et de qualité des soins, y compris ceux d’avant 2016",
    label="Libellés de région des enquêtes",
    owner="team:references",
    access=REFERENCES,
    columns=[
        Column("survey_label", STRING, "libellé dans les fichiers", "Libellé de l’enquête", key=True),
        Column("region_code", STRING, "région qu’il désigne", "Code région", nullable=False),
    ],
    rows=Computed(_rows, from_columns=packaged_columns("survey_regions")),
    checks=[foreign_key("region_code", region)],
)
