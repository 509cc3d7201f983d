"""A dashboard of the released figures for Apache Superset, as the ZIP file that it imports, from the declarations.

Each question has two charts: the figure over time where nothing is chosen, and the rows of its view. A row is a cell
that was counted as a whole, so charts take the maximum of a single row and add nothing up. The form of the files is
that of Superset's exports, version 1.0.0 (https://superset.apache.org/docs/configuration/importing-exporting-datasources).
"""

import io
import itertools
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import yaml

from chu_platform.indicators.indicator import GRAIN
from chu_platform.marts.content import Mart, MartTable, mart_tables
from chu_platform.marts.schema import ViewColumn, view_columns, view_name
from chu_platform.marts.semantics import ONE_CELL, value_labels
from chu_platform.marts.server import ReaderAddress
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, STRING, WEIGHT
from chu_platform.tables.indicator_questions import IndicatorQuestion
from chu_platform.tables.period_sql import YEAR

Document = Mapping[str, Any]
TITLE: Final = "Indicateurs publiés du CHU"
SLUG: Final = "chu-indicateurs"
CONNECTION: Final = "CHU, chiffres publiés"
FOLDER: Final = "chu"
FORM: Final = "1.0.0"
# What Superset writes in place of a password; it then asks for it.
HIDDEN: Final = "XXXXXXXXXX"
# Equal declarations give equal identifiers, so that the dashboard of a later file replaces that of an earlier one.
NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "chu-platform/marts/dashboard")
TYPES: Final = {
    STRING: "TEXT",
    INTEGER: "INTEGER",
    LONG: "BIGINT",
    DOUBLE: "DOUBLE PRECISION",
    BOOLEAN: "BOOLEAN",
    DATE: "DATE",
    WEIGHT: "NUMERIC",
}
MAX_ROWS: Final = 1000
# The grid of a dashboard has 12 columns; heights are in eighths of a hundred pixels.
WIDTHS: Final = (5, 7)
HEIGHT: Final = 50
# Within a ZIP, so that equal dashboards are equal files.
WRITTEN_AT: Final = (2000, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class _Question:
    """A question with its view, and the columns of the view by their names in the lake."""

    table: MartTable
    question: IndicatorQuestion

    @property
    def view(self) -> str:
        return view_name(self.table)

    @property
    def columns(self) -> Mapping[str, ViewColumn]:
        return {c.column.name: c for c in view_columns(self.table) if c.column}


def dashboard_file(address: ReaderAddress, user: str) -> bytes:
    """The ZIP file: a connection of `user` without its password, a dataset and two charts for each question."""
    files = io.BytesIO()
    with ZipFile(files, "w", ZIP_DEFLATED) as packed:
        for name, document in _files(address, user):
            text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)
            packed.writestr(ZipInfo(f"{FOLDER}/{name}", WRITTEN_AT), text)
    return files.getvalue()


def connection_file() -> str:
    """The name of the file of the connection within the ZIP file, by which Superset takes its password."""
    return "databases/chu_marts.yaml"


def _files(address: ReaderAddress, user: str) -> Iterator[tuple[str, Document]]:
    questions = [_Question(table, table.indicator.question) for table in mart_tables(Mart.PUBLISHED) if table.indicator]
    questions.sort(key=lambda q: q.question.number)
    yield "metadata.yaml", {"version": FORM, "type": "Dashboard", "timestamp": "2000-01-01T00:00:00+00:00"}
    yield connection_file(), _connection(address, user)
    for question in questions:
        yield f"datasets/chu_marts/{question.view}.yaml", _dataset(question)
        for kind, chart in _charts(question).items():
            yield f"charts/{question.view}_{kind}.yaml", chart
    yield f"dashboards/{SLUG}.yaml", _dashboard(questions)


def _identifier(*names: str) -> str:
    return str(uuid.uuid5(NAMESPACE, "/".join(names)))


def _connection(address: ReaderAddress, user: str) -> Document:
    tls = "?sslmode=verify-full" if address.encrypted else ""
    return {
        "database_name": CONNECTION,
        "sqlalchemy_uri": f"postgresql+psycopg2://{user}:{HIDDEN}@{address.host}:{address.port}/{address.database}{tls}",
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": _identifier("connection"),
        "version": FORM,
    }


def _dataset(asked: _Question) -> Document:
    texts = [asked.question.title, *asked.question.definition, f"Attention : {asked.question.caution}", ONE_CELL]
    time = _time(asked)
    return {
        "table_name": asked.view,
        "main_dttm_col": time.title if time.column and time.column.type == DATE else None,
        "description": "\n".join(texts),
        "schema": Mart.PUBLISHED.value,
        "filter_select_enabled": True,
        "uuid": _identifier("dataset", asked.view),
        "metrics": [],
        "columns": [
            {
                "column_name": column.title,
                "verbose_name": column.title,
                "is_dttm": bool(column.column and column.column.type == DATE),
                "is_active": True,
                "type": TYPES[column.column.type] if column.column else "TEXT",
                "groupby": True,
                "filterable": True,
                "description": column.description,
            }
            for column in view_columns(asked.table)
        ],
        "version": FORM,
        "database_uuid": _identifier("connection"),
    }


def _time(asked: _Question) -> ViewColumn:
    """The column of the time of a row: its year, campaign or first day."""
    return asked.columns[YEAR if YEAR in asked.columns else "period_start"]


