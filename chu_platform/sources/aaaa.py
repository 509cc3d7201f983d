"""Table "AAAA" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.persons import by_names
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.policies import DELIVERED_CARE
from chu_platform.tables.table import Layer, Table, Zone

aaaa = Table(
    name="AAAA",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une ligne d’une table de travail sans clé",
    label="Table de travail AAAA",
    owner="team:care-data",
    access=DELIVERED_CARE,
    columns=[
        Column("Id", INTEGER, "numéro", "Identifiant", identifying=True),
        Column("Num", INTEGER, "numéro", "Numéro"),
        Column("Code", INTEGER, "code", "Code"),
        Column("Nom", STRING, "nom de famille", "Nom", identifying=True),
        Column("Prenom", STRING, "prénom", "Prénom", identifying=True),
        Column("Adresse", STRING, "adresse", "Adresse", identifying=True),
        Column("Code_diag", STRING, "code CIM-10", "Code diagnostic", sensitive=True),
    ],
    rows=Delivered(CareTable("AAAA"), persons=[by_names("Nom", "Prenom")]),
)
