"""The pages of sign-in: texts in French, and the frame that a server puts around them."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from chu_platform import french
from chu_platform.identity.principal import Held, Principal
from chu_platform.signin.labels import PROFILES, PURPOSES

# A page of a title and a content.
Frame = Callable[[str, Markup], str]
TEMPLATES: Final = Path(__file__).parent / "templates"
STYLE: Final = "/connexion/style.css"


def plain_frame(title: str, content: Markup) -> str:
    """A page by itself, with the style of STYLE."""
    return _environment().get_template("cadre.html").render(title=title, content=content, style=STYLE)


def content_of(template: str, **context: Any) -> Markup:
    """What a template gives, to put into a frame."""
    return Markup(_environment().get_template(template).render(**context))  # noqa: S704 escaped by Jinja


def held_rows(principal: Principal) -> Sequence[tuple[str, str, str, str]]:
    """Profile, purposes, sites and expiry of what somebody holds, in words; a row for each profile and its end."""
    purposes: dict[tuple[str, str, str], list[str]] = {}
    for held in principal.held:
        alike = PROFILES[held.profile], " ".join(sorted(held.establishments)), _until(held)
        purposes.setdefault(alike, []).append(PURPOSES[held.purpose])
    return [(profile, ", ".join(of), sites, until) for (profile, sites, until), of in purposes.items()]


def _until(held: Held) -> str:
    return "sans limite" if held.expires == date.max else french.day(held.expires)


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
