"""Multidisciplinary cancer meetings in acute care (RCP MCO), campaign of 2014."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    CareQuality,
    category,
    data_year,
    establishment_indicator,
    finess,
    region,
    site_name,
)
from chu_platform.ingest.delivered_files import DeliveredFiles

rcp_mco_2014 = CareQuality(
    survey="rcp_mco",
    campaign="2014",
    label="Réunion de concertation pluridisciplinaire en MCO",
    reader=DeliveredFiles(r"rcp_mco_recueil2014_donnee2013_table_es\.(?:xlsx|csv)", HAS_FORMATS, optional=True),
    identity=[site_name("Raison_sociale"), region("Libelle_region"), category("cat"), finess(), data_year()],
    site="finess",
    region="Libelle_region",
    indicators=[establishment_indicator("rcp2_c2", "Réunion de concertation pluridisciplinaire en cancérologie")],
)
table = rcp_mco_2014.table
