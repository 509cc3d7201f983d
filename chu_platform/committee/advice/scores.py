"""Scores of the candidates by SQL over `references.recommendation`, and how firm the first place is."""

from typing import Final, NamedTuple

from chu_platform.references.recommendation import MOST, OPINION

# Candidates and criteria of a domain, in the order of their declaration.
MARKED: Final = "SELECT candidate, criterion FROM references.recommendation WHERE domain = '{domain}' ORDER BY place"
REQUIREMENTS: Final = (
    "SELECT criterion, any_value(requirement), any_value(weight) FROM references.recommendation "
    "WHERE domain = '{domain}' GROUP BY criterion ORDER BY min(place)"
)
# The marks of a candidate.
EVIDENCE: Final = (
    "SELECT criterion, mark, kind, evidence, source FROM references.recommendation "
    "WHERE domain = '{domain}' AND candidate = '{candidate}' ORDER BY place"
)
# Candidate and score, the best first, then `columns`.
SCORES: Final = (
    "SELECT candidate, sum(weight * mark) / 100.0 AS score, {columns} FROM references.recommendation "
    "WHERE domain = '{domain}' GROUP BY candidate ORDER BY score DESC, candidate"
)
# For each criterion, with its weight doubled and without it: the first candidate and its lead over the second.
ROBUST: Final = (
    "WITH marks AS (SELECT *, sum(weight * mark) OVER (PARTITION BY candidate) AS whole FROM references.recommendation "
    "WHERE domain = '{domain}'), varied AS (SELECT criterion, word, part, candidate, "
    "(whole + part * weight * mark) / (100.0 + part * weight) AS score FROM marks "
    "CROSS JOIN (VALUES ('doublé', 1), ('retiré', -1)) AS change(word, part)) "
    "SELECT criterion, word, arg_max(candidate, score), max(score) - max(score, 2)[2] FROM varied "
    "GROUP BY criterion, word ORDER BY criterion, word"
)
# The first candidate if each opinion errs by one mark in favour of the candidate that is first now.
ROUGH: Final = (
    "WITH scores AS (SELECT candidate, sum(weight * mark) AS score FROM references.recommendation "
    "WHERE domain = '{domain}' GROUP BY candidate), best AS (SELECT arg_max(candidate, score) AS first FROM scores), "
    "moved AS (SELECT candidate, sum(weight * CASE "
    f"WHEN kind <> '{OPINION}' THEN mark WHEN candidate = first THEN greatest(mark - 1, 0) "
    f"ELSE least(mark + 1, {MOST}) END) AS score "
    "FROM references.recommendation CROSS JOIN best WHERE domain = '{domain}' GROUP BY candidate) "
    "SELECT arg_max(candidate, score) FROM moved"
)


class Changed(NamedTuple):
    """The first candidate and its lead, if the weight of a criterion is changed."""

    criterion: str
    change: str
    first: str
    lead: float
