"""Input tables of the satisfaction surveys: the results of one site in one campaign, as a whole and by theme."""

from typing import Final

import duckdb

from chu_platform.recomputation.recomputation import UNKNOWN, SourceRows
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.esatisca_mco import esatisca_mco

# SQL of the text that identifies a row of either survey.
SITE_KEY: Final = "concat_ws('|', campaign_year, finess_geo)"
# The rows behind a score, in the results of either survey.
NUMERATOR_SOURCES: Final = [
    SourceRows(table, "numerator", SITE_KEY, f"SELECT row FROM numerator WHERE survey = '{survey}'")
    for table, survey in ((esatis48h_mco, "48h_mco"), (esatisca_mco, "ca_mco"))
]
# Labels of overseas territories that are not a region, in lower case, without accents.
NO_REGION: Final = "s(ain)?t[ .-]*(martin|barth)|miquelon|polynesie|caledonie|wallis|futuna|collectivite"
# SQL of the sums over the sites of a cell, from which `recomputed_score_limits` computes.
SCORE_COUNTS: Final = """count(row) AS sites, count(score) AS sites_scored, sum(answers) AS answers,
            sum(score * answers) / nullif(sum(answers), 0) AS score_weighted, avg(score) AS score_mean,
            coalesce(stddev_samp(score), 'nan'::DOUBLE) AS score_deviation,
            count(score) FILTER (answers > 0) AS sites_weighted, sum(answers::DOUBLE ** 2) AS squares,
            sum(answers::DOUBLE ** 2 * score) AS square_scores, sum((answers::DOUBLE * score) ** 2) AS squared_scores"""
# The themes of the scores, by source: of each its code, and the part of the delivered column names that says it.
THEMES: Final = {
    "esatis48h_mco": {
        "reception": "accueil_rea",
        "nurses": "PECinf_rea",
        "doctors": "PECmed_rea",
        "room": "chambre_rea",
        "meals": "repas_rea",
        "discharge": "sortie_rea",
    },
    "esatisca_mco": {
        "before_surgery": "AVH",
        "surgery_reception": "ACC",
        "surgery_care": "PEC",
        "surgery_room_and_meals": "CER",
        "surgery_discharge": "OVS",
    },
}


def create_site_themes(connection: duckdb.DuckDBPyConnection) -> None:
    """Create site_theme(key, survey, year, region, site, theme, score, answers); needs site."""
    selects = [
        f"""
        SELECT s.key, s.survey, s.year, s.region, r.finess_geo AS site, '{theme}' AS theme,
            r.score_{column}_ajust AS score, r.nb_rep_score_{column}_ajust AS answers
        FROM site s JOIN raw_{source} r ON s.survey = '{survey}' AND s.key = {SITE_KEY}
        """
        for survey, source in (("48h_mco", "esatis48h_mco"), ("ca_mco", "esatisca_mco"))
        for theme, column in THEMES[source].items()
    ]
    connection.execute(f"CREATE TABLE site_theme AS {' UNION ALL '.join(selects)}")


def create_sites(connection: duckdb.DuckDBPyConnection) -> None:
    """Create site(key, survey, year, region, score, answers, class, opinion, opinions) from the views `raw_<source>`.

    The region is that of the label, or else that of the department that the FINESS number begins with; 99 for overseas
    territories that are not a region.
    """
    selects = [
        f"""
        SELECT {SITE_KEY} AS key, '{survey}' AS survey, campaign_year::INTEGER AS year,
            CASE WHEN finess_geo SIMILAR TO '9[78].*' AND regexp_matches(lower(strip_accents(s.region)), '{NO_REGION}')
                THEN '99' WHEN l.region_code IS NOT NULL THEN l.region_code
                WHEN d.region_code IS NOT NULL THEN d.region_code
                WHEN finess_geo SIMILAR TO '9[78].*' THEN '99' ELSE '{UNKNOWN}' END AS region,
            {score} AS score, nb_rep_{score} AS answers, classement AS class, taux_reco_brut AS opinion,
            nb_reco_brut AS opinions
        FROM raw_{source} s LEFT JOIN raw_survey_region l ON survey_label = trim(s.region)
        LEFT JOIN raw_department d ON department_code = CASE
            WHEN left(finess_geo, 3) = '970' THEN '97' || finess_geo[4]
            WHEN left(finess_geo, 2) = '97' THEN left(finess_geo, 3) WHEN left(finess_geo, 4) = '9805' THEN '976'
            WHEN left(finess_geo, 2) = '20' THEN '2A' ELSE left(finess_geo, 2) END
        """
        for survey, source, score in (
            ("48h_mco", "esatis48h_mco", "score_all_rea_ajust"),
            ("ca_mco", "esatisca_mco", "score_all_ajust"),
        )
    ]
    connection.execute(f"CREATE TABLE site AS {' UNION ALL '.join(selects)}")
