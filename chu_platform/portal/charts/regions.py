"""The map of the regions: one hexagon each, all of the same size, overseas with the others.

Equal hexagons give every region, also a small one, room for its name and its figure, and make it large enough to be
touched. Outlines would emphasise regions with a large area instead of regions with many patients. The positions of the
hexagons are defined in this module.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.charts.drawing import (
    NARROW,
    SLIDE,
    WIDE,
    Better,
    Key,
    Reference,
    Size,
    element,
    is_favourable,
    judgement,
    path,
    tooltip,
    words,
)
from chu_platform.portal.charts.grammar import hatch_of, hatched_key, remark_key, whole
from chu_platform.portal.charts.trend import MASKED_KEY, WHY_MASKED


@dataclass(frozen=True)
class _Tile:
    """Where a region lies, in hexagons, and its name in lines that fit into one."""

    column: float
    row: float
    name: tuple[str, ...]


TILES: Final[Mapping[str, _Tile]] = {
    "32": _Tile(2.5, 0, ("Hauts-de-", "France")),
    "53": _Tile(1, 1, ("Bretagne",)),
    "28": _Tile(2, 1, ("Normandie",)),
    "11": _Tile(3, 1, ("Île-de-", "France")),
    "44": _Tile(4, 1, ("Grand Est",)),
    "52": _Tile(1.5, 2, ("Pays de", "la Loire")),
    "24": _Tile(2.5, 2, ("Centre-Val", "de Loire")),
    "27": _Tile(3.5, 2, ("Bourgogne-", "Fr.-Comté")),
    "75": _Tile(2, 3, ("Nouvelle-", "Aquitaine")),
    "84": _Tile(3, 3, ("Auvergne-", "Rh.-Alpes")),
    "76": _Tile(2.5, 4, ("Occitanie",)),
    "93": _Tile(3.5, 4, ("Provence-A.-", "Côte d’Azur")),
    "94": _Tile(4.75, 4.5, ("Corse",)),
    "01": _Tile(0.5, 5.75, ("Guade-", "loupe")),
    "02": _Tile(1.5, 5.75, ("Marti-", "nique")),
    "03": _Tile(2.5, 5.75, ("Guyane",)),
    "04": _Tile(3.5, 5.75, ("La", "Réunion")),
    "06": _Tile(4.5, 5.75, ("Mayotte",)),
}
COLUMNS: Final = 5.75
OVERSEAS: Final = 5.75
# On a slide, the overseas regions are beside the others, not below them, because a slide is wide and low.
# The other regions are one column further left.
SLIDE_PLACES: Final[Mapping[str, tuple[float, float]]] = {
    "01": (3.85, 0),
    "02": (4.85, 0),
    "03": (4.35, 1),
    "04": (3.85, 2),
    "06": (4.85, 2),
}
# On a phone, the map has only four columns, so that names are large enough to be read.
NARROW_PLACES: Final[Mapping[str, tuple[float, float]]] = {
    "94": (3, 5),
    "01": (0, 5.75),
    "02": (1, 5.75),
    "03": (2, 5.75),
    "04": (0.5, 6.75),
    "06": (1.5, 6.75),
}
NARROW_COLUMNS: Final = 4
WIDEST_SLIDE: Final = 505
TOP: Final = 8
GAP: Final = 3
# How far within a hexagon the ring of the keyboard is: apart from the edge, which is thick where it is chosen.
FOCUS: Final = 6.5
WIDEST: Final = 520
NO_FIGURE: Final = "aucun chiffre : rien de compté ou de mesuré"


class Side(Enum):
    """Where a figure stands to the reference, as far as its interval tells."""

    ABOVE = "above"
    BELOW = "below"
    SAME = "same"
    UNKNOWN = "unknown"


SIGNS: Final = {Side.ABOVE: "▲", Side.BELOW: "▼", Side.SAME: "≈", Side.UNKNOWN: "?"}
APART: Final = (Side.ABOVE, Side.BELOW)


@dataclass(frozen=True)
class Region:
    """A region's figure; `value` None: masked. `href`: where the region leads."""

    code: str
    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    href: str = ""
    chosen: bool = False


