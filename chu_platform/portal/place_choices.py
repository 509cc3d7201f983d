"""What a request for a profile or a control chart asks for, from the parameters of an address.

As in `choices`, a parameter that is not understood is refused with a sentence in French, never guessed.
"""

from collections.abc import Iterable
from http import HTTPStatus

from chu_platform.portal.addresses import MEASURE
from chu_platform.portal.choices import UNREADABLE, Refused, single, x_of
from chu_platform.portal.monthly_signals import Control, control_of, measures_of
from chu_platform.portal.places import Place, place_of
from chu_platform.portal.profile import MAX_OTHERS, Profile, profile_of
from chu_platform.portal.reader import Snapshot


def place_asked_for(snapshot: Snapshot, key: str) -> Place:
    """The place of an address. Raises Refused when there is none."""
    place = place_of(snapshot, key)
    if place is None:
        raise Refused(
            "Rien n’est publié de ce lieu : il n’existe pas, ou n’est pas dans les données.", HTTPStatus.NOT_FOUND
        )
    return place


def profile_asked_for(snapshot: Snapshot, key: str, others: str) -> Profile | None:
    """The profile of an address; None without a place. Raises Refused for places that do not exist or are too many."""
    if not key:
        return None
    place = place_asked_for(snapshot, key)
    keys = [k for k in dict.fromkeys(others.split(",")) if k and k != key]
    if len(keys) > MAX_OTHERS:
        raise Refused(f"Un profil se compare avec {MAX_OTHERS} autres lieux au plus.")
    region = place_of(snapshot, f"region:{place.region}") if place.region else None
    return profile_of(snapshot, place, [place_asked_for(snapshot, k) for k in keys], region)


def control_asked_for(snapshot: Snapshot, slug: str, given: Iterable[tuple[str, str]]) -> Control:
    """The control chart of an address. Raises Refused when there is no such question, X or measure by month."""
    question = snapshot.question(slug)
    if question is None:
        raise Refused("Cette question n’existe pas.", HTTPStatus.NOT_FOUND)
    if question.table.name in snapshot.unreadable:
        raise Refused(UNREADABLE, HTTPStatus.SERVICE_UNAVAILABLE)
    asked = single(given, [*(p.name for p in question.parameters), MEASURE])
    x = x_of(snapshot, question, asked)
    measures = measures_of(question, x)
    if not measures or question.yearly or question.table.public_source:
        raise Refused("Cette question n’a pas de carte de contrôle.", HTTPStatus.NOT_FOUND)
    measure = next((m for m in measures if m.key == asked.get(MEASURE, measures[0].key)), None)
    if measure is None:
        raise Refused("Cette mesure n’a pas de carte de contrôle.")
    control = control_of(snapshot, question, x, measure)
    if not control.exists:
        raise Refused("Rien n’est publié pour ce choix.", HTTPStatus.NOT_FOUND)
    return control
