"""The attacker: what published cells and their sums give away about masked ones.

Here: exact tests of a mask, written without a look at how masks are chosen, so that they can judge it. Not
here: choosing masks (`suppression`) and elimination (`linear`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.linear_algebra import moving_columns, peel
from chu_platform.sdc.relations import Cells, Relations

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# An attacker's own, whatever the rules use: fractional values carry rounding errors far below it.
_TOLERANCE = 1e-6

# Values of `status` in the result of scipy.optimize.linprog.
_OPTIMAL, _UNBOUNDED = 0, 3


def determined_cells(relations: Relations, masked: NDArray[np.bool_]) -> Cells:
    """The masked cells that follow exactly from the published ones by all relations together, as one linear
    system; sorted indices.

    `masked` has shape (n,). Values play no part: what the system determines depends only on which cells are
    unknown. A cell in no relation is never determined. Exact but for a chance of 10^-12 to report a cell
    too many (see `linear`).
    """
    unknown = np.flatnonzero(masked)
    return unknown[~moving_columns(relations.matrix(unknown, len(masked)))]


def disclosed_cells(
    relations: Relations,
    values: NDArray[np.float64],
    masked: NDArray[np.bool_],
    lower: NDArray[np.float64],
    largest: int | None = None,
) -> Cells:
    """The masked cells with one possible value left, for an attacker who also knows lower bounds; sorted.

    `values`, `masked` and `lower` have shape (n,): no masked cell is below its `lower`. The same answer as
    `bounds` of every cell with low == high, by one linear program: the true values solve the system, so a
    cell can move exactly if a direction of the null space moves it that lowers no cell lying at its bound.
    Directions add up: the program looks for one that lifts as many cells from their bound as possible.
    Cells that it cannot lift are known, and with them known the rest is linear algebra.

    Parts of the system tied together with more than `largest` unknowns, if given, are tested by linear
    algebra alone. Raises RuntimeError when the solver fails.
    """
    tight = masked & (values <= lower + _TOLERANCE)
    unknown = np.flatnonzero(masked)
    stuck = unknown[_immovable(relations.matrix(unknown, len(masked)), tight[unknown], largest)]
    still_unknown = masked.copy()
    still_unknown[stuck] = False
    return np.union1d(stuck, determined_cells(relations, still_unknown))


def bounds(
    relations: Relations,
    values: NDArray[np.float64],
    masked: NDArray[np.bool_],
    cell: int,
    lower: float | NDArray[np.float64] = 1.0,
) -> tuple[float, float]:
    """The feasible interval of one masked cell, given the published values and that every masked cell is at
    least `lower`.

    `values` and `masked` have shape (n,), `lower` is one bound or one for each cell. The upper end is
    infinite where nothing published bounds the cell. Two linear programs over the cells connected to it:
    for small tables. Raises ValueError when the cell is published, RuntimeError when the solver fails.
    """
    # Here, and below: scipy takes half a second to import, and declarations load without it.
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    if not masked[cell]:
        raise ValueError(f"cell {cell} is published")
    unknown = np.flatnonzero(masked)
    system = relations.matrix(unknown, len(masked))
    component = _components(system)
    columns = np.flatnonzero(component == component[np.searchsorted(unknown, cell)])
    part = csr_array(system[:, columns])
    rows = np.flatnonzero(np.diff(part.indptr))
    known = np.where(masked, 0.0, values)
    constants = relations.sums(known) - known[relations.parents]
    low = np.broadcast_to(np.asarray(lower, np.float64), values.shape)[unknown[columns]]
    ends = []
    for sign in (1.0, -1.0):
        cost = np.where(unknown[columns] == cell, sign, 0.0)
        limits = np.column_stack([low, np.full(len(low), np.inf)])
        equations = (part[rows], constants[rows]) if len(rows) else (None, None)
        result = linprog(cost, A_eq=equations[0], b_eq=equations[1], bounds=limits)
        if result.status == _UNBOUNDED:
            ends.append(np.inf)
        elif result.status == _OPTIMAL:
            ends.append(sign * result.fun)
        else:
            raise RuntimeError(f"the bounds of cell {cell} could not be computed: {result.message}")
    return float(ends[0]), float(ends[1])


def _components(system: csr_array) -> NDArray[np.int64]:
    """The connected component of each column, by number; columns meet in a row."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = system.shape
    row_of_entry = np.repeat(np.arange(rows), np.diff(system.indptr))
    edges = (np.ones(system.nnz), (row_of_entry, system.indices + rows))
    graph = csr_array(edges, shape=(rows + columns, rows + columns))
    return np.asarray(connected_components(graph, directed=False)[1][rows:], np.int64)


def _immovable(system: csr_array, tight: NDArray[np.bool_], largest: int | None) -> NDArray[np.bool_]:
    """The tight columns that no null direction lifts while lowering no tight column; shape (columns,)."""
    from scipy.optimize import linprog
    from scipy.sparse import hstack

    stuck = np.zeros(system.shape[1], np.bool_)
    # A row that alone holds a column free to move both ways follows any direction: it forbids nothing.
    core = system[peel(system, ~tight)[2]]
    columns = np.unique(core.indices)
    if largest is not None and len(columns) > largest:
        part = _components(core)
        fits = np.bincount(part[columns])[part[core.indices[core.indptr[:-1]]]] <= largest
        core = core[np.flatnonzero(fits)]
        columns = np.unique(core.indices)
    lifted = columns[tight[columns]]
    if not len(lifted):
        return stuck
    # A tight column moves by its first unit, which counts, and any amount beyond it.
    equations = hstack([core[:, columns], core[:, lifted]], format="csr")
    low = np.append(np.where(tight[columns], 0.0, -np.inf), np.zeros(len(lifted)))
    high = np.append(np.full(len(columns), np.inf), np.ones(len(lifted)))
    gain = np.append(np.zeros(len(columns)), np.full(len(lifted), -1.0))
    limits = np.column_stack([low, high])
    result = linprog(gain, A_eq=equations, b_eq=np.zeros(core.shape[0]), bounds=limits)
    if result.status != _OPTIMAL:
        raise RuntimeError(f"the disclosure test could not be solved: {result.message}")
    # The first units are all or nothing, because any direction may be scaled up.
    stuck[lifted] = result.x[len(columns) :] < 0.5
    return stuck
