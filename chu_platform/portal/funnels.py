"""The funnel plots of places: recommendation of sites and regions, mortality of regions and departments."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final
from urllib.parse import urlencode

from chu_platform import french
from chu_platform.portal.addresses import FUNNEL
from chu_platform.portal.charts.drawing import judgement
from chu_platform.portal.charts.funnel import Placed, Shown, funnel_chart, marked
from chu_platform.portal.charts.grammar import Chart
from chu_platform.portal.funnel_limits import LEVELS, Funnel, Kind, funnel_of
from chu_platform.portal.places import DEPARTMENT, ESTABLISHMENT, REGION, Place
from chu_platform.portal.reader import Snapshot

# Of the places beyond the limits so many are listed.
MAX_LISTED: Final = 40


class Subject(Enum):
    """What is compared in a funnel: its name in an address, its words, and the level of its places."""

    RECOMMENDED_SITES = ("recommandation-sites", "Recommandation des sites, séjours de plus de 48 h", ESTABLISHMENT)
    AMBULATORY_SITES = ("recommandation-ambulatoire", "Recommandation des sites, chirurgie ambulatoire", ESTABLISHMENT)
    RECOMMENDED_REGIONS = ("recommandation-regions", "Recommandation par région, séjours de plus de 48 h", REGION)
    MORTALITY_REGIONS = ("mortalite-regions", "Mortalité à âge égal des régions", REGION)
    MORTALITY_DEPARTMENTS = ("mortalite-departements", "Mortalité à âge égal des départements", DEPARTMENT)

    def __init__(self, slug: str, label: str, level: str) -> None:
        self.slug = slug
        self.label = label
        self.level = level


@dataclass(frozen=True)
class FunnelView:
    """The funnel of a subject: its places, those asked for by their roles, its limits and its chart.

    `beyond` are the places beyond the limits of 99.8 %, the farthest first, and on which side.
    """

    subject: Subject
    period: str
    places: Mapping[str, Placed]
    funnel: Funnel
    chart: Chart
    note: str
    beyond: Sequence[tuple[Placed, int]]
    chosen: Mapping[str, Placed] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What is compared, and when."""
        return f"{self.subject.label}, {self.period}"

    @property
    def own(self) -> Placed | None:
        """The place that the page is about, if it is one of them."""
        return self.chosen.get("own")

    def address(self, place: Place | None) -> str:
        """The page of this funnel, with a place marked."""
        return funnel_address(self.subject, place)

    def side(self, side: int) -> str:
        """On which side of the limits a place is, above or below 0, and whether that is favourable."""
        return f"{'au-dessus' if side > 0 else 'au-dessous'}, {judgement(side > 0, _shown(self.subject).better)}"

    def said(self, place: Placed) -> str:
        """Whether a place stands apart, in words."""
        beyond = self.funnel.beyond(place.value, place.size)
        side = "au-dessus" if beyond > 0 else "au-dessous"
        what = {
            0: "entre les limites à 95 % : rien ne le distingue de l’ensemble au-delà du hasard et des écarts ordinaires entre lieux",
            1: f"{side} des limites à 95 %, entre celles à 99,8 % : à surveiller, un lieu sur vingt y est par hasard",
            2: f"{side} des limites à 99,8 % : l’écart dépasse le hasard et les écarts ordinaires entre lieux",
        }[abs(beyond)]
        return f"{self.title}, {place.label} : {what}."


def subject_of(slug: str) -> Subject | None:
    """The subject of an address; None if there is none."""
    return next((s for s in Subject if s.slug == slug), None)


def funnel_address(subject: Subject, place: Place | None = None) -> str:
    """The page of a subject, with a place marked."""
    asked = {"sujet": subject.slug, **({"lieu": place.key} if place else {})}
    return f"{FUNNEL}?{urlencode(asked)}"


