"""Table "Patient" of the care database.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.care_tables import CareTable
from chu_platform.sources.delivered import Delivered
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.table import Layer, Table, Zone

patient = Table(
    name="Patient",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one patient of the group",
    label="Patients",
    owner="team:care-data",
    columns=[
        Column(
            "Id_patient",
            INTEGER,
            "number of the patient",
            "Identifiant du patient",
            key=True,
            identifying=True,
        ),
        Column("Nom", STRING, "family name", "Nom", identifying=True),
        Column("Prenom", STRING, "first name", "Prénom", identifying=True),
        Column("Sexe", STRING, "sex: male or female", "Sexe"),
        Column("Adresse", STRING, "street address", "Adresse", identifying=True),
        Column("Ville", STRING, "town", "Ville", identifying=True),
        Column("Code_postal", STRING, "postal code", "Code postal", identifying=True),
        Column("Pays", STRING, "country code", "Pays"),
        Column("EMail", STRING, "e-mail address", "Courriel", identifying=True),
        Column("Tel", STRING, "telephone number", "Téléphone", identifying=True),
        Column(
            "Date",
            STRING,
            "birth date as delivered: US order, not padded (7/25/2013)",
            "Date de naissance",
            identifying=True,
        ),
        Column(
            "Age",
            INTEGER,
            "age frozen when the data were extracted: not to be used",
            "Âge figé à l’extraction",
        ),
        Column(
            "Num_Secu",
            STRING,
            "card-like number of 16 digits",
            "Numéro de sécurité sociale",
            identifying=True,
        ),
        Column("Groupe_sanguin", STRING, "blood group", "Groupe sanguin", identifying=True),
        Column("Poid", STRING, "weight as text", "Poids", identifying=True),
        Column("Taille", STRING, "height as text", "Taille", identifying=True),
    ],
    rows=Delivered(CareTable("Patient")),
)
