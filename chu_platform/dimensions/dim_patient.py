"""Patients, without identifying columns."""

from chu_platform.pseudonymisation.patient_pseudonym import patient_pseudonym
from chu_platform.sources.patient import patient
from chu_platform.tables.checks import one_of
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.policies import PSEUDONYMISED
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, sex_of, us_date
from chu_platform.tables.table import Layer, Layout, Table, Zone

dim_patient = Table(
    name="dim_patient",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un patient du groupe, et le membre inconnu",
    label="Patients (pseudonymisés)",
    owner="team:dimensions",
    access=PSEUDONYMISED,
    columns=[
        Column("patient_key", STRING, "pseudonyme du patient", "Patient", key=True),
        Column("sex", STRING, "F, M ou unknown (inconnu)", "Sexe", nullable=False, quasi_identifying=True),
        Column(
            "birth_year", INTEGER, "année de naissance ; vide si inconnue", "Année de naissance", quasi_identifying=True
        ),
    ],
    reads={"patient": patient, "pseudonym": patient_pseudonym},
    rows=Query(
        f"""
        SELECT k.patient_key,
               {sex_of("p.Sexe")} AS sex,
               year({us_date("p.Date")}) AS birth_year
        FROM {{patient}} p JOIN {{pseudonym}} k ON k.Id_patient = p.Id_patient
        UNION ALL
        SELECT '{UNKNOWN}', 'unknown', NULL
        """
    ),
    checks=[one_of("sex", ["F", "M", "unknown"])],
    layout=Layout(partition_by=["sex"], z_order_by=["patient_key"]),
)