def funnel_of_subject(snapshot: Snapshot, subject: Subject, roles: Mapping[str, str]) -> FunnelView | None:
    """The funnel of the latest campaign or comparable year; None if it has too few places. `roles` are by place key."""
    found = snapshot.once(("funnel", subject), lambda: _view(snapshot, subject))
    if found is None:
        return None
    chosen = {role: found.places[key] for key, role in roles.items() if key in found.places}
    return replace(found, chosen=chosen, chart=marked(found.chart, chosen, _shown(subject)))


def _kind(subject: Subject) -> Kind:
    return Kind.RATIO if subject in (Subject.MORTALITY_REGIONS, Subject.MORTALITY_DEPARTMENTS) else Kind.SHARE


def _shown(subject: Subject) -> Shown:
    if _kind(subject) is Kind.RATIO:
        return Shown(100.0, "pour 100 décès attendus", 1, "décès attendus", "lower")
    return Shown(100.0, "%", 1, "réponses", "higher")


def _note(funnel: Funnel) -> str:
    text = f"Dispersion : {french.number(funnel.dispersion, 1)} (1 si le hasard expliquait tous les écarts). "
    if funnel.between > 0:
        text += "Les limites sont élargies des écarts ordinaires entre lieux (effets aléatoires, Spiegelhalter). "
    return f"{text}Un lieu hors des limites est à comprendre, pas à condamner ; l’axe ne part pas de zéro."


def _view(snapshot: Snapshot, subject: Subject) -> FunnelView | None:
    """The funnel without places asked for."""
    rows = snapshot.rows(*_query(subject))
    places = [Placed(f"{subject.level}:{r['code']}", r["label"], r["value"], r["size"]) for r in rows]
    funnel = funnel_of(_kind(subject), [(p.value, p.size) for p in places])
    if funnel is None:
        return None
    period = str(rows[0]["period"])
    chart = funnel_chart(f"{subject.label}, {period}", places, funnel, _shown(subject))
    by_key = {p.key: p for p in places}
    return FunnelView(subject, period, by_key, funnel, chart, _note(funnel), _beyond(funnel, by_key.values()))


def _beyond(funnel: Funnel, places: Iterable[Placed]) -> Sequence[tuple[Placed, int]]:
    sides = ((p, funnel.beyond(p.value, p.size)) for p in places)
    far = [(p, side) for p, side in sides if abs(side) == len(LEVELS)]
    return sorted(far, key=lambda f: -abs(funnel.distance(f[0].value, f[0].size)))


def _query(subject: Subject) -> tuple[str, Mapping[str, object]]:
    """The SQL of the places of a subject: code, label, value as a share or ratio, size, period; and its parameters."""
    if _kind(subject) is Kind.RATIO:
        return (
            """
            SELECT code, label, comparative_index / 100 AS value, 100 * deaths / comparative_index AS size, year AS period
            FROM kpi_mortality WHERE level = $level AND sex = 'all' AND comparative_index > 0
            AND year = (SELECT max(year) FROM kpi_mortality WHERE is_comparable) ORDER BY code
            """,
            {"level": subject.level},
        )
    if subject is Subject.RECOMMENDED_REGIONS:
        return (
            """
            SELECT region_code AS code, region_label AS label, recommendation_rate / 100 AS value,
                   recommendation_answers AS size, year AS period
            FROM kpi_satisfaction_by_region WHERE survey = '48h_mco' AND region_code NOT IN ('all', '99')
            AND recommendation_rate IS NOT NULL AND recommendation_answers > 0
            QUALIFY year = max(year) OVER () ORDER BY region_code
            """,
            {},
        )
    return (
        """
        SELECT 'F' || site_finess AS code, coalesce(site_label, 'Site FINESS ' || site_finess) AS label,
               recommendation_rate / 100 AS value, recommendation_answers AS size, campaign_year AS period
        FROM published_satisfaction WHERE survey = $survey
        AND recommendation_rate IS NOT NULL AND recommendation_answers > 0
        QUALIFY campaign_year = max(campaign_year) OVER () ORDER BY site_finess
        """,
        {"survey": "48h_mco" if subject is Subject.RECOMMENDED_SITES else "ca_mco"},
    )
