"""Table "Laboratoire" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.table import Layer, Table, Zone

laboratoire = Table(
    name="Laboratoire",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un laboratoire",
    label="Laboratoires",
    owner="team:care-data",
    access=WITHOUT_PERSONS,
    columns=[
        Column("Id_labo", INTEGER, "numéro du laboratoire", "Identifiant du laboratoire", key=True),
        Column("Laboratoire", STRING, "nom du laboratoire", "Laboratoire"),
        Column("Pays", STRING, "pays du laboratoire", "Pays"),
    ],
    rows=Delivered(CareTable("Laboratoire")),
)
