"""The French CIM-10: official codes with category and chapter."""

import duckdb
import pyarrow as pa

from chu_platform.building_blocks.packaged_references import cim10_codes, packaged, packaged_columns
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import EVERY_ROW, Computed, ExternalSource
from chu_platform.tables.table import Layer, Layout, Table, Zone

CIM10_FILE = "cim10.csv.gz (paquet edsnlp)"
CODE = ExternalSource(CIM10_FILE, "code")


def _rows() -> pa.Table:
    connection = duckdb.connect()
    connection.register("code", cim10_codes())
    connection.register("chapter", packaged("cim10_chapters"))
    return connection.sql(
        """
        SELECT c.code, c.long AS label, left(c.code, 3) AS category_code, h.chapter_code, h.chapter_label
        FROM code c JOIN chapter h ON left(c.code, 3) BETWEEN h.first_category AND h.last_category
        """
    ).to_arrow_table()


cim10 = Table(
    name="cim10",
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    grain="un code officiel de la CIM-10 française, catégories comprises",
    label="CIM-10 (codes officiels)",
    owner="team:references",
    access=REFERENCES,
    columns=[
        Column("code", STRING, "code sans le point", "Code CIM-10", key=True),
        Column("label", STRING, "libellé officiel", "Libellé", nullable=False),
        Column("category_code", STRING, "trois premiers caractères du code", "Catégorie", nullable=False),
        Column("chapter_code", STRING, "chapitre, en chiffres romains", "Chapitre", nullable=False),
        Column("chapter_label", STRING, "titre du chapitre", "Libellé du chapitre", nullable=False),
    ],
    rows=Computed(
        _rows,
        from_columns={
            "code": [CODE],
            "label": [ExternalSource(CIM10_FILE, "long")],
            "category_code": [CODE],
            **{c: [CODE, *packaged_columns("cim10_chapters")[c]] for c in ("chapter_code", "chapter_label")},
            EVERY_ROW: [CODE],
        },
    ),
    layout=Layout(partition_by=["chapter_code"], z_order_by=["code"]),
)
