"""Table "Mutuelle" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.table import Layer, Table, Zone

mutuelle = Table(
    name="Mutuelle",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une mutuelle (assurance complémentaire)",
    label="Mutuelles",
    owner="team:care-data",
    access=WITHOUT_PERSONS,
    columns=[
        Column("Id_Mut", INTEGER, "numéro de la mutuelle", "Identifiant de la mutuelle", key=True),
        Column("Nom", STRING, "nom de la mutuelle", "Nom"),
        Column("Adresse", STRING, "adresse, toujours vide", "Adresse"),
    ],
    rows=Delivered(CareTable("Mutuelle")),
)
