"""Linear programs that the solver (HiGHS) keeps: with another goal, it goes on from the last solution."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
# Rows may be broken by this slack: the solver and the data round.
_SLACK: Final = 1e-7
# The two kinds of simplex. To clean up what the primal one perturbed, the dual one would need a weight for each row,
# which takes longer than all the rest.
_DUAL: Final[Mapping[str, float]] = {"simplex_strategy": 1, "simplex_dual_edge_weight_strategy": -1}
_PRIMAL: Final[Mapping[str, float]] = {
    "simplex_strategy": 4,
    "simplex_dual_edge_weight_strategy": 1,
    "primal_simplex_bound_perturbation_multiplier": 0.0,
}


class Contradiction(Exception):
    """No values satisfy a system."""


class Unsolved(Exception):
    """The solver gave no answer: nothing follows."""


class Program:
    """The values within bounds that satisfy `rows[0] <= matrix x values <= rows[1]`.

    The first goal takes as long as the program is large. The next ones take milliseconds if few values change.
    """

    def __init__(self, matrix: "csr_array", rows: tuple[Floats, Floats], low: Floats, high: Floats) -> None:
        import highspy  # takes time to import

        program = highspy.HighsLp()
        program.num_row_, program.num_col_ = matrix.shape
        program.row_lower_, program.row_upper_ = rows[0] - _SLACK, rows[1] + _SLACK
        program.col_lower_, program.col_upper_ = low, high
        program.col_cost_ = np.zeros(matrix.shape[1])
        program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        program.a_matrix_.start_ = matrix.indptr.astype(np.int32)
        program.a_matrix_.index_ = matrix.indices.astype(np.int32)
        program.a_matrix_.value_ = matrix.data
        self._solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        # Presolving takes longer than it saves, and forgets the last solution.
        options: dict[str, Any] = {
            "output_flag": False,
            "presolve": "off",
            "solver": "simplex",
            "threads": 1,
        }
        for name, value in options.items():
            self._solver.setOptionValue(name, value)
        self._solver.passModel(program)
        self._optimal = highspy.HighsModelStatus.kOptimal
        self._infeasible = highspy.HighsModelStatus.kInfeasible
        self._columns = np.arange(matrix.shape[1], dtype=np.int32)

    def bound(self, low: Floats, high: Floats) -> None:
        """Give the values other bounds."""
        self._solver.changeColsBounds(len(self._columns), self._columns, low, high)

    def largest(self, weight: Floats, *, only_goal_changed: bool = False) -> Floats:
        """The values with the largest weighted sum. Raises Contradiction when there are none, Unsolved if it fails.

        If only the goal has changed since the last solution, it is still possible, and the solver goes on from it.
        """
        for name, value in (_PRIMAL if only_goal_changed else _DUAL).items():
            self._solver.setOptionValue(name, value)
        self._solver.changeColsCost(len(self._columns), self._columns, -weight)
        self._solver.run()
        status = self._solver.getModelStatus()
        if status == self._infeasible:
            raise Contradiction
        if status != self._optimal:
            raise Unsolved
        return np.array(self._solver.getSolution().col_value)
