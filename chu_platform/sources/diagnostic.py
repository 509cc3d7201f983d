"""Table "Diagnostic" of the care database.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.care_tables import CareTable
from chu_platform.sources.delivered import Delivered
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

diagnostic = Table(
    name="Diagnostic",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one CIM-10 code with the label of the group",
    label="Diagnostics du groupe",
    owner="team:care-data",
    columns=[
        Column("Code_diag", STRING, "CIM-10 code without the dot", "Code diagnostic", key=True),
        Column("Diagnostic", STRING, "label of the group", "Libellé"),
    ],
    rows=Delivered(CareTable("Diagnostic")),
)