@dataclass(frozen=True)
class RegionMap:
    """A map. With `reference`, each region says whether its interval lies above it, below it, or holds it.

    A region that is not among `regions` has no figure, and is drawn as having none. One without an interval is compared
    with nothing; `alone` says why it has none. `better` figures are favourable; None where neither side is.
    """

    title: str
    unit: str
    digits: int
    regions: Sequence[Region]
    reference: Reference | None = None
    alone: str = ""
    better: Better | None = None

    @property
    def tells(self) -> bool:
        """Whether any region stands apart from the reference: else the map says no more than the comparison."""
        return any(side(r, self.reference) in APART for r in self.regions if r.value is not None)

    @property
    def without(self) -> str:
        """The remark on a figure without an interval."""
        return f"sans intervalle{f' : {self.alone}' if self.alone else ''}"

    @property
    def absent(self) -> Sequence[str]:
        """Codes of the regions without a figure."""
        known = {r.code for r in self.regions}
        return [code for code in TILES if code not in known]


def side(region: Region, reference: Reference | None) -> Side:
    """Above or below only where the whole interval is; unknown without one."""
    if reference is None:
        return Side.SAME
    if region.low is None or region.high is None:
        return Side.UNKNOWN
    if region.low > reference.value:
        return Side.ABOVE
    return Side.BELOW if region.high < reference.value else Side.SAME


def described(chart: RegionMap) -> str:
    """The map in words."""
    shown = [r for r in chart.regions if r.value is not None]
    parts = [f"Carte des {len(TILES)} régions, outre-mer compris."]
    if chart.reference:
        reference = f"{chart.reference.label} ({french.amount(chart.reference.value, chart.unit, chart.digits)})"
        for which, text in ((Side.ABOVE, "Au-dessus de"), (Side.BELOW, "En dessous de")):
            names = [r.label for r in shown if side(r, chart.reference) is which]
            there = french.listed(names) if names else "aucune région"
            parts.append(f"{text} la référence, {reference}, intervalle entier compris : {there}.")
        parts.append("Les autres ne s’en distinguent pas.")
        if names := [r.label for r in shown if side(r, chart.reference) is Side.UNKNOWN]:
            verb = "n’est pas comparée" if len(names) == 1 else "ne sont pas comparées"
            parts[-1] = "Les autres qui ont un intervalle ne s’en distinguent pas."
            parts.append(f"{french.listed(names)} {verb} ({chart.without}).")
    if masked := len(chart.regions) - len(shown):
        parts.append(f"{french.counted(masked, 'région masquée', 'régions masquées')}.")
    if chart.absent:
        parts.append(f"{french.counted(len(chart.absent), 'région sans chiffre', 'régions sans chiffre')}.")
    return " ".join(parts)


def region_map(chart: RegionMap, name: str) -> Markup:
    """The chart for wide and for narrow pages; `name` is unique in its page."""
    return draw(chart, name, WIDE) + draw(chart, name, NARROW)


def draw(chart: RegionMap, name: str, size: Size) -> Markup:
    """The chart for one width."""
    is_slide = size is SLIDE
    tiles = places(size)
    columns = NARROW_COLUMNS if size is NARROW else COLUMNS
    across = min(size.width - 8, WIDEST_SLIDE if is_slide else WIDEST) / columns
    radius = across / math.sqrt(3)
    left = (size.width - across * columns) / 2
    hatch = hatch_of(name, size)
    marks: list[str] = []
    chosen: list[str] = []

    def centre(tile: _Tile) -> tuple[float, float]:
        return left + (tile.column + 0.5) * across, TOP + radius + tile.row * 1.5 * radius

    marks += [_absent(tiles[code], *centre(tiles[code]), radius) for code in chart.absent]
    for region in chart.regions:
        tile = tiles.get(region.code)
        if tile is None:
            continue
        x, y = centre(tile)
        drawn = _tile(chart, region, tile, x, y, radius, hatch)
        if region.href:
            drawn += element("path", "tile-focus", d=path(_hexagon(x, y, radius - FOCUS), closed=True))
        marks.append(element("a", content=drawn, href=region.href) if region.href else drawn)
        if region.chosen:
            chosen.append(element("path", "tile-chosen", d=path(_hexagon(x, y, radius), closed=True)))
    rows = max(t.row for t in tiles.values())
    if is_slide:
        caption, at = TOP + 5 * radius + 18, left + 4.85 * across
    else:
        caption, at = TOP + OVERSEAS * 1.5 * radius - 12, left + (0 if size is NARROW else 0.5) * across
    marks.append(words(at, caption, "Outre-mer", "soft", "middle" if is_slide else "start", 12))
    bottom = TOP + 2 * radius + rows * 1.5 * radius
    linked = any(r.href for r in chart.regions)
    keys = _keys(chart, hatch)
    return whole(size, name, chart.title, described(chart), [*marks, *chosen], keys, bottom + 14, linked)


