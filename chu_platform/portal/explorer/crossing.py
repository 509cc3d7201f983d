"""What a reader asks the explorer for: a question, measures, axes, filters and two dates, from an address and back.

Names are those of the declarations, and values are only ever parameters of the query. What is not understood is
refused with a sentence in French, never guessed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Final

from chu_platform import french
from chu_platform.portal.addresses import EXPLORER, MEASURE, explorer_address
from chu_platform.portal.choices import UNREADABLE, Refused, single, x_of
from chu_platform.portal.explorer.axes import INSIDE, TIME, Axis, axes_of
from chu_platform.portal.questions import Measure, Parameter, Question
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.duckdb_sql import sql_name, sql_text

SUBJECT: Final = "sujet"
AXES: Final = ("axe1", "axe2", "axe3")
FIRST: Final = "du"
LAST: Final = "au"
MAX_MEASURES: Final = 4


@dataclass(frozen=True)
class Crossing:
    """A table to be made: cells of a question along axes, between two dates (both included; None: not limited).

    `path` is that of its explorer. `filters` are the values of parameters of the question, as an address has them.
    `left_out` are measures that were asked for and do not exist at the level of the table.
    """

    question: Question
    measures: Sequence[Measure]
    axes: Sequence[Axis]
    filters: Mapping[str, str]
    first: date | None
    last: date | None
    left_out: Sequence[Measure] = ()
    path: str = EXPLORER

    def address(self, file: str = "") -> str:
        """The address of this table, or of a file of it."""
        return explorer_address(
            [
                (SUBJECT, self.question.slug),
                *((MEASURE, m.key) for m in self.measures),
                *((name, axis.name) for name, axis in zip(AXES, self.axes, strict=False)),
                *self.filters.items(),
                *((name, day.isoformat()) for name, day in ((FIRST, self.first), (LAST, self.last)) if day),
            ],
            file,
            self.path,
        )

    def axis_of(self, dimension: str) -> Axis | None:
        """The axis of a dimension, if the table has one."""
        return next((a for a in self.axes if a.dimension == dimension), None)


def crossing_asked_for(snapshot: Snapshot, given: Sequence[tuple[str, str]], path: str = EXPLORER) -> Crossing:
    """The table that an address asks for. Raises Refused for what does not exist or does not go together.

    `path` is that of the explorer.
    """
    slug = next((value for name, value in given if name == SUBJECT), None) or snapshot.questions[0].slug
    question = snapshot.question(slug)
    if question is None:
        raise Refused("Cet indicateur n’existe pas.", HTTPStatus.NOT_FOUND)
    if question.table.name in snapshot.unreadable:
        raise Refused(UNREADABLE, HTTPStatus.SERVICE_UNAVAILABLE)
    parameters = {p.name: p for p in question.parameters}
    keys = [value for name, value in given if name == MEASURE and value]
    others = [(name, value) for name, value in given if name != MEASURE]
    asked = {n: v for n, v in single(others, [SUBJECT, *AXES, FIRST, LAST, *parameters]).items() if v}
    axes = _axes(axes_of(snapshot, question), [asked[name] for name in AXES if name in asked])
    filters = {name: asked[name] for name in parameters if name in asked}
    first, last = day_of(asked.get(FIRST)), day_of(asked.get(LAST))
    if first and last and first > last:
        raise Refused("La première date vient après la dernière.")
    if not asked.keys() & set(AXES) and not keys:
        # The explorer opens with a table that has rows.
        axes = axes_of(snapshot, question)[:1]
    wanted = _measures(question, keys)
    there = question.measures_at(_level(snapshot, question, axes, filters))
    measures = [m for m in there if m.key in wanted] or there[:1]
    left_out = [m for m in question.measures if m.key in wanted and all(m.key != t.key for t in there)]
    return Crossing(question, measures, axes, filters, first, last, left_out, path)


def conditions(snapshot: Snapshot, crossing: Crossing) -> tuple[Sequence[str], dict[str, object]]:
    """The SQL conditions of the cells of a table, and their parameters, without the choice of the period."""
    found, values = [], dict[str, object]()
    for parameter in crossing.question.parameters:
        axis, given = crossing.axis_of(parameter.name), crossing.filters.get(parameter.name)
        if axis is None:
            for column, value in x_of_parameter(snapshot, crossing, parameter).items():
                found.append(f"{sql_name(column)} = ${column}")
                values[column] = value
        else:
            found.append(axis.where)
            if given:
                condition, code = _within(axis, parameter, given)
                found.append(condition)
                values[parameter.name] = code
    if axis := crossing.axis_of(TIME):
        found.append(axis.where)
    for name, condition, day in (
        ("first", "period_start >= $first", crossing.first),
        ("last", "period_end <= $last + INTERVAL 1 DAY", crossing.last),
    ):
        if day:
            found.append(condition)
            values[name] = day
    return found, values


def x_of_parameter(snapshot: Snapshot, crossing: Crossing, parameter: Parameter) -> Mapping[str, str]:
    """The values of the columns of a parameter without an axis: those of its filter, or those it opens with."""
    x = x_of(snapshot, crossing.question, {k: v for k, v in crossing.filters.items() if k == parameter.name})
    return {column: x[column] for column in parameter.columns}


def _axes(known: Sequence[Axis], names: Sequence[str]) -> Sequence[Axis]:
    by_name = {axis.name: axis for axis in known}
    if any(name not in by_name for name in names):
        raise Refused("Cet axe n’existe pas pour cet indicateur.")
    found = [by_name[name] for name in names]
    for number, axis in enumerate(found):
        if any(axis.dimension == other.dimension for other in found[:number]):
            raise Refused(f"Deux axes se partagent la même dimension : gardez l’un d’eux (« {axis.label} »).")
    return found


def _measures(question: Question, keys: Sequence[str]) -> Collection[str]:
    if any(question.measure(key) is None for key in keys):
        raise Refused("Cette mesure n’existe pas pour cet indicateur.")
    if len(set(keys)) > MAX_MEASURES:
        raise Refused(f"Un tableau a {MAX_MEASURES} mesures au plus.")
    return set(keys)


def _level(snapshot: Snapshot, question: Question, axes: Sequence[Axis], filters: Mapping[str, str]) -> str | None:
    """The level of the places or diagnoses of a table, if they have levels."""
    parameter = next((p for p in question.parameters if "level" in p.columns), None)
    if parameter is None:
        return None
    if axis := next((a for a in axes if a.dimension == parameter.name), None):
        return axis.level
    return x_of(snapshot, question, {k: v for k, v in filters.items() if k == parameter.name})["level"]


def _within(axis: Axis, parameter: Parameter, given: str) -> tuple[str, str]:
    """The condition of the values of an axis that a filter of its dimension keeps, and the value of its parameter."""
    parts = given.split(parameter.separator, len(parameter.columns) - 1)
    if len(parts) != len(parameter.columns):
        raise Refused(f"Le paramètre « {parameter.name} » n’a pas la forme attendue.")
    placeholder = f"${parameter.name}"
    if axis.level is None:
        # Of a speciality, all of its profession.
        return f"{sql_name(axis.columns[0])} = {placeholder}", parts[0]
    level, code = parts
    if level == axis.level:
        return f"code = {placeholder}", code
    table, key, columns = INSIDE.get(axis.level, ("", "", {}))
    if level not in columns:
        raise Refused(
            f"Le filtre « {parameter.label} » ne contient pas de {french.small(axis.label)} : ôtez le filtre, ou l’axe."
        )
    same_level = f"level = {sql_text(axis.level)} AND " if key == "code" else ""
    inside = f"{same_level}{sql_name(columns[level])} = {placeholder}"
    return f"code IN (SELECT {sql_name(key)} FROM {sql_name(table)} WHERE {inside})", code


def day_of(written: str | None) -> date | None:
    """A date of an address. Raises Refused for what is none."""
    if written is None:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise Refused("Une date s’écrit AAAA-MM-JJ, comme 2019-03-31.") from None
