"""Care after a heart attack (IDM MCO), campaign of 2015. It has no lexicon."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    PERCENT_OR_SCORE,
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

idm_mco_2015 = CareQuality(
    survey="idm_mco",
    campaign="2015",
    label="Infarctus du myocarde en MCO",
    reader=DeliveredFiles(r"idm_mco_recueil2015_donnee2014_tables_es\.(?:xlsx|csv)", HAS_FORMATS, optional=True),
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
        establishment_indicator(
            "basi_c",
            "Prescription de bêtabloquant, antiagrégant, statine et inhibiteur de l’enzyme de conversion à la sortie",
            PERCENT_OR_SCORE,
        ),
        establishment_indicator(
            "hyg_c", "Conseils sur l’alimentation et le mode de vie après un infarctus du myocarde", PERCENT_OR_SCORE
        ),
    ],
)
table = idm_mco_2015.table
