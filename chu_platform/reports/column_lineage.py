"""Direct origins of each column of each table (one step back). Contains names, no data."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from chu_platform.tables.checks import one_of
from chu_platform.tables.columns import BOOLEAN, STRING, Column, arrow_schema
from chu_platform.tables.influence import Influence
from chu_platform.tables.policies import REPORTS
from chu_platform.tables.rows import DECLARATIONS, EVERY_ROW, Computed, ExternalSource
from chu_platform.tables.table import Layer, Table, Zone

if TYPE_CHECKING:
    from chu_platform.lineage.table_lineage import ColumnOrigin

OUTSIDE = "outside"


def _rows(tables: Sequence[Table]) -> pa.Table:
    rows = [row for table in tables for made in table.outputs for row in _rows_of(made)]
    return pa.Table.from_pylist(rows, arrow_schema(column_lineage.columns))


def _rows_of(table: Table) -> Iterator[dict[str, object]]:
    # Imported here because a code location does not need the SQL parser.
    from chu_platform.lineage.table_lineage import lineage_of

    lineage = lineage_of(table)
    for column, origins in lineage.columns.items():
        for origin, kind in origins.items():
            yield _row(table, column, origin, kind)
    for origin, kinds in lineage.rows.items():
        for kind in sorted(kinds):
            yield _row(table, EVERY_ROW, origin, kind)


def _row(table: Table, column: str, origin: "ColumnOrigin", kind: Influence) -> dict[str, object]:
    outside = isinstance(origin, ExternalSource)
    return {
        "layer": table.layer.value,
        "table": table.name,
        "column": column,
        "from_layer": OUTSIDE if isinstance(origin, ExternalSource) else origin.table.layer.value,
        "from_table": origin.name if isinstance(origin, ExternalSource) else origin.table.name,
        "from_column": (origin.column or "-") if outside else origin.column,
        "kind": kind.value,
        "direct": kind.direct,
    }


column_lineage = Table(
    name="column_lineage",
    layer=Layer.REPORTS,
    zone=Zone.PUBLISHED,
    grain="une colonne d’une table et une colonne, une étape en amont, qui la fournit ou la détermine",
    label="Lignage des colonnes",
    owner="team:platform",
    access=REPORTS,
    columns=[
        Column("layer", STRING, "couche de la table", "Couche", key=True),
        Column("table", STRING, "nom de la table", "Table", key=True),
        Column("column", STRING, "colonne ; * : ce qui détermine les lignes présentes", "Colonne", key=True),
        Column(
            "from_layer",
            STRING,
            "couche de la table dont elle vient ; hors du lac : outside",
            "Couche d’origine",
            key=True,
        ),
        Column(
            "from_table",
            STRING,
            "table, fichier ou table de la base de données dont elle vient",
            "Table d’origine",
            key=True,
        ),
        Column("from_column", STRING, "colonne, ou position dans le fichier", "Colonne d’origine", key=True),
        Column(
            "kind",
            STRING,
            "identity (reprise), transformation (calcul), aggregation (agrégat) ; condition, mask (masquage) ; join (jointure), filter (filtre), grouping (regroupement)",
            "Nature",
            key=True,
        ),
        Column("direct", BOOLEAN, "vrai si la valeur elle-même est transmise", "Directe", nullable=False),
    ],
    rows=Computed(
        _rows,
        given=("tables",),
        from_columns=dict.fromkeys(
            ("layer", "table", "column", "from_layer", "from_table", "from_column", "kind", "direct"), (DECLARATIONS,)
        ),
    ),
    checks=[one_of("kind", list(Influence))],
)
