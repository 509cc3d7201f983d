"""National register of health establishments, one CSV file with line breaks inside fields.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.csv_format import CsvFormat
from chu_platform.sources.delivered import Delivered
from chu_platform.sources.delivered_files import DeliveredFiles
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

etablissement_sante = Table(
    name="etablissement_sante",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one line of the register of establishments",
    label="Établissements de santé",
    owner="team:registers",
    columns=[
        Column("adresse", STRING, "address", "Adresse", identifying=True),
        Column("cedex", STRING, "postal code and town of business mail", "Cedex"),
        Column("code_commune", STRING, "INSEE code of the commune", "Code commune"),
        Column("code_postal", STRING, "postal code", "Code postal"),
        Column("commune", STRING, "commune, empty in a third of the rows", "Commune"),
        Column("complement_destinataire", STRING, "addressee", "Complément destinataire", identifying=True),
        Column(
            "complement_point_geographique",
            STRING,
            "address, second line",
            "Complément d’adresse",
            identifying=True,
        ),
        Column("email", STRING, "e-mail address", "Courriel", identifying=True),
        Column("enseigne_commerciale_site", STRING, "trade name", "Enseigne commerciale", identifying=True),
        Column("finess_etablissement_juridique", STRING, "FINESS of the legal entity", "FINESS juridique"),
        Column("finess_site", STRING, "FINESS of the site, nearly empty", "FINESS du site"),
        Column(
            "identifiant_organisation",
            STRING,
            "identifier of the establishment; occurs more than once",
            "Identifiant de l’organisation",
            identifying=True,
            nullable=False,
        ),
        Column("indice_repetition_voie", STRING, "number suffix", "Indice de répétition", identifying=True),
        Column("mention_distribution", STRING, "delivery note", "Mention de distribution", identifying=True),
        Column("numero_voie", STRING, "number in the street", "Numéro de voie", identifying=True),
        Column("pays", STRING, "country", "Pays"),
        Column("raison_sociale_site", STRING, "name of the site", "Raison sociale", identifying=True),
        Column("siren_site", STRING, "SIREN number", "SIREN", identifying=True),
        Column("siret_site", STRING, "SIRET number", "SIRET", identifying=True),
        Column("telecopie", STRING, "fax", "Télécopie", identifying=True),
        Column("telephone", STRING, "telephone", "Téléphone", identifying=True),
        Column("telephone_2", STRING, "second telephone", "Téléphone 2", identifying=True),
        Column("type_voie", STRING, "kind of street", "Type de voie", identifying=True),
        Column("voie", STRING, "street", "Voie", identifying=True),
    ],
    rows=Delivered(DeliveredFiles(r"etablissement_sante\.csv", {".csv": CsvFormat(";")})),
)
