"""From exact indicators to masks: the cells of a family of indicators that are to be published, and their relations.

A family is protected as one system, because its tables share totals: a masked chapter could be computed from the
total that another table prints. What is published of each table is chosen in the modules of `disclosure`; cells that
are not published but could be computed from published ones take part too (level `hidden`).

Here: the loop over measures, and masks as rows. Not here: which cells a family has (disclosure), how cells are chosen
for masking (suppression).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from chu_platform.sdc.relations import Relations, relations_by_key
from chu_platform.sdc.suppression import protect
from chu_platform.tables.columns import BOOLEAN, DOUBLE, STRING, Column

MASK_COLUMNS: Final[Sequence[Column]] = (
    Column("indicator", STRING, "table de l’indicateur", "Indicateur", key=True),
    Column("cell", STRING, "clé de la ligne, ses parties jointes par |", "Cellule", key=True),
    Column(
        "grain", STRING, "nature de la période de la ligne : month, quarter, year ou all", "Période", nullable=False
    ),
    Column("level", STRING, "niveau de la ligne", "Niveau", nullable=False),
    Column("weight", DOUBLE, "nombre d’événements de la ligne", "Événements", nullable=False),
    Column("is_masked", BOOLEAN, "vrai si les chiffres de la ligne sont masqués", "Masquée", nullable=False),
    Column(
        "reason",
        STRING,
        "primary : de 1 à 10 ; secondary : permettrait de retrouver un chiffre masqué ; vide si rien n’est masqué",
        "Motif du masquage",
    ),
)
TIME_GRAINS: Final = (("month", "quarter"), ("quarter", "year"), ("year", "all"))


def columns_of(*inputs: str, columns: Sequence[str]) -> Sequence[str]:
    """The same columns of several inputs of a mask, as its declaration names them."""
    return [f"{name}.{column}" for name in inputs for column in columns]


def small(column: str) -> str:
    """SQL: whether a count is from 1 to 10, or a fraction of one up to 10.

    Shares have twelve decimals, so that those of ten events may come to a trace more than 10.
    """
    return f"({column} > 0 AND {column} < 10.000001)"


@dataclass(frozen=True)
class Measures:
    """Measures that satisfy the same relations: `columns` of the cells, and the (parent, child) pairs, as SQL."""

    columns: Sequence[str]
    relations: Sequence[str]


def mask(inputs: Mapping[str, pa.Table], cells: str, systems: Sequence[Measures]) -> pa.Table:
    """The mask of a family, with the columns of MASK_COLUMNS.

    `cells` is DuckDB SQL over the inputs that gives indicator, cell, grain, start, level, code, small and the measures
    of the systems; rows of level `hidden` are protected and not returned. The SQL of a relation gives (parent, child)
    cell numbers over the table `cell`, whose column `id` numbers the cells.
    """
    with duckdb.connect() as connection:
        for name, table in inputs.items():
            connection.register(name, table)
        connection.execute(
            "CREATE TABLE cell AS SELECT row_number() OVER (ORDER BY indicator, cell) - 1 AS id, * "
            f"FROM ({cells}) ORDER BY id"
        )
        small_cells = _array(connection, "small").astype(bool)
        built = []
        for system in systems:
            values = np.column_stack([_array(connection, c).astype(np.float64) for c in system.columns])
            built.append((values, _relations(connection, system.relations)))
        masked = small_cells.copy()
        # What one system masks, the others must protect too, until nothing is added.
        while True:
            before = masked.copy()
            for values, relations in built:
                masked = masked | protect(values, masked, relations)
            if (masked == before).all():
                break
        connection.register("masked", pa.table({"id": np.arange(len(masked)), "is_masked": masked}))
        result: pa.Table = connection.sql(
            """
            SELECT indicator, cell, grain, level, weight, is_masked,
                   CASE WHEN small THEN 'primary' WHEN is_masked THEN 'secondary' END AS reason
            FROM cell JOIN masked USING (id) WHERE level <> 'hidden'
            """
        ).to_arrow_table()
        return result


def _array(connection: duckdb.DuckDBPyConnection, column: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    values: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = connection.execute(
        f"SELECT {column} AS v FROM cell ORDER BY id"
    ).fetchnumpy()
    return np.asarray(values["v"])


def _relations(connection: duckdb.DuckDBPyConnection, queries: Sequence[str]) -> Relations:
    parts = []
    for query in queries:
        found = connection.execute(
            f"SELECT parent, child FROM ({query}) AS pair(parent, child) ORDER BY 1, 2"
        ).fetchnumpy()
        parents, children = np.asarray(found["parent"]), np.asarray(found["child"])
        if len(parents):
            unique = np.unique(parents)
            parts.append(relations_by_key(unique, unique, children, parents))
    return Relations.concat(parts) if parts else Relations.of()


def over_time() -> Sequence[str]:
    """SQL of the relations of time: a quarter is its months, a year its quarters, all is the years."""
    return [
        f"""
        SELECT p.id, c.id FROM cell p JOIN cell c
        ON p.indicator = c.indicator AND p.level = c.level AND p.code = c.code AND c.grain = '{fine}'
           AND p.grain = '{coarse}'
           AND {"true" if coarse == "all" else f"p.start = date_trunc('{coarse}', c.start)::DATE"}
        """
        for fine, coarse in TIME_GRAINS
    ]


def same_period(parent: str, child: str, extra: str = "true") -> str:
    """SQL of a relation between cells of the same period; `parent`, `child` and `extra` are conditions on p and c."""
    return f"""
        SELECT p.id, c.id FROM cell p JOIN cell c ON p.grain = c.grain AND p.start = c.start AND ({extra})
        WHERE ({parent}) AND ({child})
        """
