"""Source tables of the e-Satis satisfaction surveys: one file for each campaign, with a site on each line."""

from collections.abc import Sequence
from typing import Final

from chu_platform.building_blocks.care_quality import (
    EMPTY,
    HAS_FORMATS,
    WORDS,
    class_or_words_in,
    gives_results,
    is_class,
    is_count,
    is_finess,
)
from chu_platform.ingest.delivered import Delivered, RowCheck
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.ingest.identifiers import FINESS
from chu_platform.ingest.number_forms import COUNT, RESULT
from chu_platform.tables.columns import DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.policies import WITHOUT_PERSONS
from chu_platform.tables.table import Layer, Table, Zone

# SQL that is true for words that say why there is no class: DI, NR, NV, "Données insuffisantes", "Non répondant", < 30.
_NO_CLASS: Final = (
    "regexp_full_match(lower(strip_accents({text})), "
    "'di|nr|nv|nc|nd|na|ne|n[.].*|[*]|[<≤(].*|(non|pas|trop peu|absence|aucune?|sans|moins de|inf[.]?|inferieure?)\\b.*|"
    ".*(insuffisante?s?|effectif|reponses?|repondants?|concerne|valides?|calcule|calculable|comparable)\\b.*')"
)


def within_hundred(column: str) -> RowCheck:
    """A score or a percentage lies between 0 and 100."""
    return RowCheck("out_of_range", column, f"{sql_name(column)} BETWEEN 0 AND 100")


def satisfaction_survey(
    survey: str, label: str, campaigns: Sequence[str], score: str, details: Sequence[Column]
) -> Table:
    """The source table of a survey, `survey` in the names of its files.

    `campaigns` are the years that belong together: if one is delivered, all are required. A campaign whose file is
    missing or cannot be read keeps its rows. `score` is the column of the overall score, `details` those of its parts.
    A file without the site, its score, class or number of answers gives no result; the other columns may be missing.
    """
    answers = f"nb_rep_{score}"
    required = ("finess_geo", answers, score, "classement")
    columns = [
        Column("finess", STRING, "numéro FINESS de l’entité juridique", "FINESS juridique"),
        Column("rs_finess", STRING, "nom de l’entité juridique", "Raison sociale juridique"),
        Column("finess_geo", STRING, "numéro FINESS du site", "FINESS géographique", key=True),
        Column("rs_finess_geo", STRING, "nom du site", "Raison sociale du site"),
        Column("region", STRING, "libellé de la région", "Région"),
        Column("participation", STRING, "obligation de participer", "Participation"),
        Column("Depot", STRING, "dépôt ou non des adresses", "Dépôt"),
        Column(
            answers,
            INTEGER,
            "nombre de réponses dont le score global est tiré",
            "Réponses (score global)",
        ),
        Column(score, DOUBLE, "score global ajusté, de 0 à 100", "Score global ajusté"),
        Column("classement", STRING, "classe A à D, ou pourquoi il n’y en a pas : DI, NR, NV", "Classement"),
        Column("evolution", STRING, "évolution de la classe", "Évolution"),
        *details,
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
    return Table(
        name=f"{survey}_mco",
        layer=Layer.SOURCES,
        zone=Zone.RESTRICTED,
        grain="un site dans une campagne",
        label=label,
        owner="team:surveys",
        access=WITHOUT_PERSONS,
        public_source="HAS",
        columns=columns,
        rows=Delivered(
            DeliveredFiles(
                rf"(?:{survey}_mco_recueil|resultats[-_](?:iqss[-_])?{survey}[-_]mco[-_]open[-_]data[-_])"
                r"(?P<campaign>\d{4})(?:_donnees)?\.(?:csv|xlsx)",
                HAS_FORMATS,
                expected=campaigns,
                apart=True,
            ),
            derived={"campaign_year": "campaign"},
            optional=[c.name for c in columns if c.name not in (*required, "campaign_year")],
            empty=EMPTY,
            blanks=WORDS,
            percentages=[c.name for c in columns if c.type == DOUBLE],
            row_checks=[
                is_finess("finess_geo"),
                *(within_hundred(c.name) for c in columns if c.type == DOUBLE),
                *(is_count(c.name) for c in columns if c.type == INTEGER),
            ],
            row_warnings=[
                RowCheck(
                    "unknown_class", "classement", f"{is_class('classement')} OR {_NO_CLASS.format(text='classement')}"
                ),
                RowCheck("class_without_result", "classement", f"NOT ({is_class('classement')} AND {score} IS NULL)"),
            ],
            typing={
                **{c.name: COUNT for c in columns if c.type == INTEGER},
                **{c.name: RESULT for c in columns if c.type == DOUBLE},
                "finess": FINESS,
                "finess_geo": FINESS,
                "classement": class_or_words_in(score),
            },
            stands_alone=True,
        ),
        checks=[gives_results(f"{score} IS NOT NULL", of_each="campaign_year")],
        partition_scheme=CAMPAIGNS,
    )
