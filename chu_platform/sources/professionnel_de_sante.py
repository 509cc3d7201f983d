"""Table "Professionnel_de_sante" of the care database.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.care_tables import CareTable
from chu_platform.sources.delivered import Delivered
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

professionnel_de_sante = Table(
    name="Professionnel_de_sante",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one professional known to the care database",
    label="Professionnels de santé (base de soins)",
    owner="team:care-data",
    columns=[
        Column(
            "Identifiant",
            STRING,
            "RPPS (11 digits) or ADELI number",
            "Identifiant",
            key=True,
            identifying=True,
        ),
        Column("Civilite", STRING, "title", "Civilité", identifying=True),
        Column("Categorie_professionnelle", STRING, "category", "Catégorie professionnelle"),
        Column("Nom", STRING, "family name", "Nom", identifying=True),
        Column("Prenom", STRING, "first name", "Prénom", identifying=True),
        Column("Profession", STRING, "profession", "Profession"),
        Column("Type_identifiant", STRING, "kind of number: RPPS or ADELI", "Type d’identifiant"),
        Column("Code_specialite", STRING, "code of the speciality", "Code de spécialité"),
    ],
    rows=Delivered(CareTable("Professionnel_de_sante")),
)
