"""The reports, in the order in which the check-list names them. A new report is added here and nowhere else."""

from collections.abc import Sequence
from typing import Final

from chu_platform.committee.document import Report
from chu_platform.committee.livrable1 import LIVRABLE_1
from chu_platform.committee.livrable2 import LIVRABLE_2
from chu_platform.committee.preconisations import PRECONISATIONS

REPORTS: Final[Sequence[Report]] = (LIVRABLE_1, LIVRABLE_2, PRECONISATIONS)
