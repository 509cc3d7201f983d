"""Anaesthetic records in acute care (DAN MCO), campaign of 2016."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    SCORE,
    CareQuality,
    category,
    data_year,
    establishment_indicator,
    finess,
    region,
    responded,
    site_name,
)
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.tables.columns import STRING, Column

dan_mco_2016 = CareQuality(
    survey="dan_mco",
    campaign="2016",
    label="Dossier d’anesthésie en MCO",
    reader=DeliveredFiles(r"dan_mco_recueil2016_donnee2015_donnees\.(?:xlsx|csv)", HAS_FORMATS, optional=True),
    identity=[
        finess(),
        data_year(),
        region("lib_reg"),
        Column("code_reg", STRING, "code de la région ; outre-mer, 97 et deux chiffres", "Code région"),
        site_name("raison_sociale"),
        category("lib_cat"),
        responded(),
    ],
    site="finess",
    region="lib_reg",
    indicators=[
        establishment_indicator("tda_c", "Tenue du dossier anesthésique", SCORE, control="resultat_tda"),
        establishment_indicator("trd_c", "Traçabilité de l’évaluation de la douleur", control="resultat_trd"),
    ],
)
table = dan_mco_2016.table
