"""The own consultations of a practitioner by year, beside the released distribution of peers.

The gate gives the rows of this professional alone; what is beside them is what everybody sees of the speciality and of
the profession.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from chu_platform import french
from chu_platform.portal.charts.grammar import Band, Chart, Dots, Line, Mark, period_axis, value_axis
from chu_platform.portal.downloads import written, written_csv
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.spark_sql import WHOLE_PROFESSION

GRAINS: Final = ("year", "all")
UNIT: Final = "consultations"
NOT_PUBLISHED: Final = "pas encore publié"
# The columns of the page and of its files, with their French names.
LABELS: Final[Mapping[str, str]] = {
    "period_grain": "Pas de temps",
    "period_start": "Début",
    "period_end": "Fin",
    "is_partial": "Incomplète",
    "profession": "Profession",
    "speciality": "Spécialité",
    "events": "Mes consultations",
    "patients": "Mes patients",
    "worked_months": "Mois travaillés",
    "events_per_worked_month": "Consultations par mois travaillé",
    "events_per_active_year": "Consultations par année d’activité",
    "peers": "Confrères publiés",
    "peer_median": "Médiane de la spécialité",
    "peer_p20": "P20 de la spécialité",
    "peer_p80": "P80 de la spécialité",
    "profession_median": "Médiane de la profession",
    "is_published": "Distribution publiée",
}
OWN_COLUMNS: Final = tuple(LABELS)[: tuple(LABELS).index("peers")]
TABLE: Final = (
    ("Année", False),
    ("Mes consultations", True),
    ("Mes patients", True),
    ("Mois travaillés", True),
    ("Par année d’activité", True),
    ("Spécialité : médiane", True),
    ("Spécialité : de P20 à P80", True),
    ("Profession : médiane", True),
)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Activity:
    """The rows of a practitioner: one for each year with consultations, in order, and one for all years."""

    rows: pa.Table

    @property
    def years(self) -> Sequence[Row]:
        """The rows of years."""
        return [row for row in self._listed if row["period_grain"] == "year"]

    @property
    def group(self) -> str:
        """Profession and speciality."""
        row = self._listed[0]
        return f"{row['profession']}, {row['speciality']}"

    @property
    def table(self) -> Sequence[Sequence[str | None]]:
        """The cells of the page, TABLE; None is a masked figure."""
        return [_cells(row) for row in self._listed]

    @property
    def csv(self) -> bytes:
        """The rows for a spreadsheet."""
        words = {"year": "année", "all": "tout"}
        lines = [[written(value, words) for value in row.values()] for row in self._listed]
        return written_csv([list(LABELS.values()), *lines])

    @property
    def _listed(self) -> Sequence[Row]:
        listed: Sequence[Row] = self.rows.to_pylist()
        return listed


def activity_of(snapshot: Snapshot, table: str, own: pa.Table) -> Activity:
    """The rows of one professional, which the gate gave, beside those of a published table."""
    listed = ", ".join(f"o.{sql_name(column)}" for column in OWN_COLUMNS)
    peers = f"main.{sql_name(table)}"
    # `all` of a release is that of its closed years, and begins where they do.
    same = (
        "{0}.profession = o.profession AND {0}.period_grain = o.period_grain "
        "AND (o.period_grain = 'all' OR {0}.period_start = o.period_start)"
    )
    connection = snapshot.connection.cursor()
    try:
        connection.register("own_rows", own)
        rows = connection.sql(
            f"SELECT {listed}, s.professionals AS peers, s.median AS peer_median, s.p20 AS peer_p20, "
            "s.p80 AS peer_p80, w.median AS profession_median, w.period_grain IS NOT NULL AS is_published "
            "FROM own_rows o "
            f"LEFT JOIN {peers} s ON {same.format('s')} AND s.speciality = o.speciality "
            f"LEFT JOIN {peers} w ON {same.format('w')} AND w.speciality = {sql_text(WHOLE_PROFESSION)} "
            f"WHERE o.period_grain IN ({', '.join(map(sql_text, GRAINS))}) "
            "ORDER BY o.period_grain = 'all', o.period_start"
        ).to_arrow_table()
    finally:
        connection.close()
    return Activity(rows)


def activity_chart(activity: Activity) -> Chart:
    """The own consultations of each year, the median of the speciality, and where the middle three fifths of it are."""
    known = {row["period_start"].year: row for row in activity.years}
    years = range(min(known), max(known) + 1)
    rows = [(float(n), year, known.get(year)) for n, year in enumerate(years)]
    own = [(n, row["events"] if row else None) for n, _, row in rows]
    medians = [(n, row["peer_median"] if row else None) for n, _, row in rows]
    limits = [
        (n, row["peer_p20"], row["peer_p80"]) if row and None not in (row["peer_p20"], row["peer_p80"]) else None
        for n, _, row in rows
    ]
    marks: list[Mark] = [
        Band(limits, "band", "spécialité, de P20 à P80"),
        Line(medians, "reference", "médiane de la spécialité"),
        Line(own, "line"),
        _dots(rows, False, "dot", "mes consultations"),
        _dots(rows, True, "dot-partial", "mes consultations, année incomplète"),
    ]
    values = [0.0, *(v for _, v in (*own, *medians) if v is not None), *(one[2] for one in limits if one)]
    described = " ; ".join(_said(row) for _, _, row in rows if row)
    return Chart(
        "Mes consultations par année",
        f"{described}.",
        period_axis([str(year) for year in years]),
        value_axis(values, from_zero=True, title=UNIT),
        marks,
    )


def _dots(rows: Sequence[tuple[float, int, Row | None]], partial: bool, style: str, label: str) -> Dots:
    points = [((n, row["events"]), _said(row)) for n, _, row in rows if row and row["is_partial"] is partial]
    return Dots(points, style, label)


def _said(row: Row) -> str:
    partial = ", année incomplète" if row["is_partial"] else ""
    return f"{row['period_start'].year} : {french.amount(row['events'], UNIT, 0)}{partial}"


def _cells(row: Row) -> Sequence[str | None]:
    name = "Toutes les années" if row["period_grain"] == "all" else str(row["period_start"].year)
    partial = " (incomplète)" if row["is_partial"] and row["period_grain"] == "year" else ""
    limits = None if None in (row["peer_p20"], row["peer_p80"]) else french.interval(row["peer_p20"], row["peer_p80"])
    released = [_figure(row["peer_median"]), limits, _figure(row["profession_median"])]
    return [
        f"{name}{partial}",
        french.number(row["events"]),
        french.number(row["patients"]),
        french.number(row["worked_months"]),
        french.number(row["events_per_active_year"], 1),
        *(released if row["is_published"] else [NOT_PUBLISHED] * len(released)),
    ]


def _figure(value: float | None) -> str | None:
    return None if value is None else french.number(value, 1)
