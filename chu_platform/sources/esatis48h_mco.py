"""e-Satis survey, e-Satis, hospitalisation de plus de 48 h (MCO): one file a campaign, CSV or XLSX.

Here: the declaration of this one source. Not here: how deliveries are read (sources.reading).
"""

from chu_platform.sources.csv_format import CsvFormat
from chu_platform.sources.delivered import Delivered
from chu_platform.sources.delivered_files import DeliveredFiles
from chu_platform.sources.row_sql import FINESS
from chu_platform.sources.workbook_format import WorkbookFormat
from chu_platform.tables.columns import DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.slices import CAMPAIGNS
from chu_platform.tables.table import Layer, Table, Zone

esatis48h_mco = Table(
    name="esatis48h_mco",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one site in one campaign",
    label="e-Satis, hospitalisation de plus de 48 h (MCO)",
    owner="team:surveys",
    columns=[
        Column("finess", STRING, "FINESS of the legal entity", "FINESS juridique"),
        Column("rs_finess", STRING, "name of the legal entity", "Raison sociale juridique"),
        Column("finess_geo", STRING, "FINESS of the site", "FINESS géographique", key=True),
        Column("rs_finess_geo", STRING, "name of the site", "Raison sociale du site"),
        Column("region", STRING, "region label", "Région"),
        Column("participation", STRING, "obligation to take part", "Participation"),
        Column("Depot", STRING, "whether addresses were handed in", "Dépôt"),
        Column(
            "nb_rep_score_all_rea_ajust",
            INTEGER,
            "answers that make the total score",
            "Réponses (score global)",
        ),
        Column("score_all_rea_ajust", DOUBLE, "total score, adjusted, 0 to 100", "Score global ajusté"),
        Column("classement", STRING, "class A to D, or why there is none: DI, NR, NV", "Classement"),
        Column("evolution", STRING, "change of class", "Évolution"),
        Column("nb_rep_score_accueil_rea_ajust", INTEGER, "answers: accueil", "Réponses (accueil)"),
        Column("score_accueil_rea_ajust", DOUBLE, "score: accueil", "Score (accueil)"),
        Column("nb_rep_score_PECinf_rea_ajust", INTEGER, "answers: PECinf", "Réponses (infirmiers)"),
        Column("score_PECinf_rea_ajust", DOUBLE, "score: PECinf", "Score (infirmiers)"),
        Column("nb_rep_score_PECmed_rea_ajust", INTEGER, "answers: PECmed", "Réponses (médecins)"),
        Column("score_PECmed_rea_ajust", DOUBLE, "score: PECmed", "Score (médecins)"),
        Column("nb_rep_score_chambre_rea_ajust", INTEGER, "answers: chambre", "Réponses (chambre)"),
        Column("score_chambre_rea_ajust", DOUBLE, "score: chambre", "Score (chambre)"),
        Column("nb_rep_score_repas_rea_ajust", INTEGER, "answers: repas", "Réponses (repas)"),
        Column("score_repas_rea_ajust", DOUBLE, "score: repas", "Score (repas)"),
        Column("nb_rep_score_sortie_rea_ajust", INTEGER, "answers: sortie", "Réponses (sortie)"),
        Column("score_sortie_rea_ajust", DOUBLE, "score: sortie", "Score (sortie)"),
        Column(
            "taux_reco_brut",
            DOUBLE,
            "share of answers that recommend the site, %",
            "Taux de recommandation brut (%)",
        ),
        Column("nb_reco_brut", INTEGER, "answers to the recommendation question", "Réponses à la recommandation"),
        Column(
            "campaign_year",
            STRING,
            "year of the campaign, from the name of the file",
            "Année de campagne",
            key=True,
        ),
    ],
    rows=Delivered(
        DeliveredFiles(
            r"(?:esatis48h_mco_recueil|resultats-esatis48h-mco-open-data-)(?P<campaign>\d{4})(?:_donnees)?\.(?:csv|xlsx)",
            {".csv": CsvFormat(";", fallback="cp1252"), ".xlsx": WorkbookFormat("Resultats")},
            expected=("2017", "2019", "2020"),
        ),
        derived={"campaign_year": "campaign"},
        blanks=("NA",),
        typing={"finess": FINESS, "finess_geo": FINESS},
        optional=("taux_reco_brut", "nb_reco_brut"),
    ),
    slicing=CAMPAIGNS,
)
