"""Numbers of consultations in the care database, and their surrogates (restricted zone)."""

import pyarrow as pa

from chu_platform.pseudonymisation.keyed_hash import SECRET_KEY, PseudonymKey
from chu_platform.sources.consultation import consultation
from chu_platform.tables.checks import same_row_count_as, unique
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.policies import PSEUDONYMS
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone


def _rows(consultation: pa.Table, key: PseudonymKey) -> pa.Table:
    numbers = consultation["Num_consultation"]
    hashed = key.surrogates("consultation", numbers)
    return pa.table({"Num_consultation": numbers, "month": consultation["month"], "consultation_key": hashed})


consultation_surrogate = Table(
    name="consultation_surrogate",
    layer=Layer.PSEUDONYMS,
    zone=Zone.RESTRICTED,
    grain="une consultation",
    label="Substituts des numéros de consultation",
    owner="team:privacy",
    access=PSEUDONYMS,
    columns=[
        Column("Num_consultation", INTEGER, "numéro tel que livré", "Numéro de consultation", key=True),
        Column("month", STRING, "mois de la consultation, AAAA-MM", "Mois", nullable=False),
        Column(
            "consultation_key",
            STRING,
            "substitut du numéro : empreinte du numéro sous une clé secrète",
            "Consultation",
            nullable=False,
        ),
    ],
    reads={"consultation": consultation},
    rows=Computed(
        _rows,
        columns={"consultation": ["Num_consultation", "month"]},
        given=("key",),
        from_columns={
            "Num_consultation": ["consultation.Num_consultation"],
            "month": ["consultation.month"],
            "consultation_key": ["consultation.Num_consultation", SECRET_KEY],
        },
    ),
    checks=[unique("consultation_key"), same_row_count_as(consultation)],
    partition_scheme=MONTHLY,
    derives_from=["consultation"],
)
