"""Satisfaction scores by site: published whole, beside the scores of all sites."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.release.published_satisfaction import published_satisfaction
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration


def test_every_score_is_published_with_quantiles_of_all_sites(made: Home) -> None:
    facts = rows(made.lake, fact_satisfaction).to_pylist()
    found = rows(made.lake, published_satisfaction).to_pylist()
    shown = (*published_satisfaction.key, "score", "answers", "class", "recommendation_rate", "recommendation_answers")
    assert {tuple(r[c] for c in shown) for r in found} == {tuple(r[c] for c in shown) for r in facts}
    assert len(found) == len(facts)
    campaigns: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        campaigns[row["survey"], row["campaign_year"]].append(row)
    assert len(campaigns) == 5
    for sites in campaigns.values():
        scores = np.array([r["score"] for r in sites if r["score"] is not None])
        assert {r["sites"] for r in sites} == {len(scores)}
        expected = np.quantile(scores, [0.2, 0.5, 0.8])
        for row in sites:
            assert [row[f"national_{q}"] for q in ("p20", "median", "p80")] == pytest.approx(expected)


def test_a_site_has_the_department_of_its_number(made: Home) -> None:
    found = rows(made.lake, published_satisfaction).to_pylist()
    placed = [r for r in found if not r["site_finess"].startswith(("2", "97", "98"))]
    assert len(placed) > 1_000
    assert all(r["department_code"] == r["site_finess"][:2] and r["department_label"] for r in placed)
