"""The attacker: what published cells and their sums disclose about masked cells.

The tests of a mask are exact and share no code with the choice of masks, so that they can verify it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.linear_algebra import moving_columns, peel
from chu_platform.sdc.relations import Cells, Relations, components

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Independent of the tolerance of the suppression rules. The rounding errors of fractional values are far smaller.
_TOLERANCE = 1e-6

# Values of `status` in the result of scipy.optimize.linprog.
_OPTIMAL, _UNBOUNDED = 0, 3


def determined_cells(relations: Relations, masked: NDArray[np.bool_]) -> Cells:
    """The masked cells whose value follows from the published cells and all relations, as one linear system.

    `masked` has shape (n,). Returns sorted indices. The result does not depend on the values of the cells, only on
    which cells are unknown. A cell in no relation is never determined. The result is exact, except for a probability
    of 10^-12 of reporting a cell that is not determined (see `linear_algebra`).
    """
    unknown = np.flatnonzero(masked)
    return unknown[~moving_columns(relations.matrix(unknown, len(masked)))]


def disclosed_cells(
    relations: Relations,
    values: NDArray[np.float64],
    masked: NDArray[np.bool_],
    lower: NDArray[np.float64],
    max_unknowns: int | None = None,
) -> Cells:
    """The masked cells with only one possible value, for an attacker who also knows lower bounds; sorted indices.

    `values`, `masked` and `lower` have shape (n,): no masked cell is below its `lower`. The result is the set of
    cells for which `bounds` gives low == high, computed by one linear program. The true values solve the system, so
    a cell can vary if and only if some null space direction changes it and lowers no cell that is at its bound.
    Directions can be added: the program searches one direction that raises as many cells above their bound as
    possible. The cells that it cannot raise are known; the others are then tested by linear algebra.

    Connected parts of the system with more than `max_unknowns` unknowns, if given, are tested by linear algebra
    alone. Raises RuntimeError when the solver fails.
    """
    tight = masked & (values <= lower + _TOLERANCE)
    unknown = np.flatnonzero(masked)
    fixed = unknown[_fixed_columns(relations.matrix(unknown, len(masked)), tight[unknown], max_unknowns)]
    still_unknown = masked.copy()
    still_unknown[fixed] = False
    return np.union1d(fixed, determined_cells(relations, still_unknown))


def bounds(
    relations: Relations,
    values: NDArray[np.float64],
    masked: NDArray[np.bool_],
    cell: int,
    lower: float | NDArray[np.float64] = 1.0,
) -> tuple[float, float]:
    """The feasible interval of one masked cell, given the published values and lower bounds of the masked cells.

    `values` and `masked` have shape (n,); `lower` is one bound for all cells, or one for each. The upper end is
    infinite if no published value bounds the cell. Solves two linear programs over the cells connected to it, so it
    is meant for small tables. Raises ValueError when the cell is published, RuntimeError when the solver fails.
    """
    # scipy takes half a second to import. Imported inside the functions, it does not slow down loading declarations.
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    if not masked[cell]:
        raise ValueError(f"cell {cell} is published")
    unknown = np.flatnonzero(masked)
    system = relations.matrix(unknown, len(masked))
    component = components(system)
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


def _fixed_columns(system: csr_array, tight: NDArray[np.bool_], max_unknowns: int | None) -> NDArray[np.bool_]:
    """The tight columns that no null space direction can raise without lowering a tight column; shape (columns,)."""
    from scipy.optimize import linprog
    from scipy.sparse import hstack

    fixed = np.zeros(system.shape[1], np.bool_)
    # A row that is the only one with some column that may move both ways adapts to any direction: no constraint.
    core = system[peel(system, ~tight)[2]]
    columns = np.unique(core.indices)
    if max_unknowns is not None and len(columns) > max_unknowns:
        part = components(core)
        fits = np.bincount(part[columns])[part[core.indices[core.indptr[:-1]]]] <= max_unknowns
        core = core[np.flatnonzero(fits)]
        columns = np.unique(core.indices)
    raised = columns[tight[columns]]
    if not len(raised):
        return fixed
    # A tight column has two variables: its first unit, which the objective counts, and any amount beyond it.
    equations = hstack([core[:, columns], core[:, raised]], format="csr")
    low = np.append(np.where(tight[columns], 0.0, -np.inf), np.zeros(len(raised)))
    high = np.append(np.full(len(columns), np.inf), np.ones(len(raised)))
    cost = np.append(np.zeros(len(columns)), np.full(len(raised), -1.0))
    limits = np.column_stack([low, high])
    result = linprog(cost, A_eq=equations, b_eq=np.zeros(core.shape[0]), bounds=limits)
    if result.status != _OPTIMAL:
        raise RuntimeError(f"the disclosure test could not be solved: {result.message}")
    # Each first unit is 0 or 1 in the optimum, because any direction may be scaled up.
    fixed[raised] = result.x[len(columns) :] < 0.5
    return fixed
