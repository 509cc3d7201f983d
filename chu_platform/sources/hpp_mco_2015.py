"""Postpartum haemorrhage (HPP MCO), campaign of 2015."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    CareQuality,
    category,
    data_year,
    establishment_indicator,
    finess,
    old_region_code,
    region,
    site_name,
)
from chu_platform.ingest.delivered_files import DeliveredFiles

hpp_mco_2015 = CareQuality(
    survey="hpp_mco",
    campaign="2015",
    label="Hémorragie du post-partum en MCO",
    reader=DeliveredFiles(r"hpp_mco_recueil2015_donnee2014_tables_es\.(?:xlsx|csv)", HAS_FORMATS, optional=True),
    identity=[
        data_year(),
        finess(),
        site_name("raison_sociale"),
        region("lib_reg"),
        old_region_code(),
        category("cat"),
    ],
    site="finess",
    region="lib_reg",
    indicators=[
        establishment_indicator("del1_c1", "Prévention de l’hémorragie lors de la délivrance (niveau 1)"),
        establishment_indicator("peci_hppi_c", "Prise en charge initiale de l’hémorragie du post-partum immédiat"),
        establishment_indicator("surmin_c", "Surveillance clinique minimale en salle de naissance"),
    ],
)
table = hpp_mco_2015.table
