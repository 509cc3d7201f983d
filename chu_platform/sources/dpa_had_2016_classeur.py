"""Patient records in hospital care at home (DPA HAD), campaign of 2016: a workbook that holds the lines of the CSV file."""

from dataclasses import replace

from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.workbook_format import PastedCsvFormat
from chu_platform.sources.dpa_had_2016 import dpa_had_2016

dpa_had_2016_classeur = replace(
    dpa_had_2016,
    suffix="_classeur",
    label="Dossier du patient en HAD (lignes du CSV collées dans un classeur)",
    reader=DeliveredFiles(
        r"dpa_had_recueil2016_donnee2015_donnees\.xlsx",
        {".xlsx": PastedCsvFormat(",")},
        optional=True,
    ),
)
table = dpa_had_2016_classeur.table
