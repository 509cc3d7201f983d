"""A view as a file: CSV for a spreadsheet, Parquet for a program, SVG for a document."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from http import HTTPStatus
from io import BytesIO
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.cells import peer_condition, relation, x_condition
from chu_platform.portal.charts import drawing, grammar, regions
from chu_platform.portal.charts.dots import dots
from chu_platform.portal.charts.drawing import WIDE
from chu_platform.portal.choices import Refused
from chu_platform.portal.profile_satisfaction import SURVEYS
from chu_platform.portal.questions import Question
from chu_platform.portal.readable_periods import GRAINS
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.views import View
from chu_platform.tables.columns import DOUBLE, LONG
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.spark_sql import ALL

CSV: Final = "text/csv; charset=utf-8"
PARQUET: Final = "application/vnd.apache.parquet"
SVG: Final = "image/svg+xml"
MAX_PART_LENGTH: Final = 60
# Codes of the published tables, as a French reader knows them; a band such as 5-9 would be a date to a spreadsheet.
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "period_grain": {grain: label.lower() for grain, label in GRAINS.items()},
    "code": {"unattached": "sans établissement"},
    "region_code": {ALL: "France"},
}
# From the youngest; all ages and the unknown one last.
AGE_ORDER: Final = "try_cast(regexp_extract(age_band, '[0-9]+') AS INT) NULLS LAST, age_band"
# What a spreadsheet would take for a formula.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class File:
    """A file as a reader gets it: the name it is saved as, its media type, its content."""

    name: str
    media: str
    content: bytes


def file_of(snapshot: Snapshot, view: View, part_and_kind: str) -> File:
    """A file of a view, such as "evolution.csv". Raises Refused when there is none of that name."""
    part, _, kind = part_and_kind.partition(".")
    content: bytes | None = None
    media = ""
    if kind == "svg" and part in ("evolution", "courbe", "comparaison", "carte"):
        content, media = as_svg(snapshot, view, part), SVG
    elif kind in ("csv", "parquet") and part in ("evolution", "comparaison"):
        rows = rows_over_time(snapshot, view) if part == "evolution" else rows_compared(snapshot, view)
        content, media = (as_csv(view.question, rows), CSV) if kind == "csv" else (as_parquet(rows), PARQUET)
    if content is None:
        raise Refused("Ce fichier n’existe pas.", HTTPStatus.NOT_FOUND)
    return File(file_name(view, part, kind), media, content)


def rows_over_time(snapshot: Snapshot, view: View) -> pa.Table:
    """The published rows of the trend, of all X."""
    grain = "year" if view.choice.period.grain == "all" else view.choice.period.grain
    parameters: dict[str, object] = {"grain": grain}
    conditions = []
    for number, x in enumerate((view.choice.x, *(other.x for other in view.choice.others))):
        conditions.append(x_condition(view.question, str(number)))
        parameters |= {f"{column}{number}": value for column, value in x.items()}
    return _rows(snapshot, view.question, f"({' OR '.join(conditions)}) AND period_grain = $grain", parameters)


def rows_compared(snapshot: Snapshot, view: View) -> pa.Table:
    """The published rows of the comparison, also those that the page does not draw.

    Of a long comparison, those with a figure: tens of thousands of masked rows would tell no more than their number.
    """
    condition, parameters, _, _ = peer_condition(view.question, view.cell)
    if not view.peers.complete:
        condition = f"{condition} AND NOT is_masked"
    return _rows(snapshot, view.question, condition, parameters)


def _rows(snapshot: Snapshot, question: Question, condition: str, parameters: Mapping[str, object]) -> pa.Table:
    listed = ", ".join(sql_name(c.name) for c in question.table.columns)
    order = ", ".join(AGE_ORDER if c == "age_band" else sql_name(c) for c in question.table.key)
    found = snapshot.table(f"SELECT {listed} FROM {relation(question)} WHERE {condition} ORDER BY {order}", parameters)
    fields = [
        pa.field(c.name, found.schema.field(c.name).type, metadata={"label": c.label}) for c in question.table.columns
    ]
    return found.cast(pa.schema(fields))


def as_csv(question: Question, rows: pa.Table) -> bytes:
    """Rows for a French reader's spreadsheet: UTF-8 with a mark, semicolons, commas, words; a masked figure says so.

    The columns are columns of the question's table, in its order.
    """
    words = {
        "survey": SURVEYS,
        **question.words,
        "level": {level: w.label for level, w in question.levels.items()},
        **WORDS,
    }
    figures = {c.name for c in question.table.columns if c.type in (DOUBLE, LONG)}
    lines = [[c.label for c in question.table.columns if c.name in rows.column_names]]
    for row in rows.to_pylist():
        hidden = {n for n, v in row.items() if row["is_masked"] and n in figures and v is None}
        lines.append(
            [french.MASKED if name in hidden else written(value, words.get(name, {})) for name, value in row.items()]
        )
    return written_csv(lines)


def written_csv(lines: Iterable[Sequence[str]]) -> bytes:
    """Lines of cells for a French reader's spreadsheet: UTF-8 with a mark, and semicolons."""
    text = "".join(";".join(_quoted(cell) for cell in line) + "\r\n" for line in lines)
    return text.encode("utf-8-sig")


