"""Livrable 1: the référentiel de données."""

from typing import Final

from chu_platform.committee.document import Report

LIVRABLE_1: Final = Report(
    "livrable1",
    "Livrable 1",
    "Livrable 1 : référentiel de données",
    "Modèles, axes et mesures, jobs d’alimentation et architecture de l’entrepôt du groupe CHU",
    [],
)
