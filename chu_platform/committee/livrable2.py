"""Livrable 2: the physical model, its scripts, and the measured response times."""

from typing import Final

from chu_platform.committee.document import Report
from chu_platform.committee.measured.physical_model import EVIDENCE, PARTITIONS, PHYSICAL_MODEL, SCRIPTS
from chu_platform.committee.measured.response_times import RESPONSE_TIMES
from chu_platform.layouts.archive import ARCHIVE, archive

LIVRABLE_2: Final = Report(
    "livrable2",
    "Livrable 2",
    "Livrable 2 : modèle physique et optimisation",
    "Scripts, dispositions des tables et temps de réponse mesurés",
    [PHYSICAL_MODEL, SCRIPTS, PARTITIONS, EVIDENCE, RESPONSE_TIMES],
    lambda _inputs: {ARCHIVE: archive()},
)
