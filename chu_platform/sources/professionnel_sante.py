"""National register of health professionals, one CSV file.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.csv_format import CsvFormat
from chu_platform.sources.delivered import Delivered
from chu_platform.sources.delivered_files import DeliveredFiles
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

professionnel_sante = Table(
    name="professionnel_sante",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one line of the register of professionals",
    label="Professionnels de santé (registre)",
    owner="team:registers",
    columns=[
        Column(
            "identifiant",
            STRING,
            "RPPS or ADELI number; occurs more than once",
            "Identifiant",
            identifying=True,
            nullable=False,
        ),
        Column("civilite", STRING, "title", "Civilité", identifying=True),
        Column("categorie_professionnelle", STRING, "category", "Catégorie professionnelle"),
        Column("nom", STRING, "family name", "Nom", identifying=True),
        Column("prenom", STRING, "first name", "Prénom", identifying=True),
        Column("commune", STRING, "commune", "Commune", identifying=True),
        Column("profession", STRING, "profession", "Profession"),
        Column("specialite", STRING, "speciality", "Spécialité"),
        Column("type_identifiant", STRING, "kind of number", "Type d’identifiant"),
    ],
    rows=Delivered(DeliveredFiles(r"professionnel_sante\.csv", {".csv": CsvFormat(";", fallback="cp1252")})),
)
