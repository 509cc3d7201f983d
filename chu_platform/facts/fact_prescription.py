"""Medications prescribed in consultations."""

from chu_platform.dimensions.dim_medication import dim_medication
from chu_platform.dimensions.dim_patient import dim_patient
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.pseudonymisation.consultation_surrogate import consultation_surrogate
from chu_platform.sources.prescription import prescription
from chu_platform.tables.checks import USUALLY_MISSING, last_event, relation, same_row_count_as
from chu_platform.tables.columns import DATE, STRING, Column
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.policies import PSEUDONYMISED
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN
from chu_platform.tables.table import Layer, Layout, Table, Zone

fact_prescription = Table(
    name="fact_prescription",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="une ligne de prescription ; la source n’a pas de clé, les lignes identiques sont donc toutes gardées",
    label="Prescriptions",
    owner="team:facts",
    access=PSEUDONYMISED,
    columns=[
        Column(
            "month",
            STRING,
            "mois de la consultation ; vide si la consultation est inconnue",
            "Mois",
            quasi_identifying=True,
        ),
        Column("date", DATE, "jour de la consultation", "Date", quasi_identifying=True),
        Column(
            "consultation_key",
            STRING,
            "substitut du numéro de la consultation ; vide si la consultation est inconnue",
            "Consultation",
        ),
        Column("patient_key", STRING, "patient, sous son pseudonyme", "Patient", nullable=False),
        Column("professional_key", STRING, "professionnel, sous son pseudonyme", "Professionnel", nullable=False),
        Column("medication_key", STRING, "code CIS du médicament", "Médicament", nullable=False, sensitive=True),
    ],
    reads={
        "prescription": prescription,
        "surrogate": consultation_surrogate,
        "consultation": fact_consultation,
        "medication": dim_medication,
    },
    rows=Query(
        f"""
        SELECT c.month, c.date, c.consultation_key,
               coalesce(c.patient_key, '{UNKNOWN}') AS patient_key,
               coalesce(c.professional_key, '{UNKNOWN}') AS professional_key,
               coalesce(m.medication_key, '{UNKNOWN}') AS medication_key
        FROM {{prescription}} p
        LEFT JOIN {{surrogate}} s ON s.Num_consultation = p.Num_consultation
        LEFT JOIN {{consultation}} c ON c.consultation_key = s.consultation_key
        LEFT JOIN {{medication}} m ON m.medication_key = p.Code_CIS
        """
    ),
    checks=[
        same_row_count_as(prescription),
        *relation("patient_key", dim_patient, each_partition=True, warns_above=USUALLY_MISSING),
        *relation("professional_key", dim_professional, each_partition=True, warns_above=USUALLY_MISSING),
        *relation("medication_key", dim_medication, each_partition=True, warns_above=USUALLY_MISSING),
        last_event("date", 31),
    ],
    layout=Layout(z_order_by=["medication_key"]),
    partition_scheme=MONTHLY,
)
