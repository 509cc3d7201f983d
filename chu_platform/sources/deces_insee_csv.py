"""Register of deaths of INSEE, in its own CSV files.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.building_blocks.death_columns import INSEE_NAME, insee_table
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered_files import DeliveredFiles

deces_insee_csv = insee_table(
    name="deces_insee_csv",
    label="Décès en France (fichiers CSV de l’Insee)",
    # Variants enriched by others carry more columns, which are remarked and not read further.
    reader=DeliveredFiles(INSEE_NAME + r"\.csv", {".csv": CsvFormat(";", fallback="iso-8859-1")}, optional=True),
)
