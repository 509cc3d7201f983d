"""What the indicators of satisfaction share: means of the scores of sites with their intervals, columns and measures."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from chu_platform.indicators.intervals import student_mean, weighted_mean
from chu_platform.indicators.rates import finite
from chu_platform.tables.columns import DOUBLE, LONG, Column
from chu_platform.tables.indicator_questions import Count, Measure

SURVEYS: Final = {
    "48h_mco": "Hospitalisation de plus de 48 h",
    "ca_mco": "Chirurgie ambulatoire",
}
# The mean of fewer scored sites has no interval.
FEWEST_SITES: Final = 5
SCORES: Final = (0, 100)
LIMITS: Final = ("score_low", "score_high", "weighted_low", "weighted_high")
# The columns of `SCORE_SUMS` from which the limits are made, for `Query.over`.
LIMITS_FROM: Final[Mapping[str, Sequence[str]]] = {
    name: ("scores" if name.startswith("score") else "weighted",) for name in LIMITS
}
# SQL of the answers behind a score.
SCORED_ANSWERS: Final = "CASE WHEN score IS NOT NULL THEN coalesce(answers, 0) ELSE 0 END AS answers"
# SQL of what is summed over the sites of a group, which have `score` and the answers behind it.
SCORE_SUMS: Final = """count(*) AS sites, count(score) AS sites_scored, sum(answers) AS answers,
                   -- Decimal sums are exact. Sums of floating-point numbers depend on the order of the rows.
                   CAST(sum(CAST(score AS DECIMAL(18, 8)) * answers) AS DOUBLE) AS score_sum,
                   CAST(sum(CAST(score AS DECIMAL(18, 8))) AS DOUBLE) AS plain_sum,
                   sort_array(collect_list(score)) AS scores,
                   collect_list(CASE WHEN score IS NOT NULL THEN array(score, CAST(answers AS DOUBLE)) END) AS weighted"""
# SQL of the figures of a group `s` with these sums; `scores` and `weighted` become the limits (`with_score_limits`).
SCORE_FIGURES: Final = """s.sites, s.sites_scored, s.answers,
               CASE WHEN s.answers > 0 THEN s.score_sum / s.answers END AS score_weighted, s.weighted,
               CASE WHEN s.sites_scored > 0 THEN s.plain_sum / s.sites_scored END AS score_mean, s.scores"""


def with_score_limits(summed: pa.Table) -> pa.Table:
    """Replace the lists of scores, alone and with their answers, by the 95 % intervals of both means."""
    limits = []
    for scores, pairs in zip(summed["scores"].to_pylist(), summed["weighted"].to_pylist(), strict=True):
        # A sum of floating-point numbers depends on their order.
        values, answers = np.array(sorted(pairs or []), dtype=np.float64).reshape(-1, 2).T
        plain = student_mean(np.array(scores or [], dtype=np.float64), FEWEST_SITES, *SCORES)
        limits.append((*plain, *weighted_mean(values, answers, FEWEST_SITES, *SCORES)))
    found = summed.drop_columns(["scores", "weighted"])
    for name, values in zip(LIMITS, np.array(limits, dtype=np.float64).reshape(-1, len(LIMITS)).T, strict=True):
        found = found.append_column(name, finite(values))
    return found


SCORE_COLUMNS: Final = (
    Column("sites", LONG, "nombre de sites du fichier", "Sites", nullable=False),
    Column("sites_scored", LONG, "nombre de sites avec un score", "Sites avec score", nullable=False),
    Column("answers", LONG, "nombre de réponses dont les scores sont tirés", "Réponses", nullable=False),
    Column(
        "score_weighted",
        DOUBLE,
        "moyenne des scores des sites, pondérée par leurs réponses, de 0 à 100",
        "Score moyen pondéré",
    ),
    Column("score_mean", DOUBLE, "moyenne non pondérée des scores des sites", "Score moyen"),
    Column(
        "score_low",
        DOUBLE,
        f"borne basse à 95 % de la moyenne non pondérée, loi de Student ; à partir de {FEWEST_SITES} sites avec score, au moins 0",
        "Score moyen : borne basse",
    ),
    Column(
        "score_high",
        DOUBLE,
        f"borne haute à 95 % de la moyenne non pondérée, loi de Student ; à partir de {FEWEST_SITES} sites avec score, au plus 100",
        "Score moyen : borne haute",
    ),
    Column(
        "weighted_low",
        DOUBLE,
        f"borne basse à 95 % de la moyenne pondérée, loi de Student ; à partir de {FEWEST_SITES} sites avec score et réponses, au moins 0",
        "Score moyen pondéré : borne basse",
    ),
    Column(
        "weighted_high",
        DOUBLE,
        f"borne haute à 95 % de la moyenne pondérée, loi de Student ; à partir de {FEWEST_SITES} sites avec score et réponses, au plus 100",
        "Score moyen pondéré : borne haute",
    ),
)
SCORE_MEASURES: Final = (
    Measure(
        "score",
        "Score moyen pondéré",
        "sur 100",
        "score_weighted",
        "weighted_low",
        "weighted_high",
        "intervalle de confiance à 95 % (Student, sites pondérés)",
        Count("answers", "réponses"),
        None,
        "le score moyen de satisfaction est de {value}{where}",
        reason_without_limits="moins de cinq sites avec score",
        better="higher",
    ),
    Measure(
        "moyenne",
        "Moyenne simple des sites",
        "sur 100",
        "score_mean",
        "score_low",
        "score_high",
        "intervalle de confiance à 95 % de la moyenne des sites (Student)",
        Count("sites_scored", "sites avec score"),
        Count("sites", "sites"),
        "la moyenne simple des scores des sites est de {value}{where}",
        reason_without_limits="moins de cinq sites avec score",
        better="higher",
    ),
)
