"""The profile of an establishment, a department or a region: what is published of it, beside others and France.

Every figure is one of the published tables, or follows from figures that they show: medians and weighted means of
public results of sites, and courses from a common year on. Nothing is computed where a figure is masked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chu_platform import french
from chu_platform.portal import sentences
from chu_platform.portal.charts.series import SHAPE_OF
from chu_platform.portal.funnels import Subject, funnel_of_subject
from chu_platform.portal.places import ESTABLISHMENT, LEVELS, REGION, Place, listed_places
from chu_platform.portal.profile_consultations import CONSULTATIONS, consultation_cells, consultations_part, rate_at
from chu_platform.portal.profile_mortality import mortality_part
from chu_platform.portal.profile_parts import FRANCE, Compared, Part
from chu_platform.portal.profile_quality import quality_part
from chu_platform.portal.profile_satisfaction import satisfaction_part
from chu_platform.portal.reader import Snapshot

MAX_OTHERS: Final = 3
# Roles of the places asked for, in their order; region and France follow.
ROLES: Final = tuple(SHAPE_OF)[: MAX_OTHERS + 1]


@dataclass(frozen=True)
class Profile:
    """A profile: the place, those it is compared with, what stands out, the parts, and what is masked and why."""

    place: Place
    others: Sequence[Place]
    compared: Sequence[Compared]
    findings: Sequence[str]
    parts: Sequence[Part]
    withheld: Sequence[str] = field(default_factory=list)

    @property
    def level(self) -> str:
        """What kind of place it is, in words."""
        return LEVELS[self.place.level]


def profile_of(snapshot: Snapshot, place: Place, others: Sequence[Place], region: Place | None) -> Profile:
    """The profile of a place beside others; `region` is the region of the place, unless it is one.

    An overseas department is its region: it is not compared with itself.
    """
    asked = [place, *others]
    compared = [Compared(label, role, p) for label, role, p in zip(_told_apart(asked), ROLES, asked, strict=False)]
    if region and region not in asked and not any(p.is_region and p.region == region.code for p in asked):
        compared.append(Compared(region.label, "region", region))
    compared.append(Compared(FRANCE, "france", None))
    care = consultations_part(snapshot, compared)
    satisfied = satisfaction_part(snapshot, compared)
    quality = quality_part(snapshot, compared)
    parts = [satisfied, quality, *_apart(snapshot, compared), care]
    if place.level != ESTABLISHMENT and (mortality := mortality_part(snapshot, compared)):
        parts.append(mortality)
    # Of a territory, its own index says more than its place in the funnel.
    told = [p for p in parts if p.name != "entonnoir" or place.level == ESTABLISHMENT]
    findings = [str(text) for part in told for text in part.said[:1]]
    return Profile(place, others, compared, findings, parts, _withheld(snapshot, compared))


def _told_apart(places: Sequence[Place]) -> Sequence[str]:
    """The names of the places; those of the same name are told apart by their level, sites by their number."""
    labels = [p.label for p in places]
    return [
        f"{p.label} ({p.finess or french.small(LEVELS[p.level])})" if labels.count(p.label) > 1 else p.label
        for p in places
    ]


def prepare_profiles(snapshot: Snapshot) -> None:
    """Find what profiles have in common, such as scores and funnels: the first one then takes no longer than others."""
    for subject in Subject:
        funnel_of_subject(snapshot, subject, {})
    for places in listed_places(snapshot).values():
        for place in places[:1]:
            profile_of(snapshot, place, [], None)


def _apart(snapshot: Snapshot, compared: Sequence[Compared]) -> Sequence[Part]:
    """Whether the place stands apart among its peers by more than size and ordinary differences explain."""
    level = compared[0].level
    subject = (
        Subject.RECOMMENDED_SITES
        if level == ESTABLISHMENT
        else (Subject.MORTALITY_REGIONS if level == REGION else Subject.MORTALITY_DEPARTMENTS)
    )
    roles = {c.place.key: c.role for c in compared if c.place and c.level == level}
    found = funnel_of_subject(snapshot, subject, roles)
    own = found.own if found else None
    if found is None or own is None:
        return []
    return [
        Part(
            "entonnoir",
            "Parmi les autres lieux",
            [found.said(own)],
            [(found.chart, found.note)],
            links=[("L’entonnoir et les lieux qui s’en écartent", found.address(compared[0].place))],
        )
    ]


def _withheld(snapshot: Snapshot, compared: Sequence[Compared]) -> Sequence[str]:
    """What is masked or not published of the place, and why."""
    own = compared[0]
    question = snapshot.question(CONSULTATIONS)
    assert question
    cells = consultation_cells(snapshot, question, own, rate_at(question, own.level))
    texts = []
    if not cells:
        texts.append("Consultations : rien n’est compté pour ce lieu, donc rien n’est masqué.")
    elif masked := [c for c in cells if c.masked]:
        texts.append(
            f"Consultations : {french.counted(len(masked), 'chiffre est masqué', 'chiffres sont masqués')} sur {len(cells)}. {sentences.WHY_MASKED}"
        )
    else:
        texts.append(
            f"Consultations : aucun des {len(cells)} chiffres n’est masqué."
            if len(cells) > 1
            else "Consultations : le chiffre n’est pas masqué."
        )
    texts.append(
        "Séjours : les indicateurs publiés portent sur la base entière, par diagnostic, par sexe et par âge ; aucun n’est publié par lieu."
    )
    texts.append("Satisfaction, qualité des soins, mortalité : données publiques (HAS, Insee), rien n’en est masqué.")
    if own.level == ESTABLISHMENT:
        texts.append("Chiffres exacts de l’établissement : ils restent dans les zones protégées du groupe.")
    return texts
