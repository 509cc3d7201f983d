"""Of whom no row is kept, as keyed hashes: the requests that `chu erase` has appended to its file (restricted zone).

The sources read the same file, so that a source that is made alone, in a new lake, leaves these persons out as well.
"""

import pyarrow as pa

from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import OPPOSITION_LIST
from chu_platform.tables.rows import EVERY_ROW, OPPOSITIONS, Computed
from chu_platform.tables.table import Layer, Table, Zone


def _rows(oppositions: pa.Table) -> pa.Table:
    return oppositions


opposition = Table(
    name="opposition",
    layer=Layer.PSEUDONYMS,
    zone=Zone.RESTRICTED,
    grain="un texte d’une personne dont aucune ligne n’est gardée",
    label="Liste d’opposition",
    owner="team:privacy",
    columns=[
        Column("request", STRING, "numéro de la demande", "Demande", nullable=False),
        Column(
            "kind",
            STRING,
            "ce qu’est le texte : numéro de patient, identité, noms, décès, jour ou coordonnée",
            "Nature du texte",
            key=True,
        ),
        Column("hash", STRING, "empreinte du texte sous une clé secrète propre à la liste", "Empreinte", key=True),
        Column("requested_at", STRING, "moment de la demande, UTC, ISO 8601", "Demandé le", nullable=False),
    ],
    rows=Computed(
        _rows,
        given=("oppositions",),
        from_columns={
            EVERY_ROW: [OPPOSITIONS],
            **{n: [OPPOSITIONS] for n in ("request", "kind", "hash", "requested_at")},
        },
    ),
    access=OPPOSITION_LIST,
)
