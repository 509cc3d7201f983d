"""The mask of a family of indicators, computed from the cells to publish and the relations between them.

The indicators of a family are masked together, because their tables share totals: a masked chapter could be computed
from a total that another table publishes. Each indicator declares which of its cells are published (`Release`). Cells
that are not published but could be computed from published cells are protected too (level `hidden`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from chu_platform.errors import ChuError
from chu_platform.sdc.primary_rules import Reason
from chu_platform.sdc.relations import Relations, relations_by_key
from chu_platform.sdc.suppression import BrokenRelations, protect
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
        "size : un nombre de 1 à 10 ; contributors : moins de trois professionnels, ou un seul pour plus de 85 % des "
        "événements ; unanimity : toute la base est comptée ; complement : de 1 à 10 personnes ne le sont pas, ou une "
        "seule a deux événements ; secondary : permettrait de retrouver un chiffre masqué ; vide si rien n’est masqué",
        "Motif du masquage",
    ),
)
TIME_GRAINS: Final = (("month", "quarter"), ("quarter", "year"), ("year", "all"))


@dataclass(frozen=True)
class Measures:
    """Measures that satisfy the same relations: their columns, and the (parent, child) pairs of cells as SQL."""

    columns: Sequence[str]
    relations: Sequence[str]


def mask(inputs: Mapping[str, pa.Table], cells: str, systems: Sequence[Measures]) -> pa.Table:
    """The mask of a family, with the columns of MASK_COLUMNS.

    `cells` is DuckDB SQL over the inputs. It returns indicator, cell, grain, start, level, code, unsafe, weight and the
    measures of the systems. `unsafe` is the primary rule that masks the cell (`PrimaryRules.reason`), or null. Rows of
    level `hidden` are protected, but not part of the result. The SQL of a relation
    returns pairs of (parent, child) cell numbers, which are in the column `id` of the table `cell`.

    Raises ChuError if a relation does not hold.
    """
    with duckdb.connect() as connection:
        for name, table in inputs.items():
            connection.register(name, table)
        connection.execute(
            "CREATE TABLE cell AS SELECT row_number() OVER (ORDER BY indicator, cell) - 1 AS id, * "
            f"FROM ({cells}) ORDER BY id"
        )
        small_cells = _array(connection, "unsafe IS NOT NULL").astype(bool)
        built = []
        for group in systems:
            values = np.column_stack([_array(connection, c).astype(np.float64) for c in group.columns])
            built.append((values, relations_of(connection, group.relations)))
        masked = small_cells.copy()
        # A cell has one mask for all its measures: repeat until no group of measures adds a cell.
        while True:
            before = masked.copy()
            for values, relations in built:
                masked = masked | _protected(values, masked, relations, group)
            if (masked == before).all():
                break
        connection.register("masked", pa.table({"id": np.arange(len(masked)), "is_masked": masked}))
        result: pa.Table = connection.sql(
            f"""
            SELECT indicator, cell, grain, level, weight, is_masked,
                   coalesce(unsafe, CASE WHEN is_masked THEN '{Reason.SECONDARY}' END) AS reason
            FROM cell JOIN masked USING (id) WHERE level <> 'hidden'
            """
        ).to_arrow_table()
        return result


def _protected(
    values: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
    masked: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
    relations: Relations,
    group: Measures,
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    try:
        return protect(values, masked, relations)
    except BrokenRelations as broken:
        raise ChuError(
            f"{broken.number} totals of {', '.join(group.columns)} are not the sums of their parts: the indicators "
            "that are masked together were made from different rows, or one of them is wrong; make what the mask "
            "reads again, from the facts on"
        ) from None


def _array(connection: duckdb.DuckDBPyConnection, column: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    values: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = connection.execute(
        f"SELECT {column} AS v FROM cell ORDER BY id"
    ).fetchnumpy()
    return np.asarray(values["v"])


def relations_of(connection: duckdb.DuckDBPyConnection, queries: Sequence[str]) -> Relations:
    """The relations between the cells of the table `cell` that these queries give as (parent, child) pairs."""
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


def over_time(indicator: str | None = None) -> Sequence[str]:
    """SQL of relations over time: a quarter is the sum of its months, a year of its quarters, `all` of the years.

    They hold for the cells of one indicator, or of all.
    """
    only = f" AND p.indicator = '{indicator}'" if indicator else ""
    return [
        f"""
        SELECT p.id, c.id FROM cell p JOIN cell c
        ON p.indicator = c.indicator{only} AND p.level = c.level AND p.code = c.code AND c.grain = '{fine}'
           AND p.grain = '{coarse}'
           AND {"true" if coarse == "all" else f"p.start = date_trunc('{coarse}', c.start)::DATE"}
        """
        for fine, coarse in TIME_GRAINS
    ]


def same_period(parent: str, child: str, extra: str = "true") -> str:
    """SQL of a relation between cells of one period. The conditions refer to the parent as `p`, to the child as `c`."""
    return f"""
        SELECT p.id, c.id FROM cell p JOIN cell c ON p.grain = c.grain AND p.start = c.start AND ({extra})
        WHERE ({parent}) AND ({child})
        """
