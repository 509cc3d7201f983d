"""Table "Specialites" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.identifiers import PLAIN
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.table import Layer, Table, Zone

specialites = Table(
    name="Specialites",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une spécialité",
    label="Spécialités",
    owner="team:care-data",
    access=WITHOUT_PERSONS,
    columns=[
        Column("Code_specialite", STRING, "code de la spécialité", "Code de spécialité", key=True),
        Column("Fonction", STRING, "fonction", "Fonction"),
        Column("Specialite", STRING, "spécialité", "Spécialité"),
    ],
    rows=Delivered(CareTable("Specialites"), typing={"Code_specialite": PLAIN}),
)
