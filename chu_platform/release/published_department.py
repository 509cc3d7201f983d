"""The departments of France with their regions, by which readers go from a region to its departments."""

from chu_platform.references.department import department
from chu_platform.references.region import region
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import OPEN_DATA
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

published_department = Table(
    name="published_department",
    layer=Layer.PUBLISHED,
    zone=Zone.PUBLISHED,
    grain="un département de France",
    label="Départements publiés",
    owner="team:privacy",
    access=OPEN_DATA,
    public_source="Insee",
    columns=[
        Column("department_code", STRING, "code Insee du département", "Code département", key=True),
        Column("department_label", STRING, "nom du département", "Département", nullable=False),
        Column("region_code", STRING, "code Insee de la région", "Code région", nullable=False),
        Column("region_label", STRING, "nom de la région", "Région", nullable=False),
    ],
    reads={"department": department, "region": region},
    rows=Query(
        """
        SELECT d.department_code, d.department_label, d.region_code, r.region_label
        FROM {department} d JOIN {region} r ON r.region_code = d.region_code
        """
    ),
)
