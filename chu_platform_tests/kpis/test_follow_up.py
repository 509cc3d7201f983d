"""What follows a stay: shares and limits of a library against another one, and against the recomputation."""

import numpy as np
import pytest
from scipy.stats import norm

from chu_platform.indicators.intervals import share_followed
from chu_platform.recomputation.follow_up_figures import recomputed_follow_up
from chu_platform_tests import small_duckdb
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows


def _courses(seed: int) -> tuple[list[int], list[bool]]:
    """Days to a consultation of some stays, of which some are observed for less than 90 days."""
    random = np.random.default_rng(seed)
    number = int(random.integers(5, 400))
    event, seen = random.integers(1, 300, number), np.minimum(random.integers(0, 400, number), 90)
    happened = event <= seen
    return np.where(happened, event, seen).tolist(), happened.tolist()


@pytest.mark.unit
@pytest.mark.parametrize("seed", range(20))
def test_share_and_limits_equal_those_of_statsmodels(seed: int) -> None:
    from statsmodels.duration.survfunc import SurvfuncRight

    days, happened = _courses(seed)
    if not any(happened):
        pytest.skip("no event in this draw")
    other = SurvfuncRight(np.array(days), np.array(happened).astype(int))
    staying, error = other.surv_prob[-1], other.surv_prob_se[-1]
    half = norm.ppf(0.975) * error / staying / abs(np.log(staying))
    expected = [1 - staying, 1 - staying ** np.exp(-half), 1 - staying ** np.exp(half)]
    assert share_followed(days, happened) == pytest.approx(expected, rel=1e-9)


@pytest.mark.unit
def test_share_and_limits_of_a_published_example() -> None:
    """Remission of 21 patients on 6-MP (Freireich 1963), as survfit of R prints it with conf.type = "log-log"."""
    events = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    found = share_followed([*events, *censored], [True] * 9 + [False] * 12)
    assert found == pytest.approx((1 - 0.448, 1 - 0.680, 1 - 0.188), abs=6e-4)


@pytest.mark.unit
def test_nothing_that_happened_and_everything_have_no_limits() -> None:
    for happened, share in ((False, 0.0), (True, 1.0)):
        found = share_followed([5, 5, 5], [happened] * 3)
        assert found[0] == share and np.isnan(found[1:]).all()


@pytest.mark.unit
@pytest.mark.parametrize("seed", range(20))
def test_the_recomputation_has_the_same_figures(seed: int) -> None:
    days, happened = _courses(seed)
    share = share_followed(days, happened)
    staying, spread = 1.0, 0.0
    for day in sorted({d for d, h in zip(days, happened, strict=True) if h}):
        at_risk = sum(d >= day for d in days)
        events = sum(d == day and h for d, h in zip(days, happened, strict=True))
        staying *= 1 - events / at_risk
        spread += events / (at_risk * (at_risk - events)) if at_risk > events else 0.0
    counts = {
        name: np.array([value])
        for name, value in {"stays": len(days), "events": sum(happened), "staying": staying, "spread": spread}.items()
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        found = recomputed_follow_up(counts)
    names = ("percent", "percent_low", "percent_high")
    assert [found[n][0] / 100 for n in names] == pytest.approx(share, rel=1e-9, nan_ok=True)


@pytest.mark.integration
def test_days_count_from_the_day_after_the_discharge(made: Home) -> None:
    """By all consultations and stays of each patient: none on the day of discharge counts, and the first one does."""
    from chu_platform.facts.fact_consultation import fact_consultation
    from chu_platform.facts.fact_follow_up import fact_follow_up
    from chu_platform.facts.fact_hospitalisation import fact_hospitalisation

    tables = {t.name: rows(made.lake, t) for t in (fact_follow_up, fact_hospitalisation, fact_consultation)}
    with small_duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        wrong = connection.execute(
            """
            SELECT count(*) FROM fact_follow_up f JOIN fact_hospitalisation s USING (stay_key)
            WHERE f.discharge <> s.date + s.days
                OR f.days_to_consultation IS DISTINCT FROM (
                    SELECT min(c.date - f.discharge) FROM fact_consultation c WHERE c.patient_key = s.patient_key
                        AND s.patient_key <> 'inconnu' AND c.date - f.discharge BETWEEN 1 AND 90)
                OR f.days_to_stay IS DISTINCT FROM (
                    SELECT min(o.date - f.discharge) FROM fact_hospitalisation o WHERE o.patient_key = s.patient_key
                        AND s.patient_key <> 'inconnu' AND o.date - f.discharge BETWEEN 1 AND 90)
                OR f.consultations_seen <> greatest((SELECT max(date) FROM fact_consultation) - f.discharge, 0)
                OR f.stays_seen <> greatest((SELECT max(date) FROM fact_hospitalisation) - f.discharge, 0)
            """
        ).fetchone()
        found = connection.execute(
            "SELECT count(days_to_consultation), count(*) FILTER (stays_seen < 30) FROM fact_follow_up"
        ).fetchone()
    assert wrong == (0,)
    assert found and min(found) > 10, "some stays are followed, and some are not observed for 30 days"
