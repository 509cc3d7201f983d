"""Thromboembolic events after hip and knee replacement (ETE-ORTHO), campaign of 2018."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    RATIO,
    CareQuality,
    QualityIndicator,
    finess,
    region,
    site_name,
)
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.tables.columns import DOUBLE, INTEGER, Column

ete_ortho_2018 = CareQuality(
    survey="ete_ortho",
    campaign="2018",
    label="Événements thrombo-emboliques après prothèse de hanche ou de genou",
    reader=DeliveredFiles(r"ete-ortho-ipaqss-2017-2018-donnees\.(?:xlsx|csv)", HAS_FORMATS, optional=True),
    identity=[finess(), site_name("rs"), region("region")],
    site="finess",
    region="region",
    indicators=[
        QualityIndicator(
            "ete_ortho",
            "Événement thrombo-embolique après prothèse de hanche ou de genou",
            RATIO,
            value="ete_ortho_etbt",
            denominator="ete_ortho_cible_etbt",
            category="ete_ortho_pos_seuil_etbt",
            other_columns=[
                Column("ete_ortho_obs_etbt", INTEGER, "nombre de séjours avec l’événement", "Événements observés"),
                Column(
                    "ete_ortho_att_etbt", DOUBLE, "nombre attendu de séjours avec l’événement", "Événements attendus"
                ),
            ],
        )
    ],
)
table = ete_ortho_2018.table
