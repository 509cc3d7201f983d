"""Table "Diagnostic" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.identifiers import DIAGNOSIS
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.table import Layer, Table, Zone

diagnostic = Table(
    name="Diagnostic",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un code CIM-10 avec le libellé du groupe",
    label="Diagnostics du groupe",
    owner="team:care-data",
    access=WITHOUT_PERSONS,
    columns=[
        Column("Code_diag", STRING, "code CIM-10 sans le point", "Code diagnostic", key=True),
        Column("Diagnostic", STRING, "libellé du groupe", "Libellé"),
    ],
    rows=Delivered(CareTable("Diagnostic"), typing={"Code_diag": DIAGNOSIS}),
)
