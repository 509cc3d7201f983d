"""Patient records in hospital care at home (DPA HAD), campaign of 2016."""

from chu_platform.building_blocks.care_quality import (
    HAS_CSV,
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

dpa_had_2016 = CareQuality(
    survey="dpa_had",
    campaign="2016",
    label="Dossier du patient en HAD",
    reader=DeliveredFiles(
        r"dpa_had_recueil2016_donnee2015_donnees\.csv",
        {".csv": HAS_CSV},
        optional=True,
        instead=r"dpa_had_recueil2016_donnee2015_donnees\.xlsx",
    ),
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
        establishment_indicator("dec_c", "Délai d’envoi du courrier de fin d’hospitalisation", control="resultat_dec"),
        establishment_indicator(
            "dtn_c", "Dépistage des troubles nutritionnels (suivi du poids)", control="resultat_dtn"
        ),
        establishment_indicator("tdp_c", "Tenue du dossier patient", SCORE, control="resultat_tdp"),
        establishment_indicator("trd_c", "Traçabilité de l’évaluation de la douleur", control="resultat_trd"),
        establishment_indicator("tre_c", "Traçabilité de l’évaluation du risque d’escarre", control="resultat_tre"),
    ],
)
table = dpa_had_2016.table
