"""The semantic description of the marts: measures, axes, labels and joins, from the declarations, as one YAML file.

It has the form of MetricFlow (docs/decisions/0075): a document for each semantic model and each metric. A row of an
indicator is a cell that was counted as a whole, also a month beside its year, and a site beside its region. So figures
are not summed: the aggregate of each measure is the maximum, which is the figure itself if all axes are chosen.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from chu_platform.marts.content import AXES, Axis, Mart, MartTable, every_mart_table, mart_tables
from chu_platform.tables.columns import DATE, DOUBLE, INTEGER, LONG, WEIGHT, Column
from chu_platform.tables.indicator_questions import IndicatorQuestion, Measure
from chu_platform.tables.period_sql import YEAR

Document = Mapping[str, Any]
# Each day between the first and the last period: BI tools and MetricFlow ask for such a table.
CALENDAR: Final = "calendrier"
DAY: Final = "jour"
NUMBERS: Final = (DOUBLE, INTEGER, LONG, WEIGHT)
ONE_CELL: Final = "Une ligne est un chiffre entier : choisir une valeur de chaque axe, ne pas additionner."
# Names that MetricFlow uses itself.
RESERVED: Final = ("day", "week", "month", "quarter", "year", "metric_time")


def semantic_description() -> str:
    """The description of all marts, as a text in YAML."""
    documents = [_calendar(), *_models(), *_metrics()]
    text: str = yaml.safe_dump_all(documents, allow_unicode=True, sort_keys=False, width=120)
    return text


def _calendar() -> Document:
    table = {"alias": CALENDAR, "schema_name": Mart.PUBLISHED.value}
    spine = {"node_relation": table, "primary_column": {"name": DAY, "time_granularity": "day"}}
    return {"project_configuration": {"time_spines": [spine]}}


def _models() -> Iterator[Document]:
    for mart in Mart:
        tables = mart_tables(mart)
        for axis in AXES:
            if axis.read_by(tables):
                yield {"semantic_model": _axis_model(mart, axis)}
        for table in tables:
            yield {"semantic_model": _table_model(table)}


def _axis_model(mart: Mart, axis: Axis) -> Document:
    return {
        "name": _name(mart, axis.name),
        "label": f"{axis.title} ({mart})",
        "description": f"{axis.title} : les valeurs que les tables de {mart} partagent.",
        "node_relation": {"alias": axis.name, "schema_name": mart.value},
        "entities": [_entity(_name(mart, axis.name), "primary", axis.key, axis.title)],
        "dimensions": [_dimension(c) for c in (*axis.columns, axis.label)],
    }


def _table_model(table: MartTable) -> Document:
    question = table.indicator.question if table.indicator else None
    measures = _measured(table)
    description = [f"{table.table.full_description}"]
    if question:
        description += [question.title, *question.definition, f"Attention : {question.caution}"]
    name = _name(table.mart, table.name)
    model: dict[str, Any] = {
        "name": name,
        "label": f"{table.table.label} ({table.mart})",
        "description": "\n".join(description),
        "node_relation": {"alias": table.name, "schema_name": table.mart.value},
        "entities": [
            *_foreign(table),
            _entity(f"cellule_{_name(table.mart, table.name)}", "primary", table.readable_key, "Clé"),
        ],
        "dimensions": [_dimension(c, question) for c in table.readable if c not in measures],
    }
    if measures:
        model["defaults"] = {"agg_time_dimension": _element(_time_column(table))}
        model["measures"] = [_measure(table, c) for c in measures]
    return model


def _foreign(table: MartTable) -> Iterator[Document]:
    """The axes to which a table refers."""
    for axis in AXES:
        if table in axis.read_by([table]):
            yield _entity(_name(table.mart, axis.name), "foreign", axis.key, axis.title)


def _entity(name: str, kind: str, columns: Sequence[str], label: str) -> Document:
    """Columns that identify something together; several are one text, because an entity has one expression."""
    parts = columns if len(columns) == 1 else [f"CAST({c} AS TEXT)" for c in columns]
    return {"name": name, "type": kind, "expr": " || '|' || ".join(parts), "label": label}


def _dimension(column: Column, question: IndicatorQuestion | None = None) -> Document:
    found: dict[str, Any] = {
        "name": _element(column.name),
        "label": column.label,
        "description": column.full_description,
        "expr": column.name,
        "type": "categorical",
    }
    if _is_year(column):
        found |= {
            "expr": f"make_date({column.name}, 1, 1)",
            "type": "time",
            "type_params": {"time_granularity": "year"},
        }
    elif column.type == DATE:
        found |= {"type": "time", "type_params": {"time_granularity": "day"}}
    if words := value_labels(column.name, question):
        found["config"] = {"meta": {"values": words}}
    return found


def value_labels(column: str, question: IndicatorQuestion | None) -> Mapping[str, str]:
    """The French labels of the values of a column, if it has few of them."""
    if question is None:
        return {}
    if column == "level":
        return {level: texts.label for level, texts in question.levels.items()}
    parameter = next((p for p in question.parameters if p.columns == (column,)), None)
    return dict(parameter.value_labels or {}) if parameter else {}


def _measured(table: MartTable) -> Sequence[Column]:
    """The figures of an indicator: its numbers that are no key. A table that answers no question has none."""
    if table.indicator is None:
        return []
    return [c for c in table.readable if c.type in NUMBERS and not c.key]


def _time_column(table: MartTable) -> str:
    """The column of the time of a cell."""
    return next(c.name for c in table.columns if _is_year(c) or c.name == "period_start")


def _is_year(column: Column) -> bool:
    """Whether it is the year of a table by year. The campaign of a survey is text: it may be two years."""
    return column.name == YEAR and column.type == INTEGER


def _measure(table: MartTable, column: Column) -> Document:
    return {
        "name": _measure_name(table, column.name),
        "label": column.label,
        "description": f"{column.full_description} {ONE_CELL}",
        "agg": "max",
        "expr": column.name,
    }


def _metrics() -> Iterator[Document]:
    """What the questions ask: each figure, its limits, and the counts that are displayed beside it."""
    for table in every_mart_table():
        if table.indicator is None:
            continue
        question = table.indicator.question
        prefix = _name(table.mart, question.slug.replace("-", "_"))
        columns = {c.name: c for c in _measured(table)}
        for name, label, column, description in _figures(question):
            # The exact table of an indicator may lack what its released form has.
            if column in columns:
                yield {
                    "metric": {
                        "name": f"{prefix}_{name}".replace("-", "_"),
                        "label": f"{label or columns[column].label} ({question.short}, {table.mart})",
                        "description": f"{description} {ONE_CELL}",
                        "type": "simple",
                        "type_params": {"measure": _measure_name(table, column)},
                    }
                }


def _figures(question: IndicatorQuestion) -> Sequence[tuple[str, str, str, str]]:
    """Name, label, column and description of each figure of a question, once each.

    Without a label, it has that of its column.
    """
    found: dict[str, tuple[str, str, str, str]] = {}
    for measure in question.measures:
        for figure in _figures_of(measure):
            found.setdefault(figure[0], figure)
    return list(found.values())


def _figures_of(measure: Measure) -> Iterator[tuple[str, str, str, str]]:
    unit = f"{measure.label}, en {measure.unit}."
    yield measure.key, measure.label, measure.value, unit
    if measure.low and measure.high:
        yield f"{measure.key}_bas", f"{measure.label}, limite basse", measure.low, f"{unit} {measure.interval}"
        yield f"{measure.key}_haut", f"{measure.label}, limite haute", measure.high, f"{unit} {measure.interval}"
    for count in measure.counts:
        yield f"n_{count.column}", "", count.column, f"{count.label}."


def _measure_name(table: MartTable, column: str) -> str:
    return f"{_name(table.mart, table.name)}_{column}"


def _name(mart: Mart, name: str) -> str:
    """A name that is the same for no two marts."""
    return name if mart is Mart.PUBLISHED else f"{mart}_{name}"


def _element(column: str) -> str:
    """The name of a column in the description."""
    return f"{column}_of_figure" if column in RESERVED else re.sub("__+", "_", column)
