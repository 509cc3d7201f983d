"""Patient records in rehabilitation care (DPA SSR), campaign of 2014."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    SCORE,
    CareQuality,
    category,
    data_year,
    establishment_indicator,
    finess,
    region,
    site_name,
)
from chu_platform.ingest.delivered_files import DeliveredFiles

dpa_ssr_2014 = CareQuality(
    survey="dpa_ssr",
    campaign="2014",
    label="Dossier du patient en SSR",
    reader=DeliveredFiles(r"dpa_ssr_recueil2014_donnee2013_table_es\.(?:xlsx|csv)", HAS_FORMATS, optional=True),
    identity=[site_name("raison_sociale"), region("libelle_region"), category("cat"), finess(), data_year()],
    site="finess",
    region="libelle_region",
    indicators=[
        establishment_indicator("tdp_c", "Tenue du dossier patient", SCORE),
        establishment_indicator("dec_c", "Délai d’envoi du courrier"),
        establishment_indicator("trd_c", "Évaluation de la douleur"),
        establishment_indicator("dtn1_c1", "Dépistage des troubles nutritionnels (2 niveaux)"),
    ],
)
table = dpa_ssr_2014.table
