"""e-Satis survey, e-Satis, chirurgie ambulatoire (MCO): one file a campaign, CSV or XLSX.

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

esatisca_mco = Table(
    name="esatisca_mco",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one site in one campaign",
    label="e-Satis, chirurgie ambulatoire (MCO)",
    owner="team:surveys",
    columns=[
        Column("finess", STRING, "FINESS of the legal entity", "FINESS juridique"),
        Column("rs_finess", STRING, "name of the legal entity", "Raison sociale juridique"),
        Column("finess_geo", STRING, "FINESS of the site", "FINESS géographique", key=True),
        Column("rs_finess_geo", STRING, "name of the site", "Raison sociale du site"),
        Column("region", STRING, "region label", "Région"),
        Column("participation", STRING, "obligation to take part", "Participation"),
        Column("Depot", STRING, "whether addresses were handed in", "Dépôt"),
        Column("nb_rep_score_all_ajust", INTEGER, "answers that make the total score", "Réponses (score global)"),
        Column("score_all_ajust", DOUBLE, "total score, adjusted, 0 to 100", "Score global ajusté"),
        Column("classement", STRING, "class A to D, or why there is none: DI, NR, NV", "Classement"),
        Column("evolution", STRING, "change of class", "Évolution"),
        Column("nb_rep_score_AVH_ajust", INTEGER, "answers: AVH", "Réponses (avant l’hospitalisation)"),
        Column("score_AVH_ajust", DOUBLE, "score: AVH", "Score (avant l’hospitalisation)"),
        Column("nb_rep_score_ACC_ajust", INTEGER, "answers: ACC", "Réponses (accueil)"),
        Column("score_ACC_ajust", DOUBLE, "score: ACC", "Score (accueil)"),
        Column("nb_rep_score_PEC_ajust", INTEGER, "answers: PEC", "Réponses (prise en charge)"),
        Column("score_PEC_ajust", DOUBLE, "score: PEC", "Score (prise en charge)"),
        Column("nb_rep_score_CER_ajust", INTEGER, "answers: CER", "Réponses (chambre et repas)"),
        Column("score_CER_ajust", DOUBLE, "score: CER", "Score (chambre et repas)"),
        Column("nb_rep_score_OVS_ajust", INTEGER, "answers: OVS", "Réponses (organisation de la sortie)"),
        Column("score_OVS_ajust", DOUBLE, "score: OVS", "Score (organisation de la sortie)"),
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
            r"(?:esatisca_mco_recueil|resultats-esatisca-mco-open-data-)(?P<campaign>\d{4})(?:_donnees)?\.(?:csv|xlsx)",
            {".csv": CsvFormat(";", fallback="cp1252"), ".xlsx": WorkbookFormat("Resultats")},
            expected=("2019", "2020"),
        ),
        derived={"campaign_year": "campaign"},
        blanks=("NA",),
        typing={"finess": FINESS, "finess_geo": FINESS},
    ),
    slicing=CAMPAIGNS,
)
