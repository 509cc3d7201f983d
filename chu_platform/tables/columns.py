"""Columns of a declared table, and their types in Arrow, Spark SQL and DuckDB."""

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
# Share of one event. Decimal, so that sums are exact and independent of the order of the rows.
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

    `label` and `description` are French. The description gives units, the meaning of null and the computation; it is
    displayed after the label. The `key` columns together identify a row and are never null. `identifying` columns
    exist only in the restricted zone and have no Delta statistics. `quasi_identifying` columns say something about a
    person that others may know, such as a date of care: together they can lead to the person. `sensitive` columns say
    what others must not learn about the person, such as a diagnosis.
    """

    name: str
    type: pa.DataType
    description: str
    label: str
    key: bool = False
    nullable: bool = True
    identifying: bool = False
    quasi_identifying: bool = False
    sensitive: bool = False

    @property
    def full_description(self) -> str:
        """Label and description in one text."""
        return f"{self.label} – {self.description}"

    @property
    def required(self) -> bool:
        """Whether the column must not be null."""
        return self.key or not self.nullable


def sql_type(type_: pa.DataType) -> str:
    """Name of an Arrow type that is valid in both Spark SQL and DuckDB."""
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    return SQL_NAMES[type_]


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type for a name returned by `sql_type`. Raises KeyError for an unknown name."""
    return {sql_type(known): known for known in (*SQL_NAMES, WEIGHT)}[name]


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """Arrow schema of a table: names, types, nullability, and descriptions as Delta comments."""
    return pa.schema(
        [pa.field(c.name, c.type, nullable=not c.required, metadata={"comment": c.description}) for c in columns]
    )
