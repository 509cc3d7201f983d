"""Consultations."""

from chu_platform.building_blocks.birth_checks import flagged, flags, not_before_birth, plausible_age
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_insurer import dim_insurer
from chu_platform.dimensions.dim_patient import dim_patient
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.dimensions.insurer_history import insurer_history
from chu_platform.dimensions.professional_history import professional_history
from chu_platform.pseudonymisation.consultation_surrogate import consultation_surrogate
from chu_platform.pseudonymisation.patient_pseudonym import patient_pseudonym
from chu_platform.pseudonymisation.professional_pseudonym import professional_pseudonym
from chu_platform.sources.consultation import consultation
from chu_platform.sources.patient import patient
from chu_platform.tables.checks import USUALLY_MISSING, between, foreign_key, last_event, relation, same_row_count_as
from chu_platform.tables.columns import BOOLEAN, DATE, INTEGER, STRING, Column
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.policies import PSEUDONYMISED
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, age_band, completed_years, minutes, us_date
from chu_platform.tables.table import Layer, Layout, Table, Zone
from chu_platform.tables.versions import valid_on, version_of_none

fact_consultation = Table(
    name="fact_consultation",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="une consultation",
    label="Consultations",
    owner="team:facts",
    access=PSEUDONYMISED,
    columns=[
        Column("consultation_key", STRING, "substitut du numéro de la consultation", "Consultation", key=True),
        Column("month", STRING, "mois de la consultation, AAAA-MM", "Mois", nullable=False, quasi_identifying=True),
        Column("date", DATE, "jour de la consultation", "Date", nullable=False, quasi_identifying=True),
        Column("patient_key", STRING, "patient, sous son pseudonyme", "Patient", nullable=False),
        Column("professional_key", STRING, "professionnel, sous son pseudonyme", "Professionnel", nullable=False),
        Column(
            "professional_version",
            STRING,
            "version du professionnel valable ce jour-là",
            "Version du professionnel",
            nullable=False,
        ),
        Column(
            "diagnosis_key",
            STRING,
            "diagnostic : code CIM-10 sans le point",
            "Diagnostic",
            nullable=False,
            sensitive=True,
        ),
        Column("insurer_key", STRING, "numéro de la mutuelle", "Mutuelle", nullable=False, quasi_identifying=True),
        Column(
            "insurer_version",
            STRING,
            "version de la mutuelle valable ce jour-là",
            "Version de la mutuelle",
            nullable=False,
        ),
        Column("age", INTEGER, "âge en années révolues ce jour-là ; vide si inconnu", "Âge", quasi_identifying=True),
        Column(
            "age_band",
            STRING,
            "tranche de cinq ans de l’âge ; unknown si l’âge est inconnu",
            "Tranche d’âge",
            nullable=False,
            quasi_identifying=True,
        ),
        Column("start_minute", INTEGER, "heure de début, en minutes depuis minuit", "Début (minutes)"),
        Column(
            "duration_minutes", INTEGER, "durée, en minutes ; un créneau de nuit finit le lendemain", "Durée (minutes)"
        ),
        Column("is_night_slot", BOOLEAN, "vrai si le créneau finit le lendemain", "Créneau de nuit"),
        flags(),
    ],
    reads={
        "consultation": consultation,
        "surrogate": consultation_surrogate,
        "patient": patient,
        "patient_pseudonym": patient_pseudonym,
        "professional_pseudonym": professional_pseudonym,
        "professional": professional_history,
        "diagnosis": dim_diagnosis,
        "insurer": insurer_history,
    },
    rows=Query(
        f"""
        WITH born AS (
            SELECT p.Id_patient, k.patient_key, {us_date("p.Date")} AS birth_date
            FROM {{patient}} p JOIN {{patient_pseudonym}} k ON k.Id_patient = p.Id_patient
        ),
        event AS (
            SELECT c.Num_consultation, c.month, c.Date, c.Id_prof_sante, c.Code_diag, c.Id_mut,
                   coalesce(b.patient_key, '{UNKNOWN}') AS patient_key,
                   b.birth_date, {completed_years("b.birth_date", "c.Date")} AS age,
                   {minutes("c.Heure_debut")} AS start_minute, {minutes("c.Heure_fin")} AS end_minute
            FROM {{consultation}} c LEFT JOIN born b ON b.Id_patient = c.Id_patient
        )
        SELECT s.consultation_key, e.month, e.Date AS date, e.patient_key,
               coalesce(p.professional_key, '{UNKNOWN}') AS professional_key,
               coalesce(v.professional_version, '{version_of_none(UNKNOWN)}') AS professional_version,
               coalesce(d.diagnosis_key, '{UNKNOWN}') AS diagnosis_key,
               coalesce(i.insurer_key, '{UNKNOWN}') AS insurer_key,
               coalesce(i.insurer_version, '{version_of_none(UNKNOWN)}') AS insurer_version,
               e.age, {age_band("e.age")} AS age_band, e.start_minute,
               e.end_minute - e.start_minute + CASE WHEN e.end_minute < e.start_minute THEN 1440 ELSE 0 END AS duration_minutes,
               e.end_minute < e.start_minute AS is_night_slot,
               {flagged("e.Date", "e.birth_date", "e.age")} AS flags
        FROM event e
        JOIN {{surrogate}} s ON s.Num_consultation = e.Num_consultation AND s.month = e.month
        LEFT JOIN {{professional_pseudonym}} p ON p.Identifiant = e.Id_prof_sante
        LEFT JOIN {{professional}} v ON v.professional_key = p.professional_key AND {valid_on("e.Date", "v")}
        LEFT JOIN {{diagnosis}} d ON d.diagnosis_key = e.Code_diag
        LEFT JOIN {{insurer}} i ON i.insurer_key = CAST(coalesce(e.Id_mut, 0) AS STRING)
             AND {valid_on("e.Date", "i")}
        """
    ),
    checks=[
        *relation("patient_key", dim_patient, each_partition=True, warns_above=USUALLY_MISSING),
        *relation("professional_key", dim_professional, each_partition=True, warns_above=USUALLY_MISSING),
        *relation("diagnosis_key", dim_diagnosis, each_partition=True, warns_above=USUALLY_MISSING),
        *relation("insurer_key", dim_insurer, each_partition=True, warns_above=USUALLY_MISSING),
        foreign_key("professional_version", professional_history),
        foreign_key("insurer_version", insurer_history),
        same_row_count_as(consultation),
        plausible_age(),
        # A night slot ends on the next day; no slot is longer than a day.
        between("duration_minutes", 0, 1440, blocking=False),
        not_before_birth("une consultation", dim_patient),
        last_event("date", 31),
    ],
    layout=Layout(z_order_by=["patient_key", "professional_key"]),
    partition_scheme=MONTHLY,
    derives_from=["consultation", "surrogate"],
)
