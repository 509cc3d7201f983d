"""What the parts of a profile are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.charts.grammar import Chart
from chu_platform.portal.places import Place
from chu_platform.tables.spark_sql import ALL

NONE: Final = "–"
FRANCE: Final = "France"
Columns = Sequence[tuple[str, bool]]
Rows = Sequence[Sequence[str | Markup | None]]


@dataclass(frozen=True)
class Compared:
    """One of the places of a profile; `place` is None for France."""

    label: str
    role: str
    place: Place | None

    @property
    def level(self) -> str:
        """Its level; `france` for France."""
        return self.place.level if self.place else "france"

    @property
    def code(self) -> str:
        """Its code; `all` for France."""
        return self.place.code if self.place else ALL

    @property
    def finess(self) -> str | None:
        """The FINESS number of a site; None for other places."""
        return self.place.finess if self.place else None


@dataclass(frozen=True)
class Part:
    """A part of the page: what it says first, its charts with their notes, its tables with captions."""

    name: str
    title: str
    said: Sequence[str | Markup] = ()
    charts: Sequence[tuple[Chart, str]] = ()
    tables: Sequence[tuple[str, Columns, Rows]] = ()
    more: Sequence[tuple[str, Columns, Rows]] = ()
    notes: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()


def shown_or_none(value: float | None, digits: int = 1) -> str:
    """A figure without its unit; a dash where there is none."""
    return NONE if value is None else french.number(value, digits)
