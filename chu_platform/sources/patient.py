"""Table "Patient" of the care database."""

from typing import Final

from chu_platform.building_blocks.event_checks import MAX_IMPLAUSIBLE_SHARE, born_before_delivery
from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.date_forms import DateForm
from chu_platform.ingest.delivered import Delivered, delivered_text
from chu_platform.ingest.identifiers import PLAIN, POSTAL_CODE, is_identifier, trimmed
from chu_platform.ingest.persons import by_identity, by_number
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.policies import DELIVERED_CARE
from chu_platform.tables.table import Layer, Table, Zone

# Words and letters for the sex, besides those of the group. Digits are not among them: 0 and 1, or 1 and 2.
MALE: Final = ("M", "H", "HOMME", "MASCULIN", "MALE")
FEMALE: Final = ("F", "FEMME", "FEMININ", "FÉMININ", "FEMALE")
# SQL of the sex as the group writes it; another text stays as it is.
SEX: Final = (
    f"CASE WHEN {{text}} IN ('male', 'female') THEN {{text}} WHEN upper({trimmed('{text}')}) IN {MALE} THEN 'male' "
    f"WHEN upper({trimmed('{text}')}) IN {FEMALE} THEN 'female' ELSE {{text}} END"
)
# SQL of the date of birth, which a typed column of a database gives as it is.
BIRTH: Final = "coalesce(strftime(try_strptime(\"Date\", '%m/%d/%Y'), '%Y-%m-%d'), left(\"Date\", 10))"

patient = Table(
    name="Patient",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un patient du groupe",
    label="Patients",
    owner="team:care-data",
    access=DELIVERED_CARE,
    columns=[
        Column(
            "Id_patient",
            INTEGER,
            "numéro du patient",
            "Identifiant du patient",
            key=True,
            identifying=True,
        ),
        Column("Nom", STRING, "nom de famille du patient", "Nom", identifying=True),
        Column("Prenom", STRING, "prénom du patient", "Prénom", identifying=True),
        Column("Sexe", STRING, "sexe : male (homme) ou female (femme)", "Sexe"),
        Column("Adresse", STRING, "adresse : numéro et voie", "Adresse", identifying=True),
        Column("Ville", STRING, "ville du patient", "Ville", identifying=True),
        Column("Code_postal", STRING, "code postal du patient", "Code postal", identifying=True),
        Column("Pays", STRING, "code du pays", "Pays"),
        Column("EMail", STRING, "adresse de courriel", "Courriel", identifying=True),
        Column("Tel", STRING, "numéro de téléphone", "Téléphone", identifying=True),
        Column(
            "Date",
            STRING,
            "date de naissance telle que livrée : ordre américain, sans zéros (7/25/2013)",
            "Date de naissance",
            identifying=True,
        ),
        Column(
            "Age",
            INTEGER,
            "âge figé à l’extraction des données : à ne pas utiliser",
            "Âge figé à l’extraction",
        ),
        Column(
            "Num_Secu",
            STRING,
            "numéro de 16 chiffres, semblable à celui d’une carte",
            "Numéro de sécurité sociale",
            identifying=True,
        ),
        Column(
            "Groupe_sanguin", STRING, "groupe sanguin du patient", "Groupe sanguin", identifying=True, sensitive=True
        ),
        Column("Poid", STRING, "poids, en texte", "Poids", identifying=True, sensitive=True),
        Column("Taille", STRING, "taille, en texte", "Taille", identifying=True, sensitive=True),
    ],
    rows=Delivered(
        CareTable("Patient", {"Date": DateForm.US}),
        # A code of four digits has lost its zero, if it is not one of another country.
        typing={
            "Sexe": SEX,
            "Date": trimmed("{text}"),
            "Code_postal": f"CASE WHEN coalesce({delivered_text('Pays')}, 'FR') = 'FR' THEN {POSTAL_CODE} ELSE {PLAIN} END",
        },
        understood={
            "Code_postal": is_identifier("{text}"),
            "Sexe": "CASE WHEN {text} IN ('male', 'female') THEN 1 END",
            # A year of two digits may be of two centuries.
            "Date": "CASE WHEN regexp_full_match({text}, '\\d\\d?/\\d\\d?/\\d{{4}}') "
            "THEN try_strptime({text}, '%m/%d/%Y') END",
        },
        persons=[by_number("Id_patient"), by_identity("Nom", "Prenom", "Date", BIRTH)],
        # A patient of whom only the age is not believable stays; impossible years are damage.
        row_checks=[born_before_delivery("Date")],
        max_rejected_share=MAX_IMPLAUSIBLE_SHARE,
    ),
)
