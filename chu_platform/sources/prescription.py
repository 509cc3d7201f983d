"""Table "Prescription" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.identifiers import PLAIN
from chu_platform.ingest.persons import OF_CONSULTATION, through_number
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.policies import DELIVERED_CARE
from chu_platform.tables.table import Layer, Table, Zone

prescription = Table(
    name="Prescription",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un médicament prescrit dans une consultation",
    label="Prescriptions",
    owner="team:care-data",
    access=DELIVERED_CARE,
    columns=[
        Column("Num_consultation", INTEGER, "numéro de la consultation", "Numéro de consultation"),
        Column("Code_CIS", STRING, "code CIS du médicament", "Code CIS", sensitive=True),
    ],
    rows=Delivered(
        CareTable("Prescription"),
        typing={"Code_CIS": PLAIN},
        persons=[through_number("Num_consultation", OF_CONSULTATION)],
    ),
)
