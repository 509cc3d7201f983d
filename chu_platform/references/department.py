"""The 101 departments of France, each with its region."""

import pyarrow as pa

from chu_platform.building_blocks.packaged_references import packaged, packaged_columns
from chu_platform.references.region import region
from chu_platform.tables.checks import foreign_key
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone


def _rows() -> pa.Table:
    return packaged("departments")


department = Table(
    name="department",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="un département de France",
    label="Départements",
    owner="team:references",
    access=REFERENCES,
    columns=[
        Column(
            "department_code",
            STRING,
            "code Insee du département : 01, 2A, 974",
            "Code département",
            key=True,
        ),
        Column("department_label", STRING, "nom du département", "Département", nullable=False),
        Column("region_code", STRING, "région dont il fait partie", "Code région", nullable=False),
    ],
    rows=Computed(_rows, from_columns=packaged_columns("departments")),
    checks=[foreign_key("region_code", region)],
)
