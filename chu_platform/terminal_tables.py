"""Tables in the terminal: a summary of the published indicators, and the result of `chu kpi`."""

import json
from datetime import date
from typing import Final

import duckdb
import pyarrow as pa
from rich.console import Console
from rich.table import Table as Grid

from chu_platform import french
from chu_platform.editions.readable import released_relation
from chu_platform.indicators.indicator import Indicator, indicators
from chu_platform.release.publication_coverage import published as coverage
from chu_platform.storage.edition_manifest import published_edition
from chu_platform.storage.lake import Lake

WIDTH: Final = 160
MAX_TRANSPOSED_ROWS: Final = 4


def print_indicators(lake: Lake) -> None:
    """Print a summary of the published indicators, and the share of each that is visible after masking."""
    grid = Grid(title="Les indicateurs (publiés)", title_justify="left")
    for heading in ("Indicateur", "Période", "Sujet", "Valeur", "IC à 95 %", "Numérateur et dénominateur"):
        grid.add_column(heading, overflow="fold")
    edition = published_edition(lake.place)
    for indicator in indicators():
        label = indicator.masked.label.removesuffix(" (publié)")
        if indicator.masked.in_editions and not (edition and edition.version(indicator.masked) is not None):
            grid.add_row(label, "-", "dans aucune édition : chu release", "-", "-", "-", end_section=True)
            continue
        lines = _summary(lake, indicator)
        for number, line in enumerate(lines):
            grid.add_row(label if number == 0 else "", *line, end_section=number == len(lines) - 1)
        if not lines:
            grid.add_row(label, "-", "tout est masqué", "-", "-", "-", end_section=True)
    _console().print(grid)
    shares = (
        duckdb.connect()
        .sql(
            f"""
        PIVOT (
            SELECT replace(indicator, 'kpi_', '') AS indicateur, level AS niveau, grain,
                   replace(format('{{:.1f}} % ({{:d}} / {{:d}})', 100 * visible_share, cells - cells_masked, cells),
                           '.', ',') AS visible
            FROM {released_relation(lake, coverage)}
        ) ON grain IN ('month', 'quarter', 'year', 'all') USING any_value(visible) GROUP BY indicateur, niveau
        ORDER BY indicateur, niveau
        """
        )
        .to_arrow_table()
    )
    print_rows(shares, title="Part des événements visible après masquage (cellules visibles / cellules)")


def _summary(lake: Lake, indicator: Indicator) -> list[tuple[str, str, str, str, str]]:
    """Rows of the summary as French texts: period, subject, figure, limits, numerator and denominator."""
    summary, question = indicator.summary, indicator.question
    measure = question.measure(summary.measure)
    assert measure, f"{indicator.name}: its summary names a measure that it does not have"
    counts = [c for c in (measure.numerator, measure.denominator) if c]
    columns = {
        "period": "year" if question.yearly else "year(period_start)",
        "subject": summary.subject,
        "value": measure.value,
        "low": measure.low or "NULL",
        "high": measure.high or "NULL",
        **{f"count{i}": c.column for i, c in enumerate(counts)},
    }
    listed = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    query = (
        f"SELECT {listed} FROM {{this}} WHERE {summary.where} AND NOT is_masked "
        f"ORDER BY {summary.order} LIMIT {summary.rows}"
    )
    with duckdb.connect() as connection:
        rows = connection.sql(query.format(this=released_relation(lake, indicator.masked))).fetchall()
    lines = []
    for period, subject, value, low, high, *numbers in rows:
        limits = (
            "-" if low is None else f"{french.number(low, measure.decimals)} à {french.number(high, measure.decimals)}"
        )
        name = "" if "confiance" in measure.limits else f"{measure.limits} : "
        lines.append(
            (
                str(period),
                subject,
                "-" if value is None else french.amount(value, measure.unit, measure.decimals),
                limits if limits == "-" else f"{name}{limits}",
                " /\n".join(f"{french.number(n)} {c.label}" for n, c in zip(numbers, counts, strict=True)),
            )
        )
    return lines


def print_rows(rows: pa.Table, title: str | None = None) -> None:
    """Print rows as a table. Few rows with many columns are transposed: one line per column."""
    grid = Grid(title=title, title_justify="left")
    if rows.num_rows <= MAX_TRANSPOSED_ROWS < rows.num_columns:
        grid.add_column("")
        for _ in range(rows.num_rows):
            grid.add_column("", overflow="fold")
        for name, values in rows.to_pydict().items():
            grid.add_row(name, *(_shown(value) for value in values))
        _console().print(grid)
        return
    for name in rows.column_names:
        grid.add_column(name, overflow="fold", justify="left" if pa.types.is_string(rows[name].type) else "right")
    for row in rows.to_pylist():
        grid.add_row(*(_shown(value) for value in row.values()))
    _console().print(grid)


def rows_as_json(rows: pa.Table) -> str:
    """Rows as a JSON array of objects, with dates in ISO 8601."""
    return json.dumps(rows.to_pylist(), default=date.isoformat, ensure_ascii=False, indent=2)


def _console() -> Console:
    """The console; if the output is not a terminal, it is WIDTH characters wide, so that a row fits on a line."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1 else f"{value:,.2f}".replace(",", " ")
    return str(value)
