"""Table "Adher" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.persons import by_number
from chu_platform.tables.columns import INTEGER, Column
from chu_platform.tables.policies import DELIVERED_CARE
from chu_platform.tables.table import Layer, Table, Zone

adher = Table(
    name="Adher",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une adhésion d’un patient à une mutuelle",
    label="Adhésions aux mutuelles",
    owner="team:care-data",
    access=DELIVERED_CARE,
    columns=[
        Column("Id_patient", INTEGER, "numéro du patient", "Identifiant du patient", identifying=True),
        Column("Id_mut", INTEGER, "numéro de la mutuelle", "Identifiant de la mutuelle"),
    ],
    rows=Delivered(CareTable("Adher"), persons=[by_number("Id_patient")]),
)
