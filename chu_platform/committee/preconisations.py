"""The third report: recommendations of tools and hosting, measured scalability and elasticity, costs, risks."""

from typing import Final

from chu_platform.committee.advice.costs import COSTS
from chu_platform.committee.advice.domains import (
    ENCRYPTION,
    ENGINE,
    EXPLORATION,
    HOSTING,
    INTEGRATION,
    STORAGE,
    VISUALISATION,
)
from chu_platform.committee.advice.method import METHOD
from chu_platform.committee.advice.migration import MIGRATION, RISKS
from chu_platform.committee.advice.scaling import SCALING
from chu_platform.committee.document import Report

PRECONISATIONS: Final = Report(
    "preconisations",
    "Préconisations",
    "Préconisations : outils, hébergement, coûts",
    "Intégration, stockage, moteur, visualisation et sécurité : exigences, preuves et recommandations",
    [
        METHOD,
        INTEGRATION,
        STORAGE,
        ENGINE,
        VISUALISATION,
        EXPLORATION,
        SCALING,
        COSTS,
        HOSTING,
        ENCRYPTION,
        MIGRATION,
        RISKS,
    ],
)
