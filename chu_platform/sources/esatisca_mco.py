"""e-Satis satisfaction survey, ambulatory surgery (MCO): one file per campaign, CSV or XLSX."""

from typing import Final

from chu_platform.building_blocks.care_quality import (
    COUNT,
    EMPTY,
    HAS_CSV,
    WORDS,
    class_or_words_in,
    gives_results,
    is_finess,
)
from chu_platform.ingest.delivered import Delivered
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.row_sql import FINESS
from chu_platform.ingest.workbook_format import WorkbookFormat
from chu_platform.tables.columns import DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.table import Layer, Table, Zone

# Columns without which a file gives no result.
REQUIRED: Final = ("finess_geo", "nb_rep_score_all_ajust", "score_all_ajust", "classement")
COLUMNS: Final = [
    Column("finess", STRING, "numéro FINESS de l’entité juridique", "FINESS juridique"),
    Column("rs_finess", STRING, "nom de l’entité juridique", "Raison sociale juridique"),
    Column("finess_geo", STRING, "numéro FINESS du site", "FINESS géographique", key=True),
    Column("rs_finess_geo", STRING, "nom du site", "Raison sociale du site"),
    Column("region", STRING, "libellé de la région", "Région"),
    Column("participation", STRING, "obligation de participer", "Participation"),
    Column("Depot", STRING, "dépôt ou non des adresses", "Dépôt"),
    Column(
        "nb_rep_score_all_ajust",
        INTEGER,
        "nombre de réponses dont le score global est tiré",
        "Réponses (score global)",
    ),
    Column("score_all_ajust", DOUBLE, "score global ajusté, de 0 à 100", "Score global ajusté"),
    Column("classement", STRING, "classe A à D, ou pourquoi il n’y en a pas : DI, NR, NV", "Classement"),
    Column("evolution", STRING, "évolution de la classe", "Évolution"),
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
    Column("nb_rep_score_CER_ajust", INTEGER, "nombre de réponses : chambre et repas", "Réponses (chambre et repas)"),
    Column("score_CER_ajust", DOUBLE, "score : chambre et repas", "Score (chambre et repas)"),
    Column(
        "nb_rep_score_OVS_ajust",
        INTEGER,
        "nombre de réponses : organisation de la sortie",
        "Réponses (organisation de la sortie)",
    ),
    Column("score_OVS_ajust", DOUBLE, "score : organisation de la sortie", "Score (organisation de la sortie)"),
    Column(
        "taux_reco_brut",
        DOUBLE,
        "part des réponses qui recommandent le site, en %",
        "Taux de recommandation brut (%)",
    ),
    Column(
        "nb_reco_brut",
        INTEGER,
        "nombre de réponses à la question de la recommandation",
        "Réponses à la recommandation",
    ),
    Column(
        "campaign_year",
        STRING,
        "année de la campagne, d’après le nom du fichier",
        "Année de campagne",
        key=True,
    ),
]

esatisca_mco = Table(
    name="esatisca_mco",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="un site dans une campagne",
    label="e-Satis, chirurgie ambulatoire (MCO)",
    owner="team:surveys",
    columns=COLUMNS,
    rows=Delivered(
        DeliveredFiles(
            r"(?:esatisca_mco_recueil|resultats-(?:iqss-)?esatisca-mco-open-data-)(?P<campaign>\d{4})(?:_donnees)?\.(?:csv|xlsx)",
            {".csv": HAS_CSV, ".xlsx": WorkbookFormat()},
            expected=("2019", "2020"),
        ),
        derived={"campaign_year": "campaign"},
        optional=[c.name for c in COLUMNS if c.name not in (*REQUIRED, "campaign_year")],
        empty=EMPTY,
        blanks=WORDS,
        row_checks=[is_finess("finess_geo")],
        typing={
            **{c.name: COUNT for c in COLUMNS if c.type == INTEGER},
            "finess": FINESS,
            "finess_geo": FINESS,
            "classement": class_or_words_in("score_all_ajust"),
        },
    ),
    checks=[gives_results("score_all_ajust IS NOT NULL", of_each="campaign_year")],
    partition_scheme=CAMPAIGNS,
)
