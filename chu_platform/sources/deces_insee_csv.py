"""INSEE register of deaths, in the CSV files that INSEE publishes."""

from chu_platform.building_blocks.death_columns import INSEE_NAME, insee_table, persons_of_deaths
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.identifiers import COMMUNE
from chu_platform.sources.opposition_deces import withdrawn_deaths

deces_insee_csv = insee_table(
    name="deces_insee_csv",
    label="Décès en France (fichiers CSV de l’Insee)",
    # Variants of these files have additional columns: these are reported and put in quarantine.
    reader=DeliveredFiles(INSEE_NAME + r"\.csv", {".csv": CsvFormat()}, optional=True),
    commune=COMMUNE,
    uncut_date="length(datedeces) IN (4, 6, 8)",
    withdrawals=withdrawn_deaths("lieudeces", "actedeces"),
    persons=persons_of_deaths("lieudeces", "actedeces"),
)
