"""Livrable 1: the référentiel de données."""

from typing import Final

from chu_platform.committee.chapters.architecture import architecture
from chu_platform.committee.chapters.axes_and_measures import axes_and_measures
from chu_platform.committee.chapters.conceptual_model import conceptual_model
from chu_platform.committee.chapters.data_quality import data_quality
from chu_platform.committee.chapters.dimensional_model import dimensional_model
from chu_platform.committee.chapters.jobs import jobs
from chu_platform.committee.chapters.mapping import mapping
from chu_platform.committee.chapters.needs import needs
from chu_platform.committee.chapters.teamwork import teamwork
from chu_platform.committee.document import Report

LIVRABLE_1: Final = Report(
    "livrable1",
    "Livrable 1",
    "Livrable 1 : référentiel de données",
    "Modèles, axes et mesures, jobs d’alimentation et architecture de l’entrepôt du groupe CHU",
    [
        needs,
        conceptual_model,
        dimensional_model,
        axes_and_measures,
        mapping,
        jobs,
        teamwork,
        architecture,
        data_quality,
    ],
)
