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

from chu_platform.sdc.family import Family, Insiders, Repeats, System
from chu_platform.sdc.levels import Levels
from chu_platform.sdc.primary_rules import HIDDEN, Reason
from chu_platform.sdc.relations import Relations, relations_by_key
from chu_platform.sdc.unions import Unions
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


def mask(
    inputs: Mapping[str, pa.Table],
    cells: str,
    systems: Sequence[Measures],
    persons: str | None = None,
    insiders: Sequence[str] = (),
    repeats: Sequence[str] = (),
) -> pa.Table:
    """The mask of a family, with the columns of MASK_COLUMNS.

    `cells` is DuckDB SQL over the inputs. It returns indicator, cell, grain, start, level, code, unsafe, weight and the
    measures of the systems. `unsafe` is the primary rule that masks the cell (`PrimaryRules.reason`), or null. Rows of
    level `hidden` are protected, but not part of the result. The SQL of a relation returns pairs of (parent, child)
    cell numbers, which are in the column `id` of the table `cell`. `persons` is the column of distinct persons;
    the relations of the first system say of which parts they are the union. The SQL of `insiders` returns
    the cells of which somebody knows a part: `id`, `own` (the events of the part) and `few` (whether the cell would
    tell this person of a few others). The SQL of `repeats` returns pairs of cells: of the first one, the row repeats a
    figure of the other one.

    Raises ChuError if a relation does not hold.
    """
    with duckdb.connect() as connection:
        for name, table in inputs.items():
            connection.register(name, table)
        connection.execute(
            "CREATE TABLE cell AS SELECT row_number() OVER (ORDER BY indicator, cell) - 1 AS id, * "
            f"FROM ({cells}) ORDER BY id"
        )
        built = [
            System(
                ", ".join(group.columns),
                np.column_stack([_array(connection, c).astype(np.float64) for c in group.columns]),
                relations_of(connection, group.relations),
            )
            for group in systems
        ]
        unsafe = _array(connection, "unsafe IS NOT NULL").astype(bool)
        family = Family(
            weight=_array(connection, "weight").astype(np.float64),
            unsafe=unsafe,
            levels=_levels(connection, built),
            systems=built,
            unions=Unions(_array(connection, persons).astype(np.float64), built[0].relations) if persons else None,
            insiders=_insiders(connection, insiders, len(unsafe)),
            repeats=_repeats(connection, repeats),
        )
        masked = family.mask()
        connection.register("masked", pa.table({"id": np.arange(len(masked)), "is_masked": masked}))
        result: pa.Table = connection.sql(
            f"""
            SELECT indicator, cell, grain, level, weight, is_masked,
                   coalesce(unsafe, CASE WHEN is_masked THEN '{Reason.SECONDARY}' END) AS reason
            FROM cell JOIN masked USING (id) WHERE level <> 'hidden'
            """
        ).to_arrow_table()
        return result


def _levels(connection: duckdb.DuckDBPyConnection, systems: Sequence[System]) -> Levels:
    def number(columns: str) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        return _array(connection, f"dense_rank() OVER (ORDER BY {columns}) - 1").astype(np.int64)

    return Levels.of(
        number("indicator, grain, level"),
        _array(connection, f"level = '{HIDDEN}'").astype(bool),
        number("grain, start"),
        [system.relations for system in systems],
    )


def _insiders(connection: duckdb.DuckDBPyConnection, queries: Sequence[str], n: int) -> Insiders:
    own, few = np.zeros(n), np.zeros(n, np.bool_)
    for query in queries:
        found = connection.execute(
            f"SELECT id, max(own)::DOUBLE AS own, bool_or(few) AS few FROM ({query}) GROUP BY id ORDER BY id"
        ).fetchnumpy()
        own[found["id"]] = np.asarray(found["own"])
        few[found["id"]] = np.asarray(found["few"]).astype(bool)
    return Insiders(own, few)


def _repeats(connection: duckdb.DuckDBPyConnection, queries: Sequence[str]) -> Repeats:
    pairs = [np.zeros((0, 2), np.int64)]
    for query in queries:
        found = connection.execute(f"SELECT own, other FROM ({query}) AS pair(own, other) ORDER BY ALL").fetchnumpy()
        pairs.append(np.column_stack([np.asarray(found["own"]), np.asarray(found["other"])]).astype(np.int64))
    cells, others = np.concatenate(pairs).T
    return Repeats(cells, others)


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


def over_time(where: str = "true") -> Sequence[str]:
    """SQL of relations over time: a quarter is the sum of its months, a year of its quarters, `all` of the years.

    They hold for the cells `p` that meet the condition `where`.
    """
    return [
        f"""
        SELECT p.id, c.id FROM cell p JOIN cell c
        ON p.indicator = c.indicator AND ({where}) AND p.level = c.level AND p.code = c.code AND c.grain = '{fine}'
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
