"""Indicators of quality and safety of care (IQSS), campaign of 2019."""

from chu_platform.building_blocks.care_quality import (
    HAS_FORMATS,
    OF_TARGET,
    PERCENT,
    RATIO,
    SCORE,
    CareQuality,
    QualityIndicator,
    category,
    finess,
    region,
    site_name,
)
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.tables.columns import STRING, Column


def _graded(code: str, graded: str, label: str, unit: str) -> QualityIndicator:
    """An indicator with class, result and evolution; the class is named in another letter case."""
    evolution = Column(f"evol_{code}", STRING, f"{code} : évolution de la classe : -1, 0, 1", f"{label} : évolution")
    return QualityIndicator(
        code, label, unit, value=f"res_{code}", category=f"classe_{graded}", other_columns=[evolution]
    )


def _mandatory(code: str, sector: str) -> Column:
    return Column(
        f"obligatoire_{code}", STRING, "recueil obligatoire pour le site : 1, 0", f"Recueil obligatoire, {sector}"
    )


iqss_2019 = CareQuality(
    survey="iqss",
    campaign="2019",
    label="Indicateurs de qualité et de sécurité des soins",
    reader=DeliveredFiles(r"resultats-iqss-open-data-2019\.(?:xlsx|csv)", HAS_FORMATS, optional=True),
    identity=[
        finess(),
        Column("finess_pmsi", STRING, "numéro FINESS sous lequel les séjours sont déclarés", "FINESS PMSI"),
        site_name("nom_ES"),
        region("region"),
        category("type"),
    ],
    site="finess",
    region="region",
    other_columns=[
        _mandatory("icsha_v3_mhs", "ICSHA (MCO, HAD, SSR)"),
        _mandatory("icsha_v3_psy", "ICSHA (psychiatrie)"),
        _mandatory("dpa_had", "HAD"),
        _mandatory("dpa_mco", "MCO"),
        _mandatory("dpa_ssr", "SSR"),
        _mandatory("ca_mco", "chirurgie ambulatoire"),
    ],
    indicators=[
        _graded(
            "ias_icsha_v3_mhs",
            "ias_icsha_v3_mhs",
            "Consommation de solutions hydro-alcooliques (MCO, HAD, SSR)",
            OF_TARGET,
        ),
        _graded(
            "ias_icsha_v3_psy",
            "ias_icsha_v3_psy",
            "Consommation de solutions hydro-alcooliques (psychiatrie)",
            OF_TARGET,
        ),
        _graded("dpa_dtn_had", "DPA_dtn_HAD", "Suivi du poids (HAD)", PERCENT),
        _graded("dpa_tre_had", "DPA_tre_HAD", "Traçabilité de l’évaluation du risque d’escarre (HAD)", PERCENT),
        _graded("dpa_coord_had", "DPA_coord_HAD", "Coordination de la prise en charge (HAD)", SCORE),
        _graded("dpa_tdp_v3_had", "DPA_tdp_v3_HAD", "Tenue du dossier patient (HAD)", SCORE),
        _graded("dpa_qls_v2_mco", "DPA_qls_v2_MCO", "Qualité de la lettre de liaison à la sortie (MCO)", SCORE),
        _graded("dpa_pcd_mco", "DPA_pcd_MCO", "Évaluation et prise en charge de la douleur (MCO)", PERCENT),
        _graded("dpa_qls_ssr", "DPA_qls_SSR", "Qualité de la lettre de liaison à la sortie (SSR)", SCORE),
        _graded("dpa_pcd_ssr", "DPA_pcd_SSR", "Évaluation et prise en charge de la douleur (SSR)", PERCENT),
        _graded("dpa_pspv_ssr", "DPA_pspv_SSR", "Projet de soins, projet de vie (SSR)", SCORE),
        _graded(
            "ca_qls_v2_mco",
            "CA_qls_v2_MCO",
            "Qualité de la lettre de liaison à la sortie (chirurgie ambulatoire)",
            SCORE,
        ),
        QualityIndicator(
            "ete_ortho",
            "Événement thrombo-embolique après prothèse de hanche ou de genou",
            RATIO,
            value="ete_ortho_ratio_oe",
            category="ete_ortho_alerte_supe",
        ),
    ],
)
table = iqss_2019.table
