"""Table "Salle" of the care database.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.care_tables import CareTable
from chu_platform.sources.delivered import Delivered
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

salle = Table(
    name="Salle",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one room used in a consultation",
    label="Salles",
    owner="team:care-data",
    columns=[
        Column("Id_salle", STRING, "room", "Identifiant de la salle", key=True),
        Column("Num_consultation", INTEGER, "consultation", "Numéro de consultation"),
        Column("Code_bloc", STRING, "block", "Code du bloc"),
        Column("Num_etage", STRING, "floor", "Étage"),
        Column("Num_salle", STRING, "room number", "Numéro de salle"),
    ],
    rows=Delivered(CareTable("Salle")),
)