def _charts(asked: _Question) -> Mapping[str, Document]:
    """The figure over time, and the rows."""
    measure = asked.question.measures[0]
    figure = asked.columns[measure.value]
    time = _time(asked)
    metric = {
        "expressionType": "SIMPLE",
        "column": {"column_name": figure.title},
        "aggregate": "MAX",
        "hasCustomLabel": True,
        "label": measure.label,
    }
    trend = {
        "viz_type": "echarts_timeseries_line",
        "x_axis": time.title,
        "x_axis_sort_asc": True,
        "metrics": [metric],
        "groupby": _divided(asked),
        "adhoc_filters": [_filter(name, value) for name, value in _overview(asked)],
        "row_limit": MAX_ROWS,
        "markerEnabled": True,
        "y_axis_format": ",.2~f",
    }
    rows = {
        "viz_type": "table",
        "query_mode": "raw",
        "all_columns": _listed(asked),
        "order_by_cols": [json.dumps([time.title, False])],
        "adhoc_filters": [_filter(name, value) for name, value in _grain(asked)],
        "row_limit": MAX_ROWS,
        "server_page_length": 10,
        "page_length": 10,
        "include_search": True,
        "show_cell_bars": False,
        "column_config": {
            column.title: {"d3NumberFormat": ".2~f"}
            for column in asked.columns.values()
            if column.column and column.column.type == DOUBLE
        },
    }
    titles = {"trend": f"{asked.question.short} : au cours du temps", "rows": f"{asked.question.short} : lignes"}
    return {
        kind: {
            "slice_name": titles[kind],
            "description": asked.question.title,
            "viz_type": params["viz_type"],
            "params": params,
            "cache_timeout": None,
            # Superset keeps a chart that it has already: another form is another chart.
            "uuid": _identifier("chart", asked.view, kind, json.dumps(params, sort_keys=True)),
            "version": FORM,
            "dataset_uuid": _identifier("dataset", asked.view),
        }
        for kind, params in (("trend", trend), ("rows", rows))
    }


def _grain(asked: _Question) -> Iterator[tuple[str, str]]:
    """Title and value of the column of the grain: years, where there are several grains."""
    if GRAIN in asked.table.table.partition_by:
        yield asked.columns[GRAIN].title, "year"


def _overview(asked: _Question) -> Iterator[tuple[str, str]]:
    """Titles of columns, and their values where a reader of the portal has chosen nothing.

    Of a parameter without a default, all values of its first level.
    """
    yield from _grain(asked)
    for parameter in asked.question.parameters:
        values = parameter.default.split(parameter.separator) if parameter.default else []
        if not values and "level" in parameter.columns:
            values = [next(iter(asked.question.levels))]
        for name, value in zip(parameter.columns, values, strict=False):
            yield asked.columns[name].title, value_labels(name, asked.question).get(value, value)


def _divided(asked: _Question) -> Sequence[str]:
    """Titles of the columns that divide the trend: those of parameters without a default."""
    names = [name for p in asked.question.parameters if not p.default for name in p.columns if name != "level"]
    return [asked.columns["label" if name == "code" else name].title for name in names]


def _listed(asked: _Question) -> Sequence[str]:
    """Titles of the columns of the rows: period, what divides them, then counts, figure and limits."""
    measure, columns = asked.question.measures[0], asked.columns
    period = next((c.title for c in view_columns(asked.table) if c.column is None), _time(asked).title)
    divisions = ["label" if name == "code" else name for p in asked.question.parameters for name in p.columns]
    if "region_code" in divisions:
        divisions[divisions.index("region_code")] = "region_label"
    figures = [*(count.column for count in measure.counts), measure.value, measure.low, measure.high]
    names = [*divisions, *(name for name in figures if name)]
    return list(dict.fromkeys([period, *(columns[name].title for name in names if name in columns)]))


def _filter(column: str, value: str) -> Document:
    return {
        "clause": "WHERE",
        "expressionType": "SIMPLE",
        "subject": column,
        "operator": "==",
        "operatorId": "EQUALS",
        "comparator": value,
    }


def _dashboard(questions: Sequence[_Question]) -> Document:
    numbers = itertools.count(1)
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": TITLE}},
    }
    rows = []
    for asked in questions:
        row = f"ROW-{asked.question.slug}"
        parents = ["ROOT_ID", "GRID_ID"]
        charts = []
        for (kind, chart), width in zip(_charts(asked).items(), WIDTHS, strict=True):
            name = f"CHART-{asked.question.slug}-{kind}"
            meta = {
                # Superset replaces the number by that of the chart that it makes.
                "chartId": next(numbers),
                "uuid": chart["uuid"],
                "sliceName": chart["slice_name"],
                "width": width,
                "height": HEIGHT,
            }
            position[name] = {"type": "CHART", "id": name, "children": [], "parents": [*parents, row], "meta": meta}
            charts.append(name)
        look = {"background": "BACKGROUND_TRANSPARENT"}
        position[row] = {"type": "ROW", "id": row, "children": charts, "parents": parents, "meta": look}
        rows.append(row)
    position["GRID_ID"] = {"type": "GRID", "id": "GRID_ID", "children": rows, "parents": ["ROOT_ID"]}
    return {
        "dashboard_title": TITLE,
        "description": ONE_CELL,
        "css": "",
        "slug": SLUG,
        "uuid": _identifier("dashboard"),
        "position": position,
        "metadata": {"refresh_frequency": 0, "default_filters": json.dumps({})},
        "version": FORM,
    }
