"""Which unknowns linear equations determine, whatever their values: those that no solution of A d = 0 moves.

A random vector is projected on these solutions by least squares (LSMR). A determined unknown gets 0; another one gets 0
only by a chance below 10^-5, and two vectors are tried.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
_ACCURACY: Final = 1e-12
_ZERO: Final = 1e-5


def directions(matrix: "csr_array", number: int) -> Floats:
    """Random solutions of A d = 0, one in each column; shape (unknowns, number)."""
    random = np.random.default_rng(0).normal(size=(matrix.shape[1], number))
    return np.column_stack([random[:, k] - _least_squares(matrix, matrix @ random[:, k]) for k in range(number)])


def determined(matrix: "csr_array") -> NDArray[np.bool_]:
    """The unknowns that the equations determine; shape (unknowns,)."""
    return np.asarray(np.abs(directions(matrix, 2)).max(axis=1) < _ZERO, np.bool_)


def solution(matrix: "csr_array", constants: Floats) -> Floats:
    """A solution of A x = b; determined unknowns have their value."""
    return _least_squares(matrix, constants)


def _least_squares(matrix: "csr_array", constants: Floats) -> Floats:
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import lsmr

    if not matrix.nnz:
        return np.zeros(matrix.shape[1])
    # Rows of one length take a tenth of the steps, and change no solution.
    length = np.sqrt((matrix * matrix).sum(axis=1))
    length[length == 0] = 1.0
    scaled = (diags_array(1 / length) @ matrix).tocsr()
    most = 50 * min(matrix.shape) + 1000
    found: Floats = lsmr(scaled, constants / length, atol=_ACCURACY, btol=_ACCURACY, conlim=1e14, maxiter=most)[0]
    return found
