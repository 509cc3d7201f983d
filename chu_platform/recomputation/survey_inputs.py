"""Input table of the satisfaction surveys: the results of one site in one campaign."""

from typing import Final

import duckdb

from chu_platform.recomputation.recomputation import UNKNOWN

# SQL of the text that identifies a row of either survey.
SITE_KEY: Final = "concat_ws('|', campaign_year, finess_geo)"


def create_sites(connection: duckdb.DuckDBPyConnection) -> None:
    """Create site(key, survey, year, region, score, answers, class, opinion, opinions) from the views `raw_<source>`.

    In the surveys La Réunion and Mayotte are one region: the FINESS number distinguishes them.
    """
    selects = [
        f"""
        SELECT {SITE_KEY} AS key, '{survey}' AS survey, campaign_year::INTEGER AS year,
            CASE left(finess_geo, 4) WHEN '9704' THEN '04' WHEN '9805' THEN '06'
                ELSE coalesce(region_code, '{UNKNOWN}') END AS region,
            {score} AS score, nb_rep_{score} AS answers, classement AS class, taux_reco_brut AS opinion,
            nb_reco_brut AS opinions
        FROM raw_{source} LEFT JOIN raw_survey_region ON survey_label = region
        """
        for survey, source, score in (
            ("48h_mco", "esatis48h_mco", "score_all_rea_ajust"),
            ("ca_mco", "esatisca_mco", "score_all_ajust"),
        )
    ]
    connection.execute(f"CREATE TABLE site AS {' UNION ALL '.join(selects)}")
