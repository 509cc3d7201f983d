"""Input table of the satisfaction surveys: the results of one site in one campaign."""

from typing import Final

import duckdb

from chu_platform.recomputation.recomputation import UNKNOWN

# SQL of the text that identifies a row of either survey.
SITE_KEY: Final = "concat_ws('|', campaign_year, finess_geo)"
# Labels of overseas territories that are not a region, in lower case, without accents.
NO_REGION: Final = "s(ain)?t[ .-]*(martin|barth)|miquelon|polynesie|caledonie|wallis|futuna|collectivite"


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
