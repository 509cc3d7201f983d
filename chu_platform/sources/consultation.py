"""Table "Consultation" of the care database."""

from chu_platform.building_blocks.event_checks import MAX_IMPLAUSIBLE_SHARE, dated_event
from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.date_forms import DateForm
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.identifiers import DIAGNOSIS, PROFESSIONAL
from chu_platform.ingest.persons import by_number
from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.policies import dated_care
from chu_platform.tables.table import Layer, Table, Zone

# SQL that is null if a text does not begin with an hour.
HOUR = "try_cast(left({text}, 2) AS INTEGER)"

consultation = Table(
    name="Consultation",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="une consultation",
    label="Consultations",
    owner="team:care-data",
    access=dated_care("Date"),
    columns=[
        Column("Num_consultation", INTEGER, "numéro de la consultation", "Numéro de consultation", key=True),
        Column("Id_mut", INTEGER, "numéro de la mutuelle du patient ; 0 : aucune", "Identifiant de la mutuelle"),
        Column("Id_patient", INTEGER, "numéro du patient vu", "Identifiant du patient", identifying=True),
        Column(
            "Id_prof_sante",
            STRING,
            "professionnel : numéro RPPS ou ADELI",
            "Identifiant du professionnel",
            identifying=True,
        ),
        Column("Code_diag", STRING, "code CIM-10 sans le point", "Code diagnostic", sensitive=True),
        Column(
            "Motif", STRING, "motif donné pour la consultation, texte libre", "Motif", identifying=True, sensitive=True
        ),
        Column("Date", DATE, "jour de la consultation", "Date", nullable=False),
        Column("Heure_debut", STRING, "heure de début, HH:MM:SS", "Heure de début"),
        Column(
            "Heure_fin", STRING, "heure de fin, HH:MM:SS ; avant le début dans les créneaux de nuit", "Heure de fin"
        ),
        Column("month", STRING, "mois de la consultation, AAAA-MM", "Mois"),
    ],
    rows=Delivered(
        CareTable("Consultation", {"Date": DateForm.ISO}),
        typing={"Id_prof_sante": PROFESSIONAL, "Code_diag": DIAGNOSIS},
        understood={"Heure_debut": HOUR, "Heure_fin": HOUR},
        derived={"month": "strftime(\"Date\", '%Y-%m')"},
        persons=[by_number("Id_patient")],
        row_checks=[dated_event("Date")],
        max_rejected_share=MAX_IMPLAUSIBLE_SHARE,
    ),
    partition_scheme=MONTHLY,
)
