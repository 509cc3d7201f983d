"""e-Satis satisfaction survey, stays of more than 48 hours (MCO): one file per campaign, CSV or XLSX."""

from chu_platform.building_blocks.satisfaction_survey import satisfaction_survey
from chu_platform.tables.columns import DOUBLE, INTEGER, Column

esatis48h_mco = satisfaction_survey(
    "esatis48h",
    "e-Satis, hospitalisation de plus de 48 h (MCO)",
    campaigns=("2017", "2019", "2020"),
    score="score_all_rea_ajust",
    details=[
        Column("nb_rep_score_accueil_rea_ajust", INTEGER, "nombre de réponses : accueil", "Réponses (accueil)"),
        Column("score_accueil_rea_ajust", DOUBLE, "score : accueil", "Score (accueil)"),
        Column(
            "nb_rep_score_PECinf_rea_ajust",
            INTEGER,
            "nombre de réponses : prise en charge par les infirmiers",
            "Réponses (infirmiers)",
        ),
        Column("score_PECinf_rea_ajust", DOUBLE, "score : prise en charge par les infirmiers", "Score (infirmiers)"),
        Column(
            "nb_rep_score_PECmed_rea_ajust",
            INTEGER,
            "nombre de réponses : prise en charge par les médecins",
            "Réponses (médecins)",
        ),
        Column("score_PECmed_rea_ajust", DOUBLE, "score : prise en charge par les médecins", "Score (médecins)"),
        Column("nb_rep_score_chambre_rea_ajust", INTEGER, "nombre de réponses : chambre", "Réponses (chambre)"),
        Column("score_chambre_rea_ajust", DOUBLE, "score : chambre", "Score (chambre)"),
        Column("nb_rep_score_repas_rea_ajust", INTEGER, "nombre de réponses : repas", "Réponses (repas)"),
        Column("score_repas_rea_ajust", DOUBLE, "score : repas", "Score (repas)"),
        Column("nb_rep_score_sortie_rea_ajust", INTEGER, "nombre de réponses : sortie", "Réponses (sortie)"),
        Column("score_sortie_rea_ajust", DOUBLE, "score : sortie", "Score (sortie)"),
    ],
)
