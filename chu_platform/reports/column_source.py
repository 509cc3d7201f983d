"""Delivered columns from which each column of each table is derived (whole lineage). Contains names, no data."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from chu_platform.tables.columns import BOOLEAN, STRING, Column, arrow_schema
from chu_platform.tables.policies import REPORTS
from chu_platform.tables.rows import DECLARATIONS, Computed
from chu_platform.tables.table import Layer, Table, Zone


def _rows(tables: Sequence[Table]) -> pa.Table:
    rows = [row for table in tables for made in table.outputs for row in _rows_of(made)]
    return pa.Table.from_pylist(rows, arrow_schema(column_source.columns))


def _rows_of(table: Table) -> Iterator[dict[str, object]]:
    # Imported here because a code location does not need the SQL parser.
    from chu_platform.lineage.whole_lineage import influences_of, values_of
    from chu_platform.tables.column_origins import Field

    for column in table.columns:
        field = Field(table, column.name)
        for ends, direct in ((values_of(field), True), (influences_of(field), False)):
            for end in ends:
                yield {
                    "layer": table.layer.value,
                    "table": table.name,
                    "column": column.name,
                    "source_layer": end.field.table.layer.value,
                    "source_table": end.field.table.name,
                    "source_column": end.field.column,
                    "delivery": end.source.name,
                    "delivered_as": end.source.column or "-",
                    "direct": direct,
                }


column_source = Table(
    name="column_source",
    layer=Layer.REPORTS,
    zone=Zone.PUBLISHED,
    grain="une colonne d’une table et une colonne livrée où son lignage aboutit",
    label="Sources des colonnes",
    owner="team:platform",
    access=REPORTS,
    columns=[
        Column("layer", STRING, "couche de la table", "Couche", key=True),
        Column("table", STRING, "nom de la table", "Table", key=True),
        Column("column", STRING, "nom de la colonne", "Colonne", key=True),
        Column(
            "source_layer", STRING, "couche de la dernière table en remontant le lignage", "Couche source", key=True
        ),
        Column("source_table", STRING, "dernière table en remontant le lignage", "Table source", key=True),
        Column("source_column", STRING, "colonne de cette table", "Colonne source", key=True),
        Column(
            "delivery",
            STRING,
            "fichier, table de la base de données ou autre lieu d’où elle est lue",
            "Livraison",
            key=True,
        ),
        Column("delivered_as", STRING, "en-tête, positions ou partie du nom du fichier", "Colonne livrée", key=True),
        Column(
            "direct",
            BOOLEAN,
            "vrai si sa valeur est transmise ; faux si elle détermine seulement des valeurs ou des lignes",
            "Directe",
            nullable=False,
        ),
    ],
    rows=Computed(
        _rows,
        given=("tables",),
        from_columns=dict.fromkeys(
            (
                "layer",
                "table",
                "column",
                "source_layer",
                "source_table",
                "source_column",
                "delivery",
                "delivered_as",
                "direct",
            ),
            (DECLARATIONS,),
        ),
    ),
)
