"""Identifiers of health professionals and their pseudonyms (restricted zone)."""

import pyarrow as pa
import pyarrow.compute as pc

from chu_platform.pseudonymisation.keyed_hash import SECRET_KEY, PseudonymKey
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.professionnel_de_sante import professionnel_de_sante
from chu_platform.sources.professionnel_sante import professionnel_sante
from chu_platform.tables.checks import unique
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import PSEUDONYMS
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone

IDENTIFIER_COLUMNS = ("care.Identifiant", "register.identifiant", "activity.identifiant")


def _rows(care: pa.Table, register: pa.Table, activity: pa.Table, key: PseudonymKey) -> pa.Table:
    delivered = pa.chunked_array(
        [*care["Identifiant"].chunks, *register["identifiant"].chunks, *activity["identifiant"].chunks],
        pa.string(),
    )
    identifiers = pc.unique(delivered)
    hashed = key.pseudonyms("professional", identifiers.to_pylist())
    return pa.table({"Identifiant": identifiers, "professional_key": hashed})


professional_pseudonym = Table(
    name="professional_pseudonym",
    layer=Layer.PSEUDONYMS,
    zone=Zone.RESTRICTED,
    grain="un professionnel connu d’une source",
    label="Pseudonymes des professionnels",
    owner="team:privacy",
    access=PSEUDONYMS,
    columns=[
        Column("Identifiant", STRING, "identifiant tel que livré", "Identifiant", key=True, identifying=True),
        Column(
            "professional_key",
            STRING,
            "pseudonyme : empreinte de l’identifiant sous une clé secrète",
            "Pseudonyme",
            nullable=False,
            identifying=True,
        ),
    ],
    reads={
        "care": professionnel_de_sante,
        "register": professionnel_sante,
        "activity": activite_professionnel_sante,
    },
    rows=Computed(
        _rows,
        columns={"care": ["Identifiant"], "register": ["identifiant"], "activity": ["identifiant"]},
        given=("key",),
        from_columns={"Identifiant": IDENTIFIER_COLUMNS, "professional_key": [*IDENTIFIER_COLUMNS, SECRET_KEY]},
    ),
    checks=[unique("professional_key")],
)
