"""The satisfaction of patients in a profile: the e-Satis scores of a place in each campaign, beside others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.addresses import question_address
from chu_platform.portal.charts.series import Series, series_chart
from chu_platform.portal.places import DEPARTMENT, ESTABLISHMENT, REGION
from chu_platform.portal.profile_parts import NONE, Compared, Part, shown_or_none
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.spark_sql import ALL

SURVEYS: Final = {"48h_mco": "Séjours de plus de 48\u00a0h", "ca_mco": "Chirurgie ambulatoire"}


@dataclass(frozen=True, slots=True)
class Score:
    """Satisfaction in a campaign: of a site its score and class, of other places the mean and the number of sites."""

    score: float | None
    answers: float | None
    given: str
    recommended: float | None
    spread: tuple[float, float, float] | None = None


Campaigns = Mapping[tuple[str, str], Score]


def all_scores(snapshot: Snapshot) -> Mapping[tuple[str, str], Campaigns]:
    """The scores of every place, by its level and code, by survey and campaign. Found once a snapshot."""

    def find() -> Mapping[tuple[str, str], Campaigns]:
        found: dict[tuple[str, str], dict[tuple[str, str], Score]] = {}
        for place, campaign, score in (*_of_sites(snapshot), *_of_territories(snapshot)):
            found.setdefault(place, {})[campaign] = score
        return found

    return snapshot.once("profile scores", find)


def _of_sites(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], tuple[str, str], Score]]:
    """The score of each site, survey and campaign."""
    rows = snapshot.rows(
        """
        SELECT 'F' || site_finess AS code, survey, campaign_year, score, answers, class, recommendation_rate,
               national_median, national_p20, national_p80 FROM published_satisfaction
        """
    )
    # Sites of a campaign have these in common.
    shared: dict[object, Any] = {}
    for r in rows:
        campaign = (r["survey"], r["campaign_year"])
        spread = (r["national_median"], r["national_p20"], r["national_p80"])
        score = Score(
            r["score"],
            r["answers"],
            _class(r["class"]),
            r["recommendation_rate"],
            None if spread[0] is None else shared.setdefault(spread, spread),
        )
        yield (ESTABLISHMENT, r["code"]), shared.setdefault(campaign, campaign), score


def _of_territories(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], tuple[str, str], Score]]:
    """The score of each department, of each region and of France, for each survey and campaign."""
    # The mean of indicator 8, over the sites of a department.
    departments = snapshot.rows(
        f"""
            SELECT department_code AS code, survey, campaign_year AS campaign, count(score) AS sites_scored, {_classes()},
                   sum(answers) FILTER (score IS NOT NULL) AS answers,
                   sum(score * answers) / nullif(sum(answers) FILTER (score IS NOT NULL), 0) AS score_weighted,
                   sum(recommendation_rate * recommendation_answers)
                       / nullif(sum(recommendation_answers) FILTER (recommendation_rate IS NOT NULL), 0)
                       AS recommendation_rate
            FROM published_satisfaction GROUP BY ALL
        """
    )
    regions = snapshot.rows(
        "SELECT *, region_code AS code, CAST(year AS VARCHAR) AS campaign FROM kpi_satisfaction_by_region"
    )
    for level, rows in ((DEPARTMENT, departments), (REGION, regions)):
        for r in rows:
            place = ("france", ALL) if r["code"] == ALL else (level, r["code"])
            score = Score(r["score_weighted"], r["answers"], _class_counts(r), r["recommendation_rate"])
            yield place, (r["survey"], r["campaign"]), score


def _classes() -> str:
    return ", ".join(f"count(*) FILTER (class = '{c.upper()}') AS class_{c}" for c in "abcd")


def _class_counts(row: Mapping[str, Any]) -> str:
    counts = [f"{row[f'class_{c}']} {c.upper()}" for c in "abcd" if row[f"class_{c}"]]
    return f"{french.counted(row['sites_scored'], 'site', 'sites')}{f' : {french.listed(counts)}' if counts else ''}"


def _class(written: str | None) -> str:
    return (
        NONE if not written else f"classe {written}" if written in ("A", "B", "C", "D") else f"sans score ({written})"
    )


def satisfaction_part(snapshot: Snapshot, compared: Sequence[Compared]) -> Part:
    """The scores of each survey and campaign with their change and class, and their course."""
    own, *rest = compared
    scores = all_scores(snapshot)
    found = {c: scores.get((c.level, c.code), {}) for c in compared}
    keys = sorted({key for c in (own, *rest) for key in found[c]}, key=lambda k: (k[0], k[1]), reverse=True)
    keys = sorted(keys, key=lambda k: list(SURVEYS).index(k[0]))
    rows: list[list[str | Markup | None]] = []
    for key in keys:
        row: list[str | Markup | None] = [f"{SURVEYS[key[0]]}, {key[1]}"]
        row += _own_score(found[own], key, own.level == ESTABLISHMENT)
        row += [shown_or_none(found[c][key].score if key in found[c] else None) for c in rest]
        rows.append(row)
    columns = [
        ("Enquête et campagne", False),
        ("Score sur 100", True),
        ("Changement", True),
        ("Classe ou sites", False),
    ]
    columns += [("Réponses", True), ("Recommandent (%)", True)]
    if own.level == ESTABLISHMENT:
        columns.append(("Sites : médiane (P20 à P80)", True))
    columns += [(c.label, True) for c in rest]
    charts = []
    for survey, label in SURVEYS.items():
        years = sorted({int(year) for s, year in keys if s == survey})
        if sum(found[own][k].score is not None for k in found[own] if k[0] == survey) < 2:
            continue
        span = range(years[0], years[-1] + 1)
        series = [
            Series(c.label, c.role, [found[c][k].score if (k := (survey, str(y))) in found[c] else None for y in span])
            for c in compared
        ]
        drawn = [s for s in series if any(v is not None for v in s.values)]
        chart = series_chart(f"Satisfaction, {french.small(label)}", "sur 100", 1, [str(y) for y in span], drawn)
        charts.append((chart, "L’axe ne part pas de zéro. Une année sans campagne interrompt les lignes."))
    notes = [
        "HAS ne livre pas d’intervalle avec le score d’un site : un écart d’un point entre deux campagnes peut être dû au hasard. "
        "Le changement est celui depuis la campagne précédente qui a un score."
    ]
    if any(c.level != ESTABLISHMENT for c in compared):
        notes.append("Pour un territoire : moyenne des scores des sites, pondérée par leurs réponses.")
    return Part(
        "satisfaction",
        "Satisfaction des patients (e-Satis)",
        [_satisfaction_said(found[own])],
        charts,
        [(f"Satisfaction – {own.label}", columns, rows)] if found[own] else [],
        notes=notes if found[own] else (),
        links=_links(snapshot, own, found[own]),
    )


def _links(snapshot: Snapshot, own: Compared, scores: Campaigns) -> Sequence[tuple[str, str]]:
    """The questions to read on with; that of the themes is asked of the place, if it is in a campaign."""
    found = []
    if q := snapshot.question("satisfaction-region"):
        found.append(("Satisfaction par région", question_address(q, {})))
    if q := snapshot.question("satisfaction-theme"):
        x = {ESTABLISHMENT: f"site:{own.code[1:]}", REGION: f"{REGION}:{own.code}"}.get(own.level) if scores else None
        found.append(("Satisfaction par thème", question_address(q, {"x": x} if x else {})))
    return found


def _own_score(scores: Campaigns, key: tuple[str, str], is_site: bool) -> list[str | None]:
    """The cells of the place that the profile is of: score, change, class, answers, recommendation; of a site the spread."""
    score = scores.get(key)
    if score is None:
        return [NONE] * (6 if is_site else 5)
    row: list[str | None] = [
        shown_or_none(score.score),
        _change(scores, key) or NONE,
        score.given,
        NONE if score.answers is None else french.number(score.answers),
        shown_or_none(score.recommended),
    ]
    if is_site:
        row.append(NONE)
    if score.spread:
        median, low, high = score.spread
        row[-1] = f"{french.number(median, 1)} ({french.interval(low, high)})"
    return row


def _change(scores: Campaigns, key: tuple[str, str]) -> str | None:
    """The change of a score since the campaign before that has one, and that of the class."""
    survey, campaign = key
    now = scores[key]
    before = max(
        (y for s, y in scores if s == survey and y < campaign and scores[s, y].score is not None), default=None
    )
    if before is None or now.score is None:
        return None
    was = scores[survey, before]
    assert was.score is not None
    points = f"{_signed(now.score - was.score)} depuis {before}"
    if now.given.startswith("classe") and was.given.startswith("classe") and now.given != was.given:
        return f"{points} ({was.given[-1]} → {now.given[-1]})"
    return points


def _satisfaction_said(scores: Campaigns) -> str:
    scored = [k for k, s in scores.items() if s.score is not None and k[0] == "48h_mco"] or [
        k for k, s in scores.items() if s.score is not None
    ]
    if not scored:
        why = " Aucune campagne e-Satis ne lui donne de score." if scores else " Il n’est dans aucune campagne e-Satis."
        return f"Satisfaction : pas de score.{why}"
    key = max(scored, key=lambda k: k[1])
    score = scores[key]
    text = f"Satisfaction ({french.small(SURVEYS[key[0]])}, {key[1]}) : {french.amount(score.score or 0.0, 'sur 100')}, {score.given}"
    if change := _change(scores, key):
        text += f", {change}"
    if score.spread:
        median, low, high = score.spread
        text += f" ; la médiane des sites est de {french.number(median, 1)}, trois sites sur cinq sont entre {french.number(low, 1)} et {french.number(high, 1)}"
    return f"{text}."


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{french.number(value, 1)}"
