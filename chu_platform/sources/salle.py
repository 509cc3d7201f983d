"""Table "Salle" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.persons import OF_CONSULTATION, through_number
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.policies import DELIVERED_CARE
from chu_platform.tables.table import Layer, Table, Zone

salle = Table(
    name="Salle",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une salle utilisée dans une consultation",
    label="Salles",
    owner="team:care-data",
    access=DELIVERED_CARE,
    columns=[
        Column("Id_salle", STRING, "identifiant de la salle", "Identifiant de la salle", key=True),
        Column("Num_consultation", INTEGER, "numéro de la consultation", "Numéro de consultation"),
        Column("Code_bloc", STRING, "bloc où se trouve la salle", "Code du bloc"),
        Column("Num_etage", STRING, "étage de la salle", "Étage"),
        Column("Num_salle", STRING, "numéro de la salle", "Numéro de salle"),
    ],
    rows=Delivered(CareTable("Salle"), persons=[through_number("Num_consultation", OF_CONSULTATION)]),
)
