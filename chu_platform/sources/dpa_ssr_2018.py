"""Patient records in rehabilitation care (DPA SSR), campaign of 2018."""

from chu_platform.building_blocks.care_quality import (
    SCORE,
    CareQuality,
    establishment_indicator,
    finess,
    region,
    site_name,
)
from chu_platform.ingest.csv_format import CsvFormat
from chu_platform.ingest.delivered_files import DeliveredFiles

dpa_ssr_2018 = CareQuality(
    survey="dpa_ssr",
    campaign="2018",
    label="Dossier du patient en SSR",
    reader=DeliveredFiles(
        r"dpa-ssr-recueil2018-donnee2017-donnees\.csv", {".csv": CsvFormat(";", fallback="cp1252")}, optional=True
    ),
    header_verified=False,
    identity=[finess(), site_name("rs"), region("region")],
    site="finess",
    region="region",
    indicators=[
        establishment_indicator("tdp_c", "Tenue du dossier patient", SCORE, "tdp_c_pos_seuil_etbt", "Resultat_tdp"),
        establishment_indicator(
            "doc_c", "Qualité du document de sortie", SCORE, "doc_c_pos_seuil_etbt", "Resultat_doc"
        ),
        establishment_indicator(
            "trd_c",
            "Traçabilité de l’évaluation de la douleur",
            category="trd_c_pos_seuil_etbt",
            control="Resultat_trd",
        ),
        establishment_indicator(
            "dtn2_c2",
            "Dépistage des troubles nutritionnels (niveau 2)",
            category="dtn2_c2_pos_seuil_etbt",
            control="Resultat_dtn",
        ),
    ],
)
table = dpa_ssr_2018.table
