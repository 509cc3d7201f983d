"""Care-quality results by site: published whole, with ranks that the intervals allow."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from chu_platform.facts.fact_quality_indicator import fact_quality_indicator
from chu_platform.release.published_quality import published_quality
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration


def test_every_result_is_published_with_quantiles_and_ranks(made: Home) -> None:
    facts = rows(made.lake, fact_quality_indicator).to_pylist()
    found = rows(made.lake, published_quality).to_pylist()
    key = published_quality.key
    shown = ("value", "lower_bound", "upper_bound", "denominator", "class")
    assert {tuple(r[c] for c in (*key, *shown)) for r in found} == {tuple(r[c] for c in (*key, *shown)) for r in facts}
    assert any(r["denominator"] is not None and r["denominator"] <= 10 for r in found), "small numbers are public"
    sites: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        sites[row["campaign_year"], row["indicator_key"]].append(row)
    ranked = 0
    for group in sites.values():
        scored = [r for r in group if r["value"] is not None]
        values = np.array([r["value"] for r in scored])
        spans = [(min(bounds(r)), max(bounds(r))) for r in scored]
        assert {r["sites"] for r in group} == {len(scored)}
        if scored:
            expected = np.quantile(values, [0.2, 0.5, 0.8])
            for row in group:
                assert [row[f"national_{q}"] for q in ("p20", "median", "p80")] == pytest.approx(expected)
        for row, (low, high) in zip(scored, spans, strict=True):
            ahead = sum(other_low > high for other_low, _ in spans)
            behind = sum(other_high < low for _, other_high in spans)
            assert (row["rank_first"], row["rank_last"]) == (1 + ahead, len(scored) - behind)
            ranked += 1
        assert all(r["rank_first"] is None and r["rank_last"] is None for r in group if r["value"] is None)
    assert ranked > 100


def bounds(row: dict[str, Any]) -> list[float]:
    return [b for b in (row["value"], row["lower_bound"], row["upper_bound"]) if b is not None]
