"""Numbers of hospital stays, and their surrogates (restricted zone)."""

import pyarrow as pa

from chu_platform.pseudonymisation.keyed_hash import SECRET_KEY, PseudonymKey
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.checks import same_row_count_as, unique
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.policies import PSEUDONYMS
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone


def _rows(stay: pa.Table, key: PseudonymKey) -> pa.Table:
    numbers = stay["Num_Hospitalisation"]
    hashed = key.surrogates("stay", numbers)
    return pa.table({"Num_Hospitalisation": numbers, "month": stay["month"], "stay_key": hashed})


stay_surrogate = Table(
    name="stay_surrogate",
    layer=Layer.PSEUDONYMS,
    zone=Zone.RESTRICTED,
    grain="un séjour hospitalier",
    label="Substituts des numéros de séjour",
    owner="team:privacy",
    access=PSEUDONYMS,
    columns=[
        Column("Num_Hospitalisation", INTEGER, "numéro tel que livré", "Numéro de séjour", key=True),
        Column("month", STRING, "mois d’entrée, AAAA-MM", "Mois", nullable=False),
        Column(
            "stay_key",
            STRING,
            "substitut du numéro : empreinte du numéro sous une clé secrète",
            "Séjour",
            nullable=False,
        ),
    ],
    reads={"stay": hospitalisations},
    rows=Computed(
        _rows,
        columns={"stay": ["Num_Hospitalisation", "month"]},
        given=("key",),
        from_columns={
            "Num_Hospitalisation": ["stay.Num_Hospitalisation"],
            "month": ["stay.month"],
            "stay_key": ["stay.Num_Hospitalisation", SECRET_KEY],
        },
    ),
    checks=[unique("stay_key"), same_row_count_as(hospitalisations)],
    partition_scheme=MONTHLY,
    derives_from=["stay"],
)
