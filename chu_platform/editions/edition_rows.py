"""The rows of an indicator in an edition: those that the decisions show, and the keys of those that they mask."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from chu_platform.editions.decisions import FORMER, State
from chu_platform.sdc.levels import LONG_LIST
from chu_platform.sdc.primary_rules import Quantiles
from chu_platform.tables.columns import BOOLEAN, Column

MASKED: Final = Column("is_masked", BOOLEAN, "vrai si les chiffres sont masqués", "Masqué", nullable=False)
STATUS_COLUMNS: Final[Sequence[Column]] = (
    MASKED,
    Column(
        "revision_pending",
        BOOLEAN,
        "vrai si une correction de moins de 1 % attend : les chiffres sont ceux de la dernière publication",
        "Correction en attente",
        nullable=False,
    ),
)
# A base belongs to a period, and to a part of the patients. It does not depend on what is counted in it.
BASE_KEY: Final = frozenset({"period_grain", "period_start", "period_end", "sex", "age_band"})


@dataclass(frozen=True)
class Figures:
    """The columns of an indicator, by how an edition fills them.

    `shown` are the keys and texts, which masked rows have too; `counts` what is counted; `base` the denominators;
    `others` all other figures. `finish` computes some of `others` from counts and base; `made_from` says of each of
    these from which columns of the query. `quantiles` says which of `others` a visible row shows only if enough
    contributors stand behind them.
    """

    indicator: str
    key: Sequence[str]
    shown: Sequence[str]
    counts: Sequence[str]
    base: Sequence[str]
    others: Sequence[str]
    finish: Callable[[pa.Table], pa.Table] | None
    made_from: Mapping[str, Sequence[str]]
    quantiles: Quantiles | None = None

    @property
    def all(self) -> Sequence[str]:
        """All columns."""
        return [*self.shown, *self.counts, *self.base, *self.others]

    @property
    def base_key(self) -> Sequence[str]:
        """The columns that say to which period and which part of the patients a base belongs."""
        return [c for c in (*self.key, "period_end") if c in BASE_KEY]

    @property
    def computed(self) -> Sequence[str]:
        """The figures that can be computed again from the counts and the base of one row."""
        known = {*self.all} - {*self.others}
        return [name for name in self.others if name in self.made_from and {*self.made_from[name]} <= known]

    def publishable(self, rows: str) -> str:
        """SQL of the `rows` (a query), without the figures that visible rows must not show."""
        return self.quantiles.shown(rows) if self.quantiles else rows


def edition_rows(figures: Figures, candidate: pa.Table, decision: pa.Table, released: pa.Table) -> pa.Table:
    """The rows of an edition: all columns of `figures`, and STATUS_COLUMNS.

    `released` are the rows of the last edition, without rows before the first one. A row with present counts has the
    base that was first released for its period, so that new patients change no released figure. Of a level without a
    row to show, no row is listed if the list is long (`LONG_LIST`), since a list of cells with at least one event each
    is a figure. A level with one row for each period, such as the total, has no such list.
    """
    cell = ", ".join(f"k.{c}" for c in figures.key)
    with duckdb.connect() as connection:
        for name, table in (("candidate", candidate), ("decision", decision), ("released", released)):
            connection.register(name, table)
        connection.execute(
            f"""
            CREATE TABLE listed AS SELECT k.*, d.state FROM candidate k
            JOIN (
                SELECT cell, state,
                       bool_or(state NOT IN ('{State.MASKED}', '{State.ABSENT}')) OVER one_level
                       OR count(*) OVER one_level = count(DISTINCT period_end) OVER one_level
                       OR count(*) OVER one_level <= {LONG_LIST} * sum(weight) OVER one_level AS is_listed
                FROM decision WHERE indicator = '{figures.indicator}' WINDOW one_level AS (PARTITION BY grain, level)
            ) d ON d.cell = concat_ws('|', {cell})
            WHERE d.state <> '{State.ABSENT}' AND d.is_listed
            """
        )
        if figures.base:
            _keep_base(connection, figures)
        former = f"k.state IN ({', '.join(repr(s.value) for s in FORMER)})"
        columns = [
            *(f"CASE WHEN {former} AND f.{c} IS NOT NULL THEN f.{c} ELSE k.{c} END AS {c}" for c in figures.shown),
            *(_figure(c, former, f"k.{c}") for c in (*figures.counts, *figures.base, *figures.computed)),
            *(
                # What depends on more than the counts of its row is released again only with other counts.
                _figure(c, former, f"CASE WHEN k.state = '{State.SAME}' THEN coalesce(f.{c}, k.{c}) ELSE k.{c} END")
                for c in figures.others
                if c not in figures.computed
            ),
            f"k.state = '{State.MASKED}' AS is_masked",
            f"k.state = '{State.PENDING}' AS revision_pending",
        ]
        same = " AND ".join(f"f.{c} = k.{c}" for c in figures.key)
        rows: pa.Table = connection.sql(
            figures.publishable(f"SELECT {', '.join(columns)} FROM listed k LEFT JOIN released f ON {same}")
        ).to_arrow_table()
        return rows


def _figure(column: str, former: str, present: str) -> str:
    return f"CASE WHEN {former} THEN f.{column} WHEN k.state <> '{State.MASKED}' THEN {present} END AS {column}"


def _keep_base(connection: duckdb.DuckDBPyConnection, figures: Figures) -> None:
    """Give the rows of the table `listed` the base that was released for their period, with the figures made from it."""
    group = ", ".join(figures.base_key)
    kept = ", ".join(f"max({c}) AS {c}" for c in figures.base)
    other = " OR ".join(f"b.{c} <> k.{c}" for c in figures.base)
    replaced = ", ".join(f"b.{c} AS {c}" for c in figures.base)
    again: pa.Table = connection.sql(
        f"""
        SELECT k.* REPLACE ({replaced})
        FROM listed k JOIN (
            SELECT {group}, {kept} FROM released WHERE {figures.base[0]} IS NOT NULL GROUP BY {group}
        ) b USING ({group})
        WHERE {other}
        """
    ).to_arrow_table()
    if not len(again):
        return
    if figures.finish is not None:
        again = _finished(again, figures, figures.finish)
    connection.register("again", again)
    replaced = ", ".join(f"{c} = a.{c}" for c in (*figures.base, *figures.computed))
    same = " AND ".join(f"a.{c} = listed.{c}" for c in figures.key)
    connection.execute(f"UPDATE listed SET {replaced} FROM again a WHERE {same}")


def _finished(rows: pa.Table, figures: Figures, finish: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """The rows with the figures that can be computed again from counts and base of each row."""
    needed = {c for columns in figures.made_from.values() for c in columns} - {*rows.column_names}
    counted = rows.drop_columns([c for c in figures.made_from if c in rows.column_names])
    for name in sorted(needed):
        # Collected from several rows: what is made from it is not computed again.
        counted = counted.append_column(name, pa.nulls(len(counted)))
    finished = finish(counted)
    for name in figures.computed:
        rows = rows.set_column(rows.column_names.index(name), name, finished[name])
    return rows
