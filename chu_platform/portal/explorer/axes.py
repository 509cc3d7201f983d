"""The axes along which the cells of a question can be listed: its periods, and the columns and levels of its X."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chu_platform import french
from chu_platform.portal.cells import relation
from chu_platform.portal.choices import BAND_ORDER
from chu_platform.portal.questions import Parameter, Question
from chu_platform.portal.readable_periods import GRAINS, Period
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.spark_sql import ALL, UNKNOWN, WHOLE_PROFESSION

# The dimension of the axes of time; those of others have the name of their parameter.
TIME: Final = "temps"
# Of each axis of time, its name in an address and the grain of its periods.
TIME_AXES: Final = {"annee": "year", "trimestre": "quarter", "mois": "month"}
# Of each level of places and diagnoses: the published table that says in which of higher levels one lies, the column
# of its code there, and the column of each higher level.
INSIDE: Final[Mapping[str, tuple[str, str, Mapping[str, str]]]] = {
    "department": ("published_department", "department_code", {"region": "region_code"}),
    "establishment": (
        "published_establishment",
        "establishment_key",
        {"region": "region_code", "department": "department_code"},
    ),
    "category": ("published_diagnosis", "code", {"chapter": "chapter_code"}),
    "leaf": ("published_diagnosis", "code", {"chapter": "chapter_code", "category": "category_code"}),
}
# The columns of labels, by that of the code.
LABELS: Final = {"code": "label", "region_code": "region_label"}


@dataclass(frozen=True)
class Axis:
    """An axis: its name in an address, its label, and its dimension; a table has one axis of each dimension.

    `columns` tell its values apart, `where` is the SQL condition of the rows that have one, `order` sorts them.
    `words` are the labels of values that the table does not label. `level` is its level of places or diagnoses.
    """

    name: str
    label: str
    dimension: str
    columns: Sequence[str]
    where: str
    order: str
    words: Mapping[str, str]
    level: str | None = None

    def value(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """The value of a row."""
        return tuple(row[c] for c in self.columns)

    def named(self, row: Mapping[str, Any]) -> str:
        """The value of a row in words."""
        if self.dimension == TIME:
            period = Period(row["period_grain"], row["period_start"], row["period_end"])
            return f"{period.label} (incomplète)" if row["is_partial"] else period.label
        if self.columns == ("profession", "speciality"):
            return f"{row['speciality']} ({row['profession']})"
        (column,) = self.columns
        if self.words:
            return self.words[row[column]]
        return french.capital(str(row[LABELS.get(column, column)]))


def axes_of(snapshot: Snapshot, question: Question) -> Sequence[Axis]:
    """The axes of a question, those of time first."""
    return snapshot.once(("axes", question.slug), lambda: list(_axes(snapshot, question)))


def _axes(snapshot: Snapshot, question: Question) -> Iterator[Axis]:
    grains = {r["grain"] for r in snapshot.rows(f"SELECT DISTINCT period_grain AS grain FROM {relation(question)}")}
    for name, grain in TIME_AXES.items():
        if grain in grains:
            where = f"period_grain = {sql_text(grain)}"
            yield Axis(name, GRAINS[grain], TIME, ("period_start",), where, "period_start", {})
    for parameter in question.parameters:
        yield from _axes_of_parameter(snapshot, question, parameter)


def _axes_of_parameter(snapshot: Snapshot, question: Question, parameter: Parameter) -> Iterator[Axis]:
    columns = tuple(parameter.columns)
    if columns == ("level", "code"):
        rows = snapshot.rows(f"SELECT level FROM {relation(question)} GROUP BY level HAVING count(DISTINCT code) > 1")
        there = {r["level"] for r in rows}
        for level, texts in question.levels.items():
            if level in there:
                by_code = BAND_ORDER if texts.ordered else "strip_accents(label)"
                order = f"code = {sql_text(UNKNOWN)}, {by_code}, code"
                where = f"level = {sql_text(level)}"
                yield Axis(level, texts.label, parameter.name, ("code",), where, order, {}, level)
    elif columns == ("profession", "speciality"):
        whole = f"speciality = {sql_text(WHOLE_PROFESSION)}"
        yield Axis("profession", "Profession", parameter.name, ("profession",), whole, "profession", {})
        order = "profession, speciality"
        yield Axis("specialite", "Spécialité", parameter.name, columns, f"NOT {whole}", order, {})
    else:
        (column,) = columns
        # The row of all is reached without the axis: beside its parts it would be taken for one of them.
        where = f"{sql_name(column)} <> {sql_text(ALL)}"
        order = "strip_accents(region_label)" if column == "region_code" else sql_name(column)
        words = {v: label for v, label in (parameter.value_labels or {}).items() if v != ALL}
        if words:
            listed = ", ".join(map(sql_text, words))
            where, order = f"{sql_name(column)} IN ({listed})", f"list_position([{listed}], {sql_name(column)})"
        yield Axis(parameter.name, parameter.label, parameter.name, columns, where, order, words)
