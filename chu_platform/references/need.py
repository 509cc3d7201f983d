"""The register of needs: what readers decide, with which question, and which indicators answer it or why none does."""

import pyarrow as pa

from chu_platform.building_blocks.packaged_references import packaged, packaged_column
from chu_platform.building_blocks.reader_needs import COLUMNS
from chu_platform.tables.checks import holds
from chu_platform.tables.columns import STRING, Column, arrow_schema
from chu_platform.tables.policies import OPEN_DATA
from chu_platform.tables.rows import ADDED_NEEDS, EVERY_ROW, Computed
from chu_platform.tables.table import Layer, Table, Zone

PACKAGED = "needs"


def _rows(needs: pa.Table) -> pa.Table:
    """The packaged needs and those that readers have added; an empty answer is none."""
    both = pa.concat_tables([packaged(PACKAGED), needs])
    rows = [{name: value or None for name, value in row.items()} for row in both.to_pylist()]
    return pa.Table.from_pylist(rows, arrow_schema(need.columns))


need = Table(
    name="need",
    layer=Layer.REFERENCES,
    zone=Zone.PUBLISHED,
    grain="un besoin d’un lecteur",
    label="Besoins des lecteurs",
    owner="team:references",
    access=OPEN_DATA,
    columns=[
        Column("need", STRING, "numéro du besoin : B du projet, A ajouté par un lecteur", "Numéro", key=True),
        Column("reader", STRING, "fonction de celui qui décide, jamais un nom", "Qui", nullable=False),
        Column("decides", STRING, "ce qu’il décide", "Décide", nullable=False),
        Column("question", STRING, "question qu’il pose aux données", "Question", nullable=False),
        Column("indicator", STRING, "noms des indicateurs qui y répondent, séparés par un espace", "Indicateurs"),
        Column("not_answerable", STRING, "pourquoi les données n’y répondent pas", "Sans réponse parce que"),
    ],
    rows=Computed(
        _rows,
        given=("needs",),
        from_columns={
            EVERY_ROW: [packaged_column(PACKAGED, "need"), ADDED_NEEDS],
            **{name: [packaged_column(PACKAGED, name), ADDED_NEEDS] for name in ("need", *COLUMNS)},
        },
    ),
    checks=[
        holds(
            "a_need_is_answered_or_not",
            "(indicator IS NULL) <> (not_answerable IS NULL)",
            "un besoin a soit des indicateurs, soit la raison pour laquelle il n’en a pas",
        )
    ],
)
