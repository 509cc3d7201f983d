"""Addresses of the pages of exact figures, and links from them to each other and to the portal."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from chu_platform.portal.addresses import OWN_FIGURES, QUESTIONS, ServedAddresses
from chu_platform.portal.questions import Question

# A level of a question and its separator: what stands in front of the key of an establishment in an address.
SITE: Final = "establishment:"


@dataclass(frozen=True)
class Elsewhere:
    """Another address that answers a request."""

    address: str


def own_page(address: str) -> str:
    """The address of exact figures for that of a question of the portal."""
    return f"{OWN_FIGURES}{address}"


class OwnAddresses(ServedAddresses):
    """Links of a page of exact figures: views of own sites lead to such pages, all others to the portal.

    `questions` are those with exact figures, `keys` those of the own establishments.
    """

    def __init__(self, questions: Sequence[Question], keys: Collection[str]) -> None:
        super().__init__(own_figures=True)
        self._parameters = {q.slug: x_of(q) for q in questions}
        self._keys = keys

    def of(self, address: str) -> str:
        """The address; that of exact figures for an own site, and for a form that asks for any X."""
        parts = urlsplit(address)
        name = parts.path.removeprefix(QUESTIONS).partition("/")[0]
        if not parts.path.startswith(QUESTIONS) or name not in self._parameters:
            return address
        x = dict(parse_qsl(parts.query)).get(self._parameters[name], "")
        is_own = x.startswith(SITE) and x.removeprefix(SITE) in self._keys
        return own_page(address) if is_own or not parts.query else address


def x_of(question: Question) -> str:
    """The name of the parameter of a question that says which place is asked for."""
    (parameter,) = question.parameters
    return parameter.name


def has_sites(question: Question) -> bool:
    """Whether a question has figures of establishments that are not public."""
    return SITE.rstrip(":") in question.levels and question.table.public_source is None
