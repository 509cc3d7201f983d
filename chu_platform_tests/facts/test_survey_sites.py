"""The recomputation finds the same regions of sites overseas as the facts (`test_failed_campaigns`)."""

from itertools import product

import duckdb
import pyarrow as pa
import pytest

from chu_platform.building_blocks.packaged_references import packaged
from chu_platform.recomputation.survey_inputs import create_sites
from chu_platform_tests.facts.test_failed_campaigns import REGIONS

pytestmark = pytest.mark.unit


def test_regions_of_the_recomputation() -> None:
    sites = [{"campaign_year": "2022", "finess_geo": site, "region": label} for site, label in REGIONS]
    scores = [
        f"{start}{score}" for start, score in product(("", "nb_rep_"), ("score_all_rea_ajust", "score_all_ajust"))
    ]
    others = dict.fromkeys([*scores, "classement", "taux_reco_brut", "nb_reco_brut"])
    with duckdb.connect() as connection:
        for source in ("esatis48h_mco", "esatisca_mco"):
            connection.register(f"raw_{source}", pa.Table.from_pylist([{**site, **others} for site in sites]))
        connection.register("raw_survey_region", packaged("survey_regions"))
        connection.register("raw_department", packaged("departments"))
        create_sites(connection)
        found = connection.execute("SELECT DISTINCT key[6:], region FROM site").fetchall()
    assert dict(found) == {site: region for (site, _), region in REGIONS.items()}
    assert len(found) == len(REGIONS)
