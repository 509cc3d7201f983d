"""Patient identifiers and their pseudonyms (restricted zone)."""

import pyarrow as pa

from chu_platform.pseudonymisation.keyed_hash import SECRET_KEY, PseudonymKey
from chu_platform.sources.patient import patient
from chu_platform.tables.checks import unique
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.policies import PSEUDONYMS
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone


def _rows(patient: pa.Table, key: PseudonymKey) -> pa.Table:
    identifiers = patient["Id_patient"].to_pylist()
    return pa.table({"Id_patient": patient["Id_patient"], "patient_key": key.pseudonyms("patient", identifiers)})


patient_pseudonym = Table(
    name="patient_pseudonym",
    layer=Layer.PSEUDONYMS,
    zone=Zone.RESTRICTED,
    grain="un patient connu d’une source",
    label="Pseudonymes des patients",
    owner="team:privacy",
    access=PSEUDONYMS,
    columns=[
        Column("Id_patient", INTEGER, "identifiant tel que livré", "Identifiant", key=True, identifying=True),
        Column(
            "patient_key",
            STRING,
            "pseudonyme : empreinte de l’identifiant sous une clé secrète",
            "Pseudonyme",
            nullable=False,
            identifying=True,
        ),
    ],
    reads={"patient": patient},
    rows=Computed(
        _rows,
        columns={"patient": ["Id_patient"]},
        given=("key",),
        from_columns={"Id_patient": ["patient.Id_patient"], "patient_key": ["patient.Id_patient", SECRET_KEY]},
    ),
    checks=[unique("patient_key")],
)
