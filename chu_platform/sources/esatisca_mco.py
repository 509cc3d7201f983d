"""e-Satis satisfaction survey, ambulatory surgery (MCO): one file per campaign, CSV or XLSX."""

from chu_platform.building_blocks.satisfaction_survey import satisfaction_survey
from chu_platform.tables.columns import DOUBLE, INTEGER, Column

esatisca_mco = satisfaction_survey(
    "esatisca",
    "e-Satis, chirurgie ambulatoire (MCO)",
    campaigns=("2019", "2020"),
    score="score_all_ajust",
    details=[
        Column(
            "nb_rep_score_AVH_ajust",
            INTEGER,
            "nombre de réponses : avant l’hospitalisation",
            "Réponses (avant l’hospitalisation)",
        ),
        Column("score_AVH_ajust", DOUBLE, "score : avant l’hospitalisation", "Score (avant l’hospitalisation)"),
        Column("nb_rep_score_ACC_ajust", INTEGER, "nombre de réponses : accueil", "Réponses (accueil)"),
        Column("score_ACC_ajust", DOUBLE, "score : accueil", "Score (accueil)"),
        Column("nb_rep_score_PEC_ajust", INTEGER, "nombre de réponses : prise en charge", "Réponses (prise en charge)"),
        Column("score_PEC_ajust", DOUBLE, "score : prise en charge", "Score (prise en charge)"),
        Column(
            "nb_rep_score_CER_ajust", INTEGER, "nombre de réponses : chambre et repas", "Réponses (chambre et repas)"
        ),
        Column("score_CER_ajust", DOUBLE, "score : chambre et repas", "Score (chambre et repas)"),
        Column(
            "nb_rep_score_OVS_ajust",
            INTEGER,
            "nombre de réponses : organisation de la sortie",
            "Réponses (organisation de la sortie)",
        ),
        Column("score_OVS_ajust", DOUBLE, "score : organisation de la sortie", "Score (organisation de la sortie)"),
    ],
)
