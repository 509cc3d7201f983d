"""Columns and their types, with the names that these have in Arrow, Spark SQL and DuckDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

STRING: Final = pa.string()
INTEGER: Final = pa.int32()
LONG: Final = pa.int64()
DOUBLE: Final = pa.float64()
BOOLEAN: Final = pa.bool_()
DATE: Final = pa.date32()
# A share of one event: exact, so that sums neither depend on their order nor drift from the whole.
WEIGHT: Final = pa.decimal128(20, 12)
SQL_NAMES: Final = {
    STRING: "STRING",
    INTEGER: "INT",
    LONG: "BIGINT",
    DOUBLE: "DOUBLE",
    BOOLEAN: "BOOLEAN",
    DATE: "DATE",
}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    `label` and `description` are French, for readers: what the column is called, and what its values are (units, what
    null means, what they are computed from), so that it reads on after the label. `key` columns make up the grain
    together and are never null. `identifying` columns exist in the restricted zone only, and never reach Delta
    statistics.
    """

    name: str
    type: pa.DataType
    description: str
    label: str
    key: bool = False
    nullable: bool = True
    identifying: bool = False

    @property
    def said(self) -> str:
        """Label and description in one text, where there is room for one only."""
        return f"{self.label} – {self.description}"

    @property
    def required(self) -> bool:
        """True when the column may not be null."""
        return self.key or not self.nullable


def sql_type(type_: pa.DataType) -> str:
    """Name of an Arrow type in Spark SQL, which DuckDB understands too."""
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    return SQL_NAMES[type_]


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of such a name. Raises KeyError for any other text."""
    return {sql_type(known): known for known in (*SQL_NAMES, WEIGHT)}[name]


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema of a table: names, types, nullability, and the descriptions as Delta comments."""
    return pa.schema(
        [pa.field(c.name, c.type, nullable=not c.required, metadata={"comment": c.description}) for c in columns]
    )
