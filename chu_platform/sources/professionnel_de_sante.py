"""Table "Professionnel_de_sante" of the care database."""

from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.identifiers import PLAIN, PROFESSIONAL
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import DELIVERED_PROFESSIONALS
from chu_platform.tables.table import Layer, Table, Zone

professionnel_de_sante = Table(
    name="Professionnel_de_sante",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un professionnel connu de la base de soins",
    label="Professionnels de santé (base de soins)",
    owner="team:care-data",
    access=DELIVERED_PROFESSIONALS,
    columns=[
        Column(
            "Identifiant",
            STRING,
            "numéro RPPS (11 chiffres) ou ADELI",
            "Identifiant",
            key=True,
            identifying=True,
        ),
        Column("Civilite", STRING, "civilité du professionnel", "Civilité", identifying=True),
        Column("Categorie_professionnelle", STRING, "catégorie professionnelle", "Catégorie professionnelle"),
        Column("Nom", STRING, "nom de famille du professionnel", "Nom", identifying=True),
        Column("Prenom", STRING, "prénom du professionnel", "Prénom", identifying=True),
        Column("Profession", STRING, "profession", "Profession"),
        Column("Type_identifiant", STRING, "nature du numéro : RPPS ou ADELI", "Type d’identifiant"),
        Column("Code_specialite", STRING, "code de la spécialité", "Code de spécialité"),
    ],
    rows=Delivered(
        CareTable("Professionnel_de_sante"),
        typing={"Identifiant": PROFESSIONAL, "Code_specialite": PLAIN},
    ),
)
