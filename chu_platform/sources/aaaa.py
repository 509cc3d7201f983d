"""Table "AAAA" of the care database.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.care_tables import CareTable
from chu_platform.sources.delivered import Delivered
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

aaaa = Table(
    name="AAAA",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one row of a scratch table without a key",
    label="Table de travail AAAA",
    owner="team:care-data",
    columns=[
        Column("Id", INTEGER, "number", "Identifiant", identifying=True),
        Column("Num", INTEGER, "number", "Numéro"),
        Column("Code", INTEGER, "code", "Code"),
        Column("Nom", STRING, "family name", "Nom", identifying=True),
        Column("Prenom", STRING, "first name", "Prénom", identifying=True),
        Column("Adresse", STRING, "address", "Adresse", identifying=True),
        Column("Code_diag", STRING, "CIM-10 code", "Code diagnostic"),
    ],
    rows=Delivered(CareTable("AAAA")),
)
