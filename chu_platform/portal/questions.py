"""The questions of the portal: those of the indicators, with the tables that answer them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from chu_platform.indicators.indicator import indicators
from chu_platform.indicators.use_of_care import AGES, SEXES
from chu_platform.kpis.kpi_satisfaction_by_region import SURVEYS
from chu_platform.tables.questions import Count, IndicatorQuestion, Measure, Parameter
from chu_platform.tables.table import Table

__all__ = ["AGES", "SEXES", "SURVEYS", "Count", "Measure", "Parameter", "Question"]


@dataclass(frozen=True, kw_only=True)
class Question(IndicatorQuestion):
    """The question of an indicator, the masked table that answers it, and the fact whose rows the table counts."""

    table: Table
    fact: Table


def _questions() -> Sequence[Question]:
    return [
        Question(
            table=i.masked, fact=i.fact, **{f.name: getattr(i.question, f.name) for f in fields(IndicatorQuestion)}
        )
        for i in indicators()
    ]


QUESTIONS: Final[Sequence[Question]] = _questions()
BY_SLUG: Final = {q.slug: q for q in QUESTIONS}
LEVELS: Final[Mapping[str, str]] = {level: w.label for q in QUESTIONS for level, w in q.levels.items()}
# How a sentence goes on after what was done.
WHERE: Final[Mapping[str, str]] = {level: w.where for q in QUESTIONS for level, w in q.levels.items()}
# Levels of the coverage that are no level of a place or a diagnosis.
BROKEN_DOWN: Final = {
    "speciality": "Spécialité",
    "all/all": "Ensemble",
    "sex/all": "Sexe",
    "all/age": "Âge",
    "sex/age": "Sexe et âge",
}
