"""Multidisciplinary cancer meetings in acute care (RCP MCO), campaign of 2018."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    CareQuality,
    evaluated_indicator,
    finess,
    mandatory,
    participation,
    region,
    site_name,
)
from chu_platform.ingest.delivered_files import DeliveredFiles

rcp_mco_2018 = CareQuality(
    survey="rcp_mco",
    campaign="2018",
    label="Réunion de concertation pluridisciplinaire en MCO",
    reader=DeliveredFiles(r"rcp-mco-recueil2018-donnee2017-donnees\.(?:xlsx|csv)", HAS_FORMATS, optional=True),
    identity=[finess(), site_name("Raison_sociale"), mandatory(), participation(), region("Lib_reg")],
    site="finess",
    region="Lib_reg",
    indicators=[
        evaluated_indicator(
            "rcp2_c2", "Réunion de concertation pluridisciplinaire en cancérologie", control="Resultat_rcp2"
        )
    ],
)
table = rcp_mco_2018.table
