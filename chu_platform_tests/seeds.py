"""The seed of every random draw in the tests: fixed in CI, drawn anew elsewhere, printed in the header of pytest.

CHU_TEST_SEED draws the same values again.
"""

import os
import secrets
from typing import Final

VARIABLE: Final = "CHU_TEST_SEED"
SEED_OF_CI: Final = 2023


def in_ci() -> bool:
    """Whether this is a run of CI."""
    return os.environ.get("CI") == "true"


def choose_seed() -> int:
    """Choose the seed once for all processes of a run: processes that start later inherit it."""
    chosen = os.environ.get(VARIABLE) or str(SEED_OF_CI if in_ci() else secrets.randbelow(10**6))
    os.environ[VARIABLE] = chosen
    return int(chosen)
