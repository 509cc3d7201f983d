"""Care after a heart attack (IDM MCO), campaign of 2015."""

from chu_platform.building_blocks.care_quality import (
    CareQuality,
    category,
    data_year,
    establishment_indicator,
    finess,
    region,
    site_name,
)
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered_files import DeliveredFiles

idm_mco_2015 = CareQuality(
    survey="idm_mco",
    campaign="2015",
    label="Infarctus du myocarde en MCO",
    reader=DeliveredFiles(
        r"idm_mco_recueil2015_donnee2014_tables_es\.csv", {".csv": CsvFormat(";", fallback="cp1252")}, optional=True
    ),
    header_verified=False,
    identity=[site_name("raison_sociale"), region("libelle_region"), category("cat"), finess(), data_year()],
    site="finess",
    region="libelle_region",
    indicators=[
        establishment_indicator("bassp_c", "Prescription appropriée après un infarctus du myocarde"),
        establishment_indicator("hyg_c", "Sensibilisation aux règles hygiéno-diététiques"),
    ],
)
table = idm_mco_2015.table
