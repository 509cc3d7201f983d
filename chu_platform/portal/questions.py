"""The questions of the portal: those of the indicators, with the described tables that answer them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Final

from chu_platform import french
from chu_platform.description.described_tables import DescribedCatalogue, DescribedTable
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, Measure, Parameter

__all__ = ["BREAKDOWNS", "Count", "Measure", "Parameter", "Question", "questions_of"]

# Levels of the coverage that are no level of a place or a diagnosis.
BREAKDOWNS: Final = {
    "speciality": "Spécialité",
    "all/all": "Ensemble",
    "sex/all": "Sexe",
    "all/age": "Âge",
    "sex/age": "Sexe et âge",
}


@dataclass(frozen=True, kw_only=True)
class Question(IndicatorQuestion):
    """The question of an indicator, the masked table that answers it, and the fact whose rows the table counts."""

    table: DescribedTable
    fact: DescribedTable

    @cached_property
    def words(self) -> Mapping[str, Mapping[str, str]]:
        """The labels of the values of a column, for the columns that have few values."""
        return {p.columns[0]: p.value_labels for p in self.parameters if p.value_labels}


def questions_of(catalogue: DescribedCatalogue) -> Sequence[Question]:
    """The questions of a catalogue, in their order. In their texts and units no line may break within a number."""
    found = []
    for described in catalogue.questions:
        given = {f.name: getattr(described.question, f.name) for f in fields(IndicatorQuestion)}
        given["measures"] = [replace(m, unit=french.unbroken(m.unit)) for m in described.question.measures]
        given["definition"] = [french.unbroken(paragraph) for paragraph in described.question.definition]
        table, fact = catalogue.table(described.table), catalogue.table(described.fact)
        found.append(Question(table=table, fact=fact, **given))
    return found
