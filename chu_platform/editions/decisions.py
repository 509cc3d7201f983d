"""The decision on each cell of an edition: shown, kept as it was, or masked, given what was released before.

The decisions of a mask family are made together. First each cell is compared with its last released counts, however
old. Then the cells that must not be known are tested together, as unknowns of the relations of the family, for an
attacker who has all editions.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chu_platform.sdc.attack import determined_cells
from chu_platform.sdc.cell_masks import MASK_COLUMNS, Measures, relations_of
from chu_platform.sdc.relations import Relations
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, STRING, Column

# A change of a count by up to this many persons or events is not disclosed.
MOST: Final = 10.000001
# Counts are equal within this difference: shares of events have rounding errors.
EQUAL: Final = 1e-6
# A small change below this share of the released count does not mask the cell.
SHARE: Final = 0.01
# Not released counts: the denominators, which stay as they were first released.
BASE: Final = frozenset({"base_patients", "patient_years"})


class State(StrEnum):
    """What an edition does with a cell.

    `new`, `same` and `changed` cells are shown with their present counts: they were never released, or have the counts
    last released, or others. `pending` cells show the row of the last edition until a correction discloses nobody;
    `kept` cells of the period `all` too, with their former end. `absent` cells are not in the edition; their last
    released counts are remembered.
    """

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    PENDING = "pending"
    KEPT = "kept"
    MASKED = "masked"
    ABSENT = "absent"


# Cells whose row is that of the last edition.
FORMER: Final = (State.PENDING, State.KEPT)
# Cells with their present counts.
PRESENT: Final = (State.NEW, State.SAME, State.CHANGED)


@dataclass(frozen=True)
class Member:
    """An indicator of a mask family: its name, its input, and the key and the counts of its cells."""

    name: str
    alias: str
    key: Sequence[str]
    counts: Sequence[str]
    cells: str


def counts_of(members: Sequence[Member]) -> Sequence[str]:
    """The counts of a family, each once."""
    return list(dict.fromkeys(c for m in members for c in m.counts))


def decision_columns(counts: Sequence[str]) -> Sequence[Column]:
    """The columns of the decisions of a family with these counts."""
    return [
        *(c for c in MASK_COLUMNS if c.name not in ("weight", "reason")),
        Column("weight", DOUBLE, "nombre d’événements de la ligne ; vide si elle n’a plus d’événement", "Événements"),
        Column(
            "state",
            STRING,
            "new, same, changed (montrée : jamais publiée, inchangée ou changée), pending (une correction attend), kept "
            "(ensemble : reste comme avant), masked (masquée) ou absent (hors de l’édition)",
            "État",
            nullable=False,
        ),
        Column(
            "reason",
            STRING,
            "size, contributors, unanimity, complement, secondary : motif du masquage ; correction : le changement concerne de 1 à 10 personnes ; growth : "
            "l’année ajoute de 1 à 10 personnes ; before : masquée avant, et inchangée depuis",
            "Motif",
        ),
        Column(
            "is_exposed",
            BOOLEAN,
            "vrai si un chiffre à ne pas divulguer se calcule à partir de toutes les éditions",
            "Exposée",
            nullable=False,
        ),
        Column("period_end", DATE, "premier jour après la période", "Fin (exclue)"),
        Column("released_end", DATE, "celle de la dernière publication de la ligne", "Fin publiée (exclue)"),
        *(Column(c, DOUBLE, f"chiffre exact : {c}", f"{c}, exact") for c in counts),
        *(
            Column(f"released_{c}", DOUBLE, f"{c} à la dernière publication de la ligne", f"{c}, publié avant")
            for c in counts
        ),
    ]


def decide(
    inputs: Mapping[str, pa.Table],
    mask: pa.Table,
    released: pa.Table,
    members: Sequence[Member],
    systems: Sequence[Measures],
    repeats: Sequence[str] = (),
) -> pa.Table:
    """The decisions of a family, with the columns of `decision_columns`.

    `inputs` are the candidates and the tables that relations read, by name; `mask` is the mask of the candidates;
    `released` are the decisions of the last edition, without rows before the first edition. `repeats` are SQL of pairs
    of cells (`cell_masks.mask`): with present counts, the first one is shown only if the other one is, too.
    """
    counts = counts_of(members)
    with duckdb.connect() as connection:
        for name, table in inputs.items():
            connection.register(name, table)
        connection.register("mask", mask)
        connection.register("released", released)
        connection.execute(_compare(members, counts))
        if len(released):
            _test_together(connection, members, systems)
            for pairs in repeats:
                _mask_repeated(connection, pairs)
        listed = ", ".join(c.name for c in decision_columns(counts))
        found: pa.Table = connection.sql(f"SELECT {listed} FROM decision").to_arrow_table()
        return found


def _compare(members: Sequence[Member], counts: Sequence[str]) -> str:
    """SQL that creates the table `decision`: each cell beside its last released counts."""
    cells = " UNION ALL BY NAME ".join(
        f"SELECT '{m.name}' AS indicator, concat_ws('|', {', '.join(m.key)}) AS cell, period_end, "
        f"{', '.join(f'CAST({c} AS DOUBLE) AS {c}' for c in m.counts)} FROM {m.alias}"
        for m in members
    )
    # What a reader knows of a cell: the counts of the last edition that showed them.
    past = ", ".join(f"CASE WHEN is_present THEN {c} ELSE released_{c} END AS r_{c}" for c in counts)
    pairs = [f"abs(n.{c} - f.r_{c})" for c in counts]
    differs = " OR ".join(f"coalesce({d}, 0) > {EQUAL}" for d in pairs)
    small = " OR ".join(f"({d} > {EQUAL} AND {d} <= {MOST})" for d in pairs)
    little = " AND ".join(
        f"(coalesce({d}, 0) <= {EQUAL} OR {d} < {SHARE} * f.r_{c})" for d, c in zip(pairs, counts, strict=True)
    )
    as_before = " AND ".join(f"n.{c} IS NOT DISTINCT FROM f.{c}" for c in counts)
    return f"""
        CREATE TABLE decision AS
        WITH new AS (
            SELECT c.*, m.grain, m.level, m.weight, m.is_masked, m.reason FROM ({cells}) c JOIN mask m USING (indicator, cell)
        ),
        past AS (
            SELECT *, CASE WHEN is_present THEN period_end ELSE released_end END AS r_end, {past}
            FROM (SELECT *, state IN ({_listed(PRESENT)}) AS is_present FROM released)
        ),
        compared AS (
            SELECT coalesce(n.indicator, f.indicator) AS indicator, coalesce(n.cell, f.cell) AS cell,
                   coalesce(n.grain, f.grain) AS grain, coalesce(n.level, f.level) AS level, n.weight, n.period_end,
                   f.r_end AS released_end,
                   n.cell IS NOT NULL AS is_listed, n.is_masked AS to_mask, n.reason AS mask_reason,
                   f.r_end IS NOT NULL AS was_released,
                   coalesce(f.state IN ({_listed((*PRESENT, *FORMER))}), false) AS was_shown,
                   coalesce(f.state = '{State.MASKED}', false) AND {as_before} AS masked_as_before,
                   n.grain = 'all' AND coalesce(n.period_end <> f.r_end, false) AS moved,
                   coalesce({differs}, false) AS differs, coalesce({small}, false) AS is_small, coalesce({little}, false) AS is_little,
                   {", ".join(f"n.{c}, f.r_{c} AS released_{c}" for c in counts)}
            FROM new n FULL JOIN past f ON f.indicator = n.indicator AND f.cell = n.cell
        ),
        decided AS (
            SELECT *, CASE
                WHEN NOT is_listed THEN struct_pack(state := '{State.ABSENT}', reason := NULL::VARCHAR)
                WHEN to_mask AND mask_reason <> 'secondary' THEN struct_pack(state := '{State.MASKED}', reason := mask_reason)
                WHEN NOT was_released AND to_mask THEN struct_pack(state := '{State.MASKED}', reason := mask_reason)
                -- Beside an earlier edition, a secondary cell that is shown now would disclose what it protected then.
                WHEN NOT was_released AND masked_as_before THEN struct_pack(state := '{State.MASKED}', reason := 'before')
                WHEN NOT was_released THEN struct_pack(state := '{State.NEW}', reason := NULL::VARCHAR)
                WHEN moved AND was_shown AND (is_small OR to_mask) THEN struct_pack(state := '{State.KEPT}', reason := 'growth')
                WHEN is_small AND was_shown AND is_little THEN struct_pack(state := '{State.PENDING}', reason := 'correction')
                WHEN is_small THEN struct_pack(state := '{State.MASKED}', reason := 'correction')
                -- Readers know the figure: a mask would protect nothing.
                WHEN NOT differs AND NOT moved AND was_shown THEN struct_pack(state := '{State.SAME}', reason := NULL::VARCHAR)
                WHEN to_mask THEN struct_pack(state := '{State.MASKED}', reason := mask_reason)
                WHEN NOT differs AND NOT moved THEN struct_pack(state := '{State.SAME}', reason := NULL::VARCHAR)
                ELSE struct_pack(state := '{State.CHANGED}', reason := NULL::VARCHAR)
            END AS decided
            FROM compared
        )
        SELECT * EXCLUDE (decided), decided.state AS state, decided.reason AS reason,
               decided.state = '{State.MASKED}' AS is_masked, false AS is_exposed
        FROM decided WHERE is_listed OR was_released
        """


@dataclass
class _Joint:
    """The relations of one measure, and what is not to be known of it.

    `unknown` are the cells of which an attacker does not know the measure; `unknown_if_masked` would be unknown if they
    were masked: those whose present value was not released before. `secret` must not be computed.
    """

    relations: Relations
    unknown: NDArray[np.bool_]
    unknown_if_masked: NDArray[np.bool_]
    secret: NDArray[np.bool_]


def _test_together(
    connection: duckdb.DuckDBPyConnection, members: Sequence[Member], systems: Sequence[Measures]
) -> None:
    """Mask or keep further cells of the table `decision`, until nothing that must not be known can be computed.

    The unknowns are the measures of cells that are masked or show former counts, except for those that are as they were
    released before. What remains computable is marked as exposed.
    """
    cells = " UNION ALL ".join(f"({m.cells})" for m in members)
    connection.execute(
        "CREATE TABLE cell AS SELECT row_number() OVER (ORDER BY indicator, cell) - 1 AS id, * "
        f"FROM ({cells}) ORDER BY id"
    )
    found = connection.execute(
        f"""
        SELECT coalesce(d.state IN ('{State.NEW}', '{State.CHANGED}'), false) AS may_be_masked,
               coalesce(d.moved AND d.was_shown, false) AS may_be_kept,
               coalesce(c.weight, 0)::DOUBLE AS weight
        FROM cell c LEFT JOIN decision d USING (indicator, cell) ORDER BY c.id
        """
    ).fetchnumpy()
    may_be_masked = np.asarray(found["may_be_masked"]).astype(bool)
    weight = np.asarray(found["weight"])
    counts = counts_of(members)
    joint = [_joint(connection, s, c if c in counts else None) for s in systems for c in dict.fromkeys(s.columns)]
    added: set[int] = set()
    while True:
        exposed: set[int] = set()
        more: set[int] = set()
        for one in joint:
            known = {int(cell) for cell in determined_cells(one.relations, one.unknown)}
            allowed = may_be_masked & one.unknown_if_masked & ~one.unknown
            for cell in known:
                if one.secret[cell]:
                    exposed.add(cell)
                    more |= {*_protecting(one.relations, cell, one.unknown, known, allowed, weight)}
        if not more:
            break
        added |= more
        for one in joint:
            chosen = list(more)
            one.unknown[chosen] |= one.unknown_if_masked[chosen]
    connection.register("added", pa.table({"id": np.array(sorted(added), np.int64)}))
    connection.register("exposed", pa.table({"id": np.array(sorted(exposed), np.int64)}))
    kept = np.asarray(found["may_be_kept"]).astype(bool)
    connection.register("kept", pa.table({"id": np.flatnonzero(kept)}))
    connection.execute(
        f"""
        UPDATE decision SET
            state = CASE WHEN id IN (FROM kept) THEN '{State.KEPT}' ELSE '{State.MASKED}' END,
            reason = CASE WHEN id IN (FROM kept) THEN 'growth' ELSE 'secondary' END,
            is_masked = id NOT IN (FROM kept)
        FROM cell WHERE cell.indicator = decision.indicator AND cell.cell = decision.cell AND id IN (FROM added);
        UPDATE decision SET is_exposed = true
        FROM cell WHERE cell.indicator = decision.indicator AND cell.cell = decision.cell AND id IN (FROM exposed)
        """
    )


def _mask_repeated(connection: duckdb.DuckDBPyConnection, pairs: str) -> None:
    """Mask the cells of the table `decision` that repeat a figure of a cell without present counts."""
    connection.execute(
        f"""
        UPDATE decision SET state = '{State.MASKED}', reason = 'secondary', is_masked = true
        FROM ({pairs}) AS pair(own, other), cell c, cell o, decision d
        WHERE c.id = pair.own AND o.id = pair.other AND d.indicator = o.indicator AND d.cell = o.cell
            AND c.indicator = decision.indicator AND c.cell = decision.cell
            AND decision.state IN ('{State.NEW}', '{State.CHANGED}') AND d.state NOT IN ({_listed(PRESENT)})
        """
    )


def _joint(connection: duckdb.DuckDBPyConnection, system: Measures, count: str | None) -> _Joint:
    """What is not to be known of one measure of a system: a count, or (None) a base, which stays as it was released."""
    change = f"coalesce(abs(d.{count} - d.released_{count}), 0)" if count else "0"
    differs, small = f"{change} > {EQUAL}", f"{change} > {EQUAL} AND {change} <= {MOST}"
    # Hidden cells are in no mask and in no edition.
    found = connection.execute(
        f"""
        SELECT d.cell IS NULL OR d.moved OR NOT d.was_released OR {differs} AS unknown_if_masked,
               d.cell IS NULL OR d.state IN ({_listed((State.MASKED, *FORMER))}) AS is_hidden,
               CASE WHEN d.cell IS NULL THEN c.unsafe IS NOT NULL
                    ELSE coalesce(d.to_mask AND d.mask_reason <> 'secondary', false) OR (d.was_released AND ({small})) END
                   AS is_secret
        FROM cell c LEFT JOIN decision d USING (indicator, cell) ORDER BY c.id
        """
    ).fetchnumpy()
    possible, hidden, secret = (
        np.asarray(found[n]).astype(bool) for n in ("unknown_if_masked", "is_hidden", "is_secret")
    )
    return _Joint(relations_of(connection, system.relations), possible & hidden, possible, secret)


def _protecting(
    relations: Relations,
    cell: int,
    unknown: NDArray[np.bool_],
    known: Collection[int],
    allowed: NDArray[np.bool_],
    weight: NDArray[np.float64],
) -> Sequence[int]:
    """Allowed cells to mask, so that a cell cannot be computed: the cheapest of each relation that gives it alone.

    If there are none, the nearest ones: the cheapest of the relations of masked cells that can be computed (`known`),
    from which the cell is. The cost of a cell is its weight.
    """
    unknowns = unknown[relations.parents] + relations.sums(unknown.astype(np.float64))
    reached, last = {cell}, {cell}
    while last:
        rows = np.flatnonzero(np.isin(relations.parents, list(last)))
        rows = np.union1d(rows, relations.rows[np.isin(relations.children, list(last))])
        alone = [np.array([row]) for row in rows if unknowns[row] == 1]
        for groups in (alone, [rows]):
            cheapest = [_cheapest(relations, group, allowed, weight) for group in groups]
            if found := [one for one in cheapest if one is not None]:
                return found if last == {cell} else found[:1]
        cells = np.union1d(relations.parents[rows], relations.children[np.isin(relations.rows, rows)])
        last = ({int(c) for c in cells} & set(known)) - reached
        reached |= last
    return []


def _cheapest(
    relations: Relations, rows: NDArray[np.int64], allowed: NDArray[np.bool_], weight: NDArray[np.float64]
) -> int | None:
    """The allowed cell of some relations with the smallest weight; None if there is none."""
    cells = np.union1d(relations.parents[rows], relations.children[np.isin(relations.rows, rows)])
    cells = cells[allowed[cells]]
    return int(cells[np.argmin(weight[cells])]) if len(cells) else None


def _listed(states: Sequence[State]) -> str:
    return ", ".join(f"'{s}'" for s in states)