def as_parquet(rows: pa.Table) -> bytes:
    """Rows with the names, types and codes of the published table; French labels in the metadata of the columns."""
    buffer = BytesIO()
    pq.write_table(rows, buffer, compression="zstd")
    return buffer.getvalue()


def file_name(view: View, part: str, kind: str) -> str:
    """What a file is saved as: question, X, number of others, measure, period, part; in plain letters."""
    others = f" et {len(view.courses) - 1}" if part == "evolution" and view.courses else ""
    about = (view.question.slug, f"{view.cell.label}{others}", view.measure.key, view.choice.period.written, part)
    return f"{'-'.join(_plain(text) for text in about)}.{kind}"


def as_svg(snapshot: Snapshot, view: View, kind: str) -> bytes | None:
    """A chart of the view that says alone what it shows and where it is from; None when there is none of that kind."""
    drawn = _chart(view, kind)
    if drawn is None:
        return None
    charts = {
        "evolution": view.trend_chart,
        "courbe": view.course_chart,
        "comparaison": view.dots_chart,
        "carte": view.map_chart,
    }
    shown = chart.title if (chart := charts[kind]) else ""
    about = [c.label for c in view.courses] if kind == "evolution" and view.courses else [view.cell.label]
    head = (f"{view.question.short} – {', '.join(about)}", f"{shown} – période choisie : {view.cell.period.label}")
    version = snapshot.versions.get(view.question.table.name)
    origin = "chiffres exacts d’un établissement, à ne pas diffuser" if snapshot.own else "données publiées"
    source = f"Indicateurs du groupe hospitalier, {origin}"
    if version and not snapshot.own:
        source += f", version {version.number} du {french.day(version.committed.date())}"
    foot = (f"{source} (table {view.question.table.name}).", view.question.caution)
    return drawing.banded(drawn, head, foot).encode()


def _chart(view: View, kind: str) -> Markup | None:
    if kind == "evolution":
        return grammar.draw(view.over_time, kind, WIDE)
    if kind == "courbe":
        return grammar.draw(view.course_chart, kind, WIDE) if view.course_chart else None
    if kind == "comparaison":
        return grammar.draw(dots(view.dots_chart), kind, WIDE)
    return regions.draw(_unlinked(view.map_chart), kind, WIDE) if view.map_chart else None


def _unlinked(chart: regions.RegionMap) -> regions.RegionMap:
    return replace(chart, regions=[replace(region, href="") for region in chart.regions])


def _plain(text: str) -> str:
    """The text in letters and digits that every file system takes."""
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:MAX_PART_LENGTH].rstrip("-")


def written(value: object, words: Mapping[str, str]) -> str:
    """A value as text; `words` are those for its codes."""
    if value is None:
        return ""
    if isinstance(value, str):
        value = words.get(value, value)
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, float):
        return repr(value).replace(".", ",").removesuffix(",0")
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ';"\r\n') else text
