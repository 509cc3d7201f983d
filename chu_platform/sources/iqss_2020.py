"""Indicators of quality and safety of care (IQSS), campaign of 2020: only the indicators computed from hospital stays."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    RATIO,
    CareQuality,
    QualityIndicator,
    category,
    evolution,
    finess,
    region,
    site_name,
)
from chu_platform.ingest.delivered_files import DeliveredFiles

iqss_2020 = CareQuality(
    survey="iqss",
    campaign="2020",
    label="Indicateurs de qualité et de sécurité des soins",
    reader=DeliveredFiles(r"resultats-iqss-open-data-2020\.(?:csv|xlsx)", HAS_FORMATS, optional=True),
    identity=[finess(), site_name("nom_ES"), region("region"), category("type")],
    site="finess",
    region="region",
    indicators=[
        QualityIndicator(
            "ete_ortho",
            "Événement thrombo-embolique après prothèse de hanche ou de genou",
            RATIO,
            value="ete_ortho_ratio_oe",
            category="ete_ortho_alerte_sup",
            other_columns=[evolution("ete_ortho_evol", "ete_ortho")],
        ),
        QualityIndicator(
            "iso_ortho",
            "Infection du site opératoire après prothèse de hanche ou de genou",
            RATIO,
            value="iso_ortho_ratio_oe",
            category="iso_ortho_alerte_sup",
        ),
    ],
)
table = iqss_2020.table
