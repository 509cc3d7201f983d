"""Postpartum haemorrhage (HPP MCO), campaign of 2015."""

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

hpp_mco_2015 = CareQuality(
    survey="hpp_mco",
    campaign="2015",
    label="Hémorragie du post-partum en MCO",
    reader=DeliveredFiles(
        r"hpp_mco_recueil2015_donnee2014_tables_es\.csv", {".csv": CsvFormat(";", fallback="cp1252")}, optional=True
    ),
    header_verified=False,
    identity=[site_name("raison_sociale"), region("libelle_region"), category("cat"), finess(), data_year()],
    site="finess",
    region="libelle_region",
    indicators=[
        establishment_indicator("surv_c", "Surveillance minimale en salle de naissance après l’accouchement"),
        establishment_indicator("pec_hppi_c", "Prise en charge initiale de l’hémorragie du post-partum immédiat"),
    ],
)
table = hpp_mco_2015.table
