"""A table of the explorer as a file: CSV for a spreadsheet, Parquet for a program, SVG for a document."""

from http import HTTPStatus
from typing import Final

import pyarrow as pa

from chu_platform import french
from chu_platform.portal.addresses import EXPLORER
from chu_platform.portal.charts import drawing, grammar
from chu_platform.portal.charts.drawing import WIDE
from chu_platform.portal.choices import Refused
from chu_platform.portal.downloads import CSV, PARQUET, SVG, File, as_csv, as_parquet
from chu_platform.portal.explorer.cells import Crossed
from chu_platform.portal.explorer.layout import drawn, title_of
from chu_platform.portal.reader import Snapshot

TABLE: Final = "tableau"
CHART: Final = "graphique"


def file_of(snapshot: Snapshot, found: Crossed, name: str) -> File:
    """A file of a table: tableau.csv, tableau.parquet, graphique.svg. Raises Refused for any other."""
    slug = found.crossing.question.slug
    if name == f"{TABLE}.csv":
        return File(f"{slug}-{name}", CSV, as_csv(found.crossing.question, _declared(found)))
    if name == f"{TABLE}.parquet":
        return File(f"{slug}-{name}", PARQUET, as_parquet(_declared(found)))
    if name == f"{CHART}.svg" and (chart := drawn(found)[0]):
        is_exact = found.crossing.path != EXPLORER
        version = None if is_exact else snapshot.versions.get(found.crossing.question.table.name)
        head = (f"{found.crossing.question.short} – {title_of(found)}", "")
        origin = "chiffres exacts, à ne pas diffuser" if is_exact else "données publiées"
        source = f"Indicateurs du groupe hospitalier, {origin}"
        if version:
            source += f", version {version.number} du {french.day(version.committed.date())}"
        foot = (f"{source} (table {found.crossing.question.table.name}).", found.crossing.question.caution)
        picture = drawing.banded(grammar.draw(chart, CHART, WIDE), head, foot)
        return File(f"{slug}-{name}", SVG, picture.encode())
    raise Refused("Ce fichier n’existe pas.", HTTPStatus.NOT_FOUND)


def _declared(found: Crossed) -> pa.Table:
    """The columns that the declaration of the table has, with their labels."""
    columns = [c for c in found.crossing.question.table.columns if c.name in found.table.column_names]
    fields = [pa.field(c.name, found.table.schema.field(c.name).type, metadata={"label": c.label}) for c in columns]
    return found.table.select([c.name for c in columns]).cast(pa.schema(fields))
