"""Tables in the terminal: a summary of the published indicators, and an answer of `chu kpi`."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Final

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DOUBLE, INTEGER, VARCHAR
from rich.console import Console
from rich.table import Table as Grid

from chu_platform import french
from chu_platform.published.kpi_consultation_rate_by_diagnosis import kpi_consultation_rate_by_diagnosis
from chu_platform.published.kpi_consultation_rate_by_establishment import (
    kpi_consultation_rate_by_establishment,
)
from chu_platform.published.kpi_consultation_rate_by_professional import kpi_consultation_rate_by_professional
from chu_platform.published.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.published.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.published.kpi_hospitalisation_rate_by_diagnosis import kpi_hospitalisation_rate_by_diagnosis
from chu_platform.published.kpi_hospitalisation_rate_by_sex_and_age import (
    kpi_hospitalisation_rate_by_sex_and_age,
)
from chu_platform.published.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.published.publication_coverage import publication_coverage
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table

WIDTH: Final = 160
MAX_TRANSPOSED_ROWS: Final = 4
# Of each indicator, the rows of its latest whole period that say most: what is counted, the figure, its limits, and what
# the figure is made of.
USE: Final = (
    "number(rate_per_1000, 1) || ' ‰' AS figure, number(rate_low, 1) || ' à ' || number(rate_high, 1) AS limits, "
    "format('{{:d}} patients / {{:d}}', patients, base_patients) AS parts"
)
LATEST_YEAR: Final = "period_grain = 'year' AND period_start = (SELECT max(period_start) FROM {this} WHERE period_grain = 'year' AND NOT is_partial)"
SUMMARIES: Final[Sequence[tuple[Table, str]]] = (
    (
        kpi_consultation_rate_by_establishment,
        f"SELECT year(period_start) AS period, label AS subject, {USE} FROM {{this}} WHERE {LATEST_YEAR} AND NOT is_masked "
        "AND level IN ('total', 'region', 'unattached') ORDER BY level = 'region', level = 'unattached', events DESC LIMIT 4",
    ),
    (
        kpi_consultation_rate_by_diagnosis,
        f"SELECT year(period_start) AS period, label AS subject, {USE} FROM {{this}} WHERE {LATEST_YEAR} AND NOT is_masked "
        "AND level = 'chapter' ORDER BY events DESC LIMIT 3",
    ),
    (
        kpi_hospitalisation_rate,
        "SELECT year(period_start) AS period, 'Séjours (durée moyenne ' || number(mean_length_of_stay, 1) || ' jours)' AS subject, "
        f"{USE} FROM {{this}} WHERE {LATEST_YEAR} AND NOT is_masked",
    ),
    (
        kpi_hospitalisation_rate_by_diagnosis,
        f"SELECT year(period_start) AS period, label AS subject, {USE} FROM {{this}} WHERE {LATEST_YEAR} AND NOT is_masked "
        "AND level = 'chapter' ORDER BY events DESC LIMIT 3",
    ),
    (
        kpi_hospitalisation_rate_by_sex_and_age,
        f"SELECT year(period_start) AS period, concat(CASE sex WHEN 'F' THEN 'Femmes' WHEN 'M' THEN 'Hommes' ELSE 'Tous' END, CASE age_band WHEN 'all' THEN '' ELSE concat(', ', age_band, ' ans') END) AS subject, {USE} FROM {{this}} "
        f"WHERE {LATEST_YEAR} AND NOT is_masked AND NOT (sex = 'all' AND age_band = 'all') AND events > 0 ORDER BY age_band = 'all' DESC, rate_per_1000 DESC LIMIT 4",
    ),
    (
        kpi_consultation_rate_by_professional,
        "SELECT year(period_start) AS period, concat_ws(', ', profession, speciality) AS subject, "
        "number(median, 2) || ' par mois travaillé' AS figure, 'P20-P80 : ' || number(p20, 2) || ' à ' || number(p80, 2) AS limits, "
        "format('{{:d}} professionnels', professionals) AS parts FROM {this} "
        f"WHERE {LATEST_YEAR} AND NOT is_masked ORDER BY events DESC LIMIT 3",
    ),
    (
        kpi_deaths_by_region,
        "SELECT year AS period, region_label AS subject, coalesce(number(rate_per_1000, 2) || ' ‰', '-') AS figure, "
        "coalesce(number(rate_low, 2) || ' à ' || number(rate_high, 2), '-') AS limits, "
        "format('{{:d}} décès', deaths) AS parts FROM {this} WHERE year = 2019 AND sex = 'all' AND age_band = 'all' "
        "AND NOT is_masked ORDER BY deaths DESC LIMIT 3",
    ),
    (
        kpi_satisfaction_by_region,
        "SELECT year AS period, concat(region_label, CASE survey WHEN '48h_mco' THEN ', plus de 48 h' ELSE ', ambulatoire' END) AS subject, "
        "number(score_weighted, 1) || ' / 100' AS figure, 'moyenne simple ' || number(score_low, 1) || ' à ' || number(score_high, 1) AS limits, "
        "format('{{:d}} réponses, {{:d}} sites', answers, sites_scored) AS parts FROM {this} "
        "WHERE year = (SELECT max(year) FROM {this}) AND region_code = 'all' AND NOT is_masked ORDER BY survey",
    ),
)


def show_indicators(lake: Lake) -> None:
    """Print the published indicators in short, and how much of each the masking leaves visible."""
    grid = Grid(title="Les huit indicateurs (publiés)", title_justify="left")
    for heading in ("Indicateur", "Période", "Sujet", "Valeur", "IC à 95 %", "Numérateur et dénominateur"):
        grid.add_column(heading, overflow="fold")
    connection = duckdb.connect()
    connection.create_function("number", french.number, [DOUBLE, INTEGER], VARCHAR)
    for table, query in SUMMARIES:
        rows = connection.sql(query.format(this=lake.relation(table))).fetchall()
        for place, row in enumerate(rows):
            title = table.label.removesuffix(" (publié)") if place == 0 else ""
            grid.add_row(title, *map(str, row), end_section=place == len(rows) - 1)
        if not rows:
            grid.add_row(table.label.removesuffix(" (publié)"), "-", "tout est masqué", "-", "-", "-", end_section=True)
    _console().print(grid)
    shares = (
        duckdb.connect()
        .sql(
            f"""
        PIVOT (
            SELECT replace(indicator, 'kpi_', '') AS indicateur, level AS niveau, grain,
                   format('{{:.1f}} % ({{:d}} / {{:d}})', 100 * visible_share, cells - cells_masked, cells) AS visible
            FROM {lake.relation(publication_coverage)}
        ) ON grain IN ('month', 'quarter', 'year', 'all') USING any_value(visible) GROUP BY indicateur, niveau
        ORDER BY indicateur, niveau
        """
        )
        .to_arrow_table()
    )
    show_rows(shares, title="Part des événements visible après masquage (cellules visibles / cellules)")


def show_rows(rows: pa.Table, title: str | None = None) -> None:
    """Print rows as a table; few rows of many columns on their side, a column a line."""
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
    """Rows as a JSON array of objects, dates in ISO 8601."""
    return json.dumps(rows.to_pylist(), default=date.isoformat, ensure_ascii=False, indent=2)


def _console() -> Console:
    """The terminal; when the output goes elsewhere, wide enough for a row a line."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1 else f"{value:,.2f}".replace(",", " ")
    return str(value)
