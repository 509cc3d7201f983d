"""Statements of Spark SQL that create and fill a table: with Delta or as bucketed Parquet."""

from collections.abc import Mapping, Sequence

from chu_platform.layouts.declarations import BUCKETS, Kind, TableLayout
from chu_platform.tables.columns import Column, sql_type
from chu_platform.tables.table import Table


def spark_literal(text: str) -> str:
    """A text as a literal of Spark SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def create_table(
    name: str,
    table: Table,
    layout: TableLayout,
    kind: Kind,
    location: str | None = None,
    properties: Mapping[str, str] | None = None,
) -> str:
    """CREATE TABLE for a table with this layout: columns with comments and NOT NULL, generated columns, place.

    Spark with Delta refuses hash buckets (CLUSTERED BY ... INTO n BUCKETS), so that a bucketed table is Parquet.
    """
    defined = [_column(c) for c in table.columns]
    defined += [f"`{p.name}` STRING GENERATED ALWAYS AS ({p.sql})" for p in layout.generated]
    columns = ",\n  ".join(defined)
    parts = [f"CREATE TABLE IF NOT EXISTS {name} (\n  {columns}\n)"]
    parts.append("USING PARQUET" if kind is Kind.BUCKETED else "USING DELTA")
    if layout.buckets:
        parts.append(f"CLUSTERED BY (`{layout.buckets}`) SORTED BY (`{layout.buckets}`) INTO {BUCKETS} BUCKETS")
    if layout.partition_by:
        parts.append(f"PARTITIONED BY ({_names(layout.partition_by)})")
    if kind is Kind.CLUSTERED:
        parts.append(f"CLUSTER BY ({_names(layout.order_by)})")
    if location:
        parts.append(f"LOCATION {spark_literal(location)}")
    parts.append(f"COMMENT {spark_literal(table.full_description)}")
    if properties:
        listed = ", ".join(f"{spark_literal(n)} = {spark_literal(v)}" for n, v in properties.items())
        parts.append(f"TBLPROPERTIES ({listed})")
    return "\n".join(parts)


def replace_rows(name: str, table: Table, rows: str) -> str:
    """INSERT OVERWRITE of the declared columns of `rows`, a relation of Spark SQL."""
    return f"INSERT OVERWRITE {name} {_selected(table, rows, '')}"


def insert_rows(name: str, table: Table, rows: str, layout: TableLayout) -> str:
    """INSERT of the declared columns of `rows` into a new table with this layout.

    Each bucket of a bucketed table is written by one task, as one file. It is no INSERT OVERWRITE, because that drops
    the clustering of a Delta table (Delta 4.4).
    """
    hint = f" /*+ REPARTITION({BUCKETS}, `{layout.buckets}`) */" if layout.buckets else ""
    return f"INSERT INTO {name} {_selected(table, rows, hint)}"


def _selected(table: Table, rows: str, hint: str) -> str:
    values = ",\n  ".join(f"CAST(`{c.name}` AS {sql_type(c.type)}) AS `{c.name}`" for c in table.columns)
    return f"({_names([c.name for c in table.columns])})\nSELECT{hint}\n  {values}\nFROM {rows}"


def optimize(name: str, layout: TableLayout, kind: Kind) -> str | None:
    """OPTIMIZE that orders the rows of a table, if its layout has an order."""
    if kind is Kind.CLUSTERED:
        return f"OPTIMIZE {name} FULL"
    return f"OPTIMIZE {name} ZORDER BY ({_names(layout.order_by)})" if layout.order_by else None


def _column(column: Column) -> str:
    required = " NOT NULL" if column.required else ""
    return f"`{column.name}` {sql_type(column.type)}{required} COMMENT {spark_literal(column.description)}"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
