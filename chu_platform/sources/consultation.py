"""Table "Consultation" of the care database.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.care_tables import CareTable
from chu_platform.sources.delivered import Delivered
from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.slices import MONTHLY
from chu_platform.tables.table import Layer, Table, Zone

consultation = Table(
    name="Consultation",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one consultation",
    label="Consultations",
    owner="team:care-data",
    columns=[
        Column("Num_consultation", INTEGER, "number of the consultation", "Numéro de consultation", key=True),
        Column("Id_mut", INTEGER, "insurer of the patient; 0 means none", "Identifiant de la mutuelle"),
        Column("Id_patient", INTEGER, "patient seen", "Identifiant du patient", identifying=True),
        Column(
            "Id_prof_sante",
            STRING,
            "professional: RPPS or ADELI number",
            "Identifiant du professionnel",
            identifying=True,
        ),
        Column("Code_diag", STRING, "CIM-10 code without the dot", "Code diagnostic"),
        Column("Motif", STRING, "reason given for the consultation, free text", "Motif", identifying=True),
        Column("Date", DATE, "day of the consultation", "Date", nullable=False),
        Column("Heure_debut", STRING, "start, HH:MM:SS", "Heure de début"),
        Column("Heure_fin", STRING, "end, HH:MM:SS; earlier than the start in night slots", "Heure de fin"),
        Column("month", STRING, "month of the consultation, YYYY-MM", "Mois"),
    ],
    rows=Delivered(CareTable("Consultation"), derived={"month": "strftime(\"Date\", '%Y-%m')"}),
    slicing=MONTHLY,
)