def places(size: Size) -> Mapping[str, _Tile]:
    """Where each region lies, for one width."""
    own = {SLIDE.name: SLIDE_PLACES, NARROW.name: NARROW_PLACES}.get(size.name)
    if own is None:
        return TILES
    return {
        code: _Tile(*(own[code] if code in own else (tile.column - 1, tile.row)), tile.name)
        for code, tile in TILES.items()
    }


def _tile(chart: RegionMap, region: Region, tile: _Tile, x: float, y: float, radius: float, hatch: str) -> str:
    where = side(region, chart.reference)
    shape = path(_hexagon(x, y, radius - GAP / 2), closed=True)
    drawn = [tooltip(_tooltip_text(chart, region)), element("path", _style(chart, where), d=shape)]
    if region.value is None:
        drawn = [tooltip(_tooltip_text(chart, region)), element("path", "withheld", d=shape, fill=f"url(#{hatch})")]
        half = radius * 0.6
        drawn.append(element("rect", "row", x=x - half, y=y - half * 0.75, width=2 * half, height=1.5 * half, rx=4))
    drawn.append(_name(tile, x, y, radius))
    if region.value is None:
        drawn.append(words(x, y + radius * 0.5, french.MASKED, "soft", "middle", _name_size(radius)))
    else:
        text = french.number(region.value, chart.digits)
        sign = f" {SIGNS[where]}" if chart.reference else ""
        drawn.append(words(x, y + radius * 0.52, text + sign, "strong", "middle", 12 if _is_small(radius) else 15.5))
    return "".join(drawn)


def _style(chart: RegionMap, where: Side) -> str:
    """The class of a tile. A figure that is compared with nothing is drawn as bare as a region without one."""
    if where is Side.UNKNOWN:
        return "grid"
    if chart.better is None or where is Side.SAME:
        return f"tile-{where.value}"
    return "tile-good" if is_favourable(where is Side.ABOVE, chart.better) else "tile-bad"


def _judged(chart: RegionMap, where: Side) -> str:
    """What a side means, for the legend."""
    if chart.better is None:
        return ""
    return f" : {judgement(where is Side.ABOVE, chart.better)}"


def _absent(tile: _Tile, x: float, y: float, radius: float) -> str:
    shape = element("path", "grid", tooltip(NO_FIGURE), d=path(_hexagon(x, y, radius - GAP / 2), closed=True))
    return shape + _name(tile, x, y, radius) + words(x, y + radius * 0.52, "–", "soft", "middle", _name_size(radius))


def _name(tile: _Tile, x: float, y: float, radius: float) -> str:
    size = _name_size(radius)
    first = y - (size if len(tile.name) == 2 else size / 2) + 1
    return "".join(words(x, first + i * (size + 1), text, "ink", "middle", size) for i, text in enumerate(tile.name))


def _name_size(radius: float) -> float:
    return 9.5 if _is_small(radius) else 12.5


def _is_small(radius: float) -> bool:
    return radius < 45


def _tooltip_text(chart: RegionMap, region: Region) -> str:
    if region.value is None:
        return f"{region.label} : {WHY_MASKED}"
    text = f"{region.label} : {french.amount(region.value, chart.unit, chart.digits)}"
    if region.low is not None and region.high is not None:
        text += f" (IC à 95 % : {french.interval(region.low, region.high, chart.unit, chart.digits)})"
    elif chart.reference:
        text += f" ({chart.without})"
    return text


def _hexagon(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """The corners of a hexagon that stands on one."""
    angles = (math.radians(60 * i - 90) for i in range(6))
    return [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles]


def _keys(chart: RegionMap, hatch: str) -> list[Key]:
    keys = []
    if chart.reference:
        value = french.amount(chart.reference.value, chart.unit, chart.digits)
        texts = {
            Side.ABOVE: f"au-dessus de {value} ({chart.reference.label}){_judged(chart, Side.ABOVE)}",
            Side.BELOW: f"en dessous{_judged(chart, Side.BELOW)}",
            Side.SAME: "ne s’en distingue pas (IC à 95 %)",
        }
        if any(r.value is not None and side(r, chart.reference) is Side.UNKNOWN for r in chart.regions):
            texts[Side.UNKNOWN] = chart.without
        keys += [Key(partial(_sample, chart, which), text) for which, text in texts.items()]
    if masked := hatched_key(hatch, MASKED_KEY if any(r.value is None for r in chart.regions) else ""):
        keys.append(masked)
    if chart.absent:
        keys.append(remark_key("–", NO_FIGURE))
    return keys


def _sample(chart: RegionMap, which: Side, x: float, y: float) -> str:
    box = element("rect", _style(chart, which), x=x, y=y - 1, width=22, height=14, rx=2)
    return box + words(x + 11, y + 10.5, SIGNS[which], "strong", "middle", 12)
