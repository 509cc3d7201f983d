"""The recommendations: in each domain the candidates, the criteria with their weights, and each mark with its evidence.

Weights and marks are declared in two CSV files; scores follow from them by SQL, and are never written down.
"""

import pyarrow as pa

from chu_platform.building_blocks.packaged_references import packaged, packaged_column, packaged_columns
from chu_platform.tables.checks import holds, one_of
from chu_platform.tables.columns import LONG, STRING, Column, arrow_schema
from chu_platform.tables.policies import OPEN_DATA
from chu_platform.tables.rows import EVERY_ROW, Computed
from chu_platform.tables.table import Layer, Table, Zone

CRITERIA = "recommendation_criteria"
MARKS = "recommendation_marks"
MEASURED, CITED, OPINION = "mesuré", "cité", "avis"
MOST = 4


def _rows() -> pa.Table:
    """The marks, each with the weight and the requirement of its criterion."""
    criteria = {(c["domain"], c["criterion"]): c for c in packaged(CRITERIA).to_pylist()}
    found = []
    for place, row in enumerate(packaged(MARKS).to_pylist()):
        whole = {**row, **criteria[row["domain"], row["criterion"]]}
        found.append({**whole, "place": place, "weight": int(whole["weight"]), "mark": int(whole["mark"])})
    return pa.Table.from_pylist(found, arrow_schema(recommendation.columns))


recommendation = Table(
    name="recommendation",
    layer=Layer.REFERENCES,
    zone=Zone.PUBLISHED,
    grain="la note d’un candidat pour un critère d’un domaine",
    label="Préconisations : notes et preuves",
    owner="team:references",
    access=OPEN_DATA,
    columns=[
        Column("domain", STRING, "domaine de la préconisation", "Domaine", key=True),
        Column("candidate", STRING, "outil ou option comparé", "Candidat", key=True),
        Column("criterion", STRING, "critère", "Critère", key=True),
        Column("domain_label", STRING, "nom du domaine", "Nom du domaine", nullable=False),
        Column("requirement", STRING, "exigence que le critère mesure", "Exigence", nullable=False),
        Column("weight", LONG, "poids du critère, sur 100 dans le domaine", "Poids", nullable=False),
        Column("mark", LONG, "note de 0 (exclut) à 4 (très bon)", "Note", nullable=False),
        Column("kind", STRING, "nature de la preuve : mesuré, cité ou avis", "Nature", nullable=False),
        Column("evidence", STRING, "ce qui justifie la note", "Preuve", nullable=False),
        Column("source", STRING, "commande et relevé, adresse et date, ou auteur de l’avis", "Source", nullable=False),
        Column("place", LONG, "rang de la note dans la déclaration", "Rang", nullable=False),
    ],
    rows=Computed(
        _rows,
        from_columns={
            EVERY_ROW: [packaged_column(MARKS, "domain"), packaged_column(CRITERIA, "domain")],
            "place": [packaged_column(MARKS, "domain")],
            **packaged_columns(MARKS),
            **packaged_columns(CRITERIA),
        },
    ),
    checks=[
        one_of("kind", [MEASURED, CITED, OPINION]),
        holds("a_mark_is_on_the_scale", f"mark BETWEEN 0 AND {MOST}", "une note va de 0 à 4"),
        holds("a_weight_is_a_part", "weight BETWEEN 1 AND 100", "un poids va de 1 à 100"),
    ],
)
