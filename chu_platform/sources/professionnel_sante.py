"""National register of health professionals: one CSV file."""

from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.identifiers import PROFESSIONAL
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import DELIVERED_PROFESSIONALS
from chu_platform.tables.table import Layer, Table, Zone

professionnel_sante = Table(
    name="professionnel_sante",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une ligne du registre des professionnels",
    label="Professionnels de santé (registre)",
    owner="team:registers",
    access=DELIVERED_PROFESSIONALS,
    public_source="RPPS",
    columns=[
        Column(
            "identifiant",
            STRING,
            "numéro RPPS ou ADELI ; certains reviennent plusieurs fois",
            "Identifiant",
            identifying=True,
            nullable=False,
        ),
        Column("civilite", STRING, "civilité du professionnel", "Civilité", identifying=True),
        Column("categorie_professionnelle", STRING, "catégorie professionnelle", "Catégorie professionnelle"),
        Column("nom", STRING, "nom de famille du professionnel", "Nom", identifying=True),
        Column("prenom", STRING, "prénom du professionnel", "Prénom", identifying=True),
        Column("commune", STRING, "commune du professionnel", "Commune", identifying=True),
        Column("profession", STRING, "profession", "Profession"),
        Column("specialite", STRING, "spécialité", "Spécialité"),
        Column("type_identifiant", STRING, "nature du numéro", "Type d’identifiant"),
    ],
    rows=Delivered(
        DeliveredFiles(r"professionnel_sante\.csv", {".csv": CsvFormat()}),
        typing={"identifiant": PROFESSIONAL},
    ),
)
