"""Patient records in rehabilitation care (DPA SSR), campaign of 2018."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    SCORE,
    CareQuality,
    evaluated_indicator,
    finess,
    mandatory,
    participation,
    region,
    site_name,
)
from chu_platform.ingest.delivered_files import DeliveredFiles

dpa_ssr_2018 = CareQuality(
    survey="dpa_ssr",
    campaign="2018",
    label="Dossier du patient en SSR",
    reader=DeliveredFiles(r"dpa-ssr-recueil2018-donnee2017-donnees\.(?:xlsx|csv)", HAS_FORMATS, optional=True),
    identity=[finess(), site_name("Raison_sociale"), mandatory(), participation(), region("Lib_reg")],
    site="finess",
    region="Lib_reg",
    indicators=[
        evaluated_indicator("doc_c", "Document de sortie de SSR", SCORE, control="Resultat_doc"),
        evaluated_indicator("dtn2_c2", "Dépistage des troubles nutritionnels en SSR", control="Resultat_dtn"),
    ],
)
table = dpa_ssr_2018.table
