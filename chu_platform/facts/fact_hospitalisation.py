"""Hospital stays."""

from typing import Final

from chu_platform.building_blocks.birth_checks import flagged, flags, not_before_birth, plausible_age
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_patient import dim_patient
from chu_platform.dimensions.establishment_history import establishment_history
from chu_platform.pseudonymisation.patient_pseudonym import patient_pseudonym
from chu_platform.pseudonymisation.stay_surrogate import stay_surrogate
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.patient import patient
from chu_platform.tables.checks import (
    USUALLY_MISSING,
    between,
    foreign_key,
    last_event,
    mostly_found,
    relation,
    same_row_count_as,
    usually_found,
)
from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.policies import PSEUDONYMISED
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, age_band, completed_years, us_date
from chu_platform.tables.table import Layer, Layout, Table, Zone
from chu_platform.tables.versions import valid_on, version_of_none

# Days of stay. Longer stays are ordinary, but may be typing errors.
LONG_STAY: Final = 366
LONG: Final = f", CASE WHEN e.Jour_Hospitalisation > {LONG_STAY} THEN 'over_{LONG_STAY}_days' END"

fact_hospitalisation = Table(
    name="fact_hospitalisation",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="un séjour hospitalier",
    label="Séjours hospitaliers",
    owner="team:facts",
    access=PSEUDONYMISED,
    columns=[
        Column("stay_key", STRING, "substitut du numéro du séjour", "Séjour", key=True),
        Column("month", STRING, "mois d’entrée, AAAA-MM", "Mois", nullable=False, quasi_identifying=True),
        Column("date", DATE, "jour d’entrée", "Date d’entrée", nullable=False, quasi_identifying=True),
        Column("patient_key", STRING, "patient, sous son pseudonyme", "Patient", nullable=False),
        Column(
            "establishment_key",
            STRING,
            "établissement du séjour",
            "Établissement",
            nullable=False,
            quasi_identifying=True,
        ),
        Column(
            "establishment_version",
            STRING,
            "version de l’établissement valable le jour d’entrée",
            "Version de l’établissement",
            nullable=False,
        ),
        Column("diagnosis_key", STRING, "code CIM-10 sans le point", "Diagnostic", nullable=False, sensitive=True),
        Column("sex", STRING, "F, M ou unknown (inconnu)", "Sexe", nullable=False, quasi_identifying=True),
        Column("age", INTEGER, "âge en années révolues à l’entrée ; vide si inconnu", "Âge", quasi_identifying=True),
        Column(
            "age_band",
            STRING,
            "tranche de cinq ans de l’âge ; unknown si l’âge est inconnu",
            "Tranche d’âge",
            nullable=False,
            quasi_identifying=True,
        ),
        Column(
            "days",
            INTEGER,
            "durée du séjour, en jours",
            "Durée de séjour (jours)",
            nullable=False,
            quasi_identifying=True,
        ),
        flags(f", over_{LONG_STAY}_days (plus de {LONG_STAY} jours)"),
    ],
    reads={
        "stay": hospitalisations,
        "surrogate": stay_surrogate,
        "patient": patient,
        "patient_pseudonym": patient_pseudonym,
        "dim_patient": dim_patient,
        "establishment": establishment_history,
        "diagnosis": dim_diagnosis,
    },
    rows=Query(
        f"""
        WITH born AS (
            SELECT p.Id_patient, k.patient_key, {us_date("p.Date")} AS birth_date
            FROM {{patient}} p JOIN {{patient_pseudonym}} k ON k.Id_patient = p.Id_patient
        ),
        event AS (
            SELECT s.*, coalesce(b.patient_key, '{UNKNOWN}') AS patient_key,
                   b.birth_date, {completed_years("b.birth_date", "s.Date_Entree")} AS age
            FROM {{stay}} s LEFT JOIN born b ON b.Id_patient = s.Id_patient
        )
        SELECT s.stay_key, e.month, e.Date_Entree AS date, e.patient_key,
               coalesce(f.establishment_key, '{UNKNOWN}') AS establishment_key,
               coalesce(f.establishment_version, '{version_of_none(UNKNOWN)}') AS establishment_version,
               coalesce(d.diagnosis_key, '{UNKNOWN}') AS diagnosis_key,
               p.sex, e.age, {age_band("e.age")} AS age_band, e.Jour_Hospitalisation AS days,
               {flagged("e.Date_Entree", "e.birth_date", "e.age", LONG)} AS flags
        FROM event e
        JOIN {{surrogate}} s ON s.Num_Hospitalisation = e.Num_Hospitalisation AND s.month = e.month
        JOIN {{dim_patient}} p ON p.patient_key = e.patient_key
        -- Some identifiers carry a date after the FINESS number.
        LEFT JOIN {{establishment}} f ON f.establishment_key = substr(e.identifiant_organisation, 1, 10)
             AND {valid_on("e.Date_Entree", "f")}
        LEFT JOIN {{diagnosis}} d ON d.diagnosis_key = e.Code_diagnostic
        """
    ),
    checks=[
        *relation("patient_key", dim_patient, each_partition=True, warns_above=USUALLY_MISSING),
        # Stays may be delivered without an establishment.
        *relation("establishment_key", dim_establishment, blocking=False),
        foreign_key("establishment_version", establishment_history),
        mostly_found(
            "establishment",
            "substr(identifiant_organisation, 1, 10)",
            hospitalisations,
            "establishment_key",
            dim_establishment,
            each="month",
        ),
        usually_found(
            "establishment",
            "substr(identifiant_organisation, 1, 10)",
            hospitalisations,
            "establishment_key",
            dim_establishment,
            USUALLY_MISSING,
            each="month",
        ),
        *relation("diagnosis_key", dim_diagnosis, each_partition=True, warns_above=USUALLY_MISSING),
        same_row_count_as(hospitalisations),
        between("days", 0, LONG_STAY, blocking=False),
        plausible_age(),
        not_before_birth("un séjour", dim_patient),
        last_event("date", 400),
    ],
    layout=Layout(z_order_by=["patient_key", "establishment_key"]),
    partition_scheme=MONTHLY,
    derives_from=["stay", "surrogate"],
)
