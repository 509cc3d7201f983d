"""What all charts are drawn with: elements, styles, scales, legends, and the frame that names a chart."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import accumulate
from typing import Final, Literal

from markupsafe import Markup


@dataclass(frozen=True)
class Size:
    """A width a chart is drawn for, in pixels."""

    name: str
    width: int

    @property
    def is_narrow(self) -> bool:
        """Whether there is only room for one thing beside another."""
        return self.width < 500


@dataclass(frozen=True)
class Reference:
    """A value that others are compared with, drawn as a line."""

    label: str
    value: float


# Which figures are favourable: the higher or the lower ones.
Better = Literal["higher", "lower"]
WIDE: Final = Size("wide", 760)
NARROW: Final = Size("narrow", 350)
# For a step of the story that fills a screen: its height is scarce, and its text is read from afar.
SLIDE: Final = Size("slide", 600)
FONT_SIZE: Final = 13
# Of the font, the mean width of a letter as a part of its size: enough to place words, not to set type.
LETTER: Final = 0.5
VIEW_BOX: Final = re.compile(r'viewBox="0 0 (?P<width>[0-9]+) (?P<height>[0-9]+)"')
# Of each series: its colour, its dashes, and the fill of its marks where that is another one.
SERIES: Final[dict[str, tuple[str, str, str]]] = {
    "own": ("#0b5d78", "", ""),
    "second": ("#a3440b", "", ""),
    "third": ("#6b3fa0", "", ""),
    "fourth": ("#2f6b3a", "", ""),
    "region": ("#4c5b66", "6 4", "#ffffff"),
    "france": ("#17242e", "2 3", "#ffffff"),
}
# What each class looks like in an SVG file of its own; portal.css has the same for light and dark pages.
STYLES: Final[dict[str, str]] = {
    "ink": 'fill="#17242e"',
    "soft": 'fill="#4c5b66"',
    "strong": 'fill="#17242e" font-weight="600"',
    # With a halo: it may lie over a line.
    "value": 'fill="#17242e" font-weight="600" stroke="#ffffff" stroke-width="4" paint-order="stroke"',
    "grid": 'stroke="#dbe2e6" stroke-width="1" fill="none"',
    "axis": 'stroke="#7b8a94" stroke-width="1" fill="none"',
    "line": 'stroke="#0b5d78" stroke-width="2.25" fill="none" stroke-linejoin="round" stroke-linecap="round"',
    "band": 'fill="#0b5d78" fill-opacity="0.14"',
    "whisker": 'stroke="#0b5d78" stroke-width="2" fill="none"',
    "dot": 'fill="#0b5d78" stroke="#ffffff" stroke-width="1.5"',
    "dot-partial": 'fill="#ffffff" stroke="#0b5d78" stroke-width="2"',
    "dot-chosen": 'fill="#a3440b" stroke="#ffffff" stroke-width="1.5"',
    "whisker-chosen": 'stroke="#a3440b" stroke-width="2.5" fill="none"',
    # Months of a known episode.
    "span": 'fill="#a3440b" fill-opacity="0.16"',
    # Several X on one chart: the one of the page, up to three others, its region, France.
    **{
        style: text
        for name, (colour, dashes, fill) in SERIES.items()
        for style, text in (
            (
                f"series-{name}",
                f'stroke="{colour}" stroke-width="2.25" fill="none" stroke-linejoin="round"'
                + (f' stroke-dasharray="{dashes}"' if dashes else ""),
            ),
            (f"mark-{name}", f'fill="{fill or colour}" stroke="{colour}" stroke-width="1.5"'),
        )
    },
    "cloud": 'stroke="#0b5d78" stroke-width="6" stroke-opacity="0.55" stroke-linecap="round" fill="none"',
    # Of what stands apart in neither direction.
    "cloud-within": 'stroke="#4c5b66" stroke-width="6" stroke-opacity="0.7" stroke-linecap="round" fill="none"',
    "limit": 'stroke="#4c5b66" stroke-width="1.5" fill="none" stroke-dasharray="6 4"',
    "limit-far": 'stroke="#17242e" stroke-width="1.5" fill="none"',
    # Where neither side is favourable; and where one is.
    "signal": 'fill="#5a4a91" stroke="#ffffff" stroke-width="1"',
    "signal-good": 'fill="#0b5d78" stroke="#ffffff" stroke-width="1"',
    "signal-bad": 'fill="#a3440b" stroke="#ffffff" stroke-width="1"',
    "reference": 'stroke="#4c5b66" stroke-width="1.25" fill="none" stroke-dasharray="6 4"',
    "hatch": 'stroke="#9aa7af" stroke-width="1.25"',
    "withheld": 'stroke="#9aa7af" stroke-width="1"',
    "row": 'fill="#f2f5f6"',
    "tile-good": 'fill="#c9e3ee" stroke="#0b5d78" stroke-width="2"',
    "tile-bad": 'fill="#f6d9c3" stroke="#a3440b" stroke-width="2"',
    # Where neither is favourable.
    "tile-above": 'fill="#d6cfea" stroke="#5a4a91" stroke-width="2"',
    "tile-below": 'fill="#efecf8" stroke="#5a4a91" stroke-width="2"',
    "tile-same": 'fill="#eef1f3" stroke="#9aa7af" stroke-width="1"',
    # Seen only where the keyboard is, by the style sheet.
    "tile-focus": 'fill="none" stroke="none"',
    "tile-chosen": 'fill="none" stroke="#17242e" stroke-width="3.5"',
}


def is_favourable(above: bool, better: Better) -> bool:
    """Whether it is favourable that a figure is above what it is compared with, or below."""
    return above == (better == "higher")


def judgement(above: bool, better: Better) -> str:
    """The same in a word, in French."""
    return "favorable" if is_favourable(above, better) else "défavorable"


def element(tag: str, style: str = "", content: str = "", **attributes: object) -> str:
    """One element: `style` is its class in STYLES, `content` is SVG already; `text_anchor=` becomes text-anchor."""
    given = "".join([f' {_name(name)}="{_attribute(value)}"' for name, value in attributes.items()])
    classes = f' class="{style}" {STYLES[style]}' if style else ""
    return f"<{tag}{classes}{given}>{content}</{tag}>" if content else f"<{tag}{classes}{given}/>"


def words(x: float, y: float, text: str, style: str = "ink", anchor: str = "start", size: float = FONT_SIZE) -> str:
    """A line of text."""
    # As `element` writes it; a page has hundreds of words.
    return (
        f'<text class="{style}" {STYLES[style]} x="{_attribute(x)}" y="{_attribute(y)}" text-anchor="{anchor}" '
        f'font-size="{_attribute(size)}">{escape(text)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    return element("line", style, x1=x1, y1=y1, x2=x2, y2=y2)


def tooltip(text: str) -> str:
    """What a mark says when it is pointed at."""
    return f"<title>{escape(text)}</title>"


def path(points: Sequence[tuple[float, float]], closed: bool = False) -> str:
    """Points as the data of a path."""
    moves = "M" + " L".join([f"{x:.1f} {y:.1f}" for x, y in points]) + " "
    # Every number ends at a space: as `_attribute` writes it, without a zero after the point.
    moves = moves.replace(".0 ", " ").rstrip()
    return f"{moves}Z" if closed else moves


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """About how wide a text is, in pixels."""
    return len(text) * size * LETTER


def drawn_width(text: str, size: float = FONT_SIZE) -> float:
    """How wide a text is at most, letter by letter, where `text_width` would take room from it in vain."""
    return size * sum(map(_letter, text))


def cut(text: str, room: float) -> str:
    """The text, or as much of it as is drawn within `room` pixels, with an ellipsis."""
    *before, whole = (FONT_SIZE * width for width in accumulate(map(_letter, text), initial=0.0))
    if whole <= room:
        return text
    ellipsis = drawn_width("…")
    kept = next((n for n in range(len(before) - 1, 0, -1) if before[n] + ellipsis <= room), 0)
    return f"{text[:kept].rstrip()}…"


@cache
def _letter(letter: str) -> float:
    """How wide a letter is, in sizes of the font."""
    if letter in "fijlrt.,;:'’!()[]|·- \u00a0\u202f":
        return 0.34
    return 0.86 if letter in "mwMW%‰" else 0.62 if letter.isupper() else 0.54


@dataclass(frozen=True)
class Scale:
    """From values to pixels, linearly; `ticks` are round values within."""

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[float]

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def inside(self, value: float) -> float:
        """The value, or the nearest one the scale shows."""
        return min(max(value, self.low), self.high)


def scale(values: Sequence[float], start: float, end: float, from_zero: bool, steps: int = 5) -> Scale:
    """A scale over the values whose ends are round; it begins at zero when asked to."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high <= low:
        low, high = (0.0, max(high, 1.0)) if from_zero else (low - 1, high + 1)
    step = _round_step((high - low) / steps)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [round(i * step, 10) for i in range(first, last + 1)]
    return Scale(ticks[0], ticks[-1], start, end, ticks)


def tick_digits(ticks: Sequence[float]) -> int:
    """Digits after the comma that ticks need."""
    return next((d for d in range(4) if all(abs(t - round(t, d)) < 1e-9 for t in ticks)), 4)


def hatching(name: str) -> str:
    """The pattern of what is withheld, to be filled with `url(#name)`."""
    return (
        f'<pattern id="{escape(name)}" width="7" height="7" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)">{line(0, 0, 0, 7, "hatch")}</pattern>'
    )


def withheld(x: float, y: float, width: float, height: float, hatch: str, why: str) -> str:
    """A hatched box in place of a figure that is not shown."""
    return element("rect", "withheld", tooltip(why), x=x, y=y, width=width, height=height, rx=2, fill=f"url(#{hatch})")


@dataclass(frozen=True)
class Key:
    """An entry of a legend: a sample, drawn in a box of 22 by 12 pixels at a place, and its words."""

    sample: Callable[[float, float], str]
    text: str


def legend(keys: Sequence[Key], size: Size, left: float, top: float) -> tuple[str, float]:
    """The entries, in as many lines as they need, and the height of these. Words that no line has room for are cut."""
    x, y, drawn = left, top, []
    for key in keys:
        text = cut(key.text, size.width - left - 30)
        # At most so wide, or the sample of the next entry would hide the end of its words.
        room = 30 + drawn_width(text, 12.5)
        if x > left and x + room > size.width:
            x, y = left, y + 20
        drawn.append(key.sample(x, y) + words(x + 28, y + 10.5, text, "soft", size=12.5))
        x += room + 18
    return "".join(drawn), (y - top + 20 if keys else 0)


def framed(
    size: Size, name: str, height: float, title: str, description: str, marks: str, linked: bool = False
) -> Markup:
    """The whole SVG; `title` and `description` are what a screen reader reads of it. `linked`: marks hold links."""
    label = f"{name}-{size.name}"
    return Markup(  # noqa: S704  everything inside was escaped where it was put in
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart chart-{size.name}" viewBox="0 0 {size.width} '
        f'{math.ceil(height)}" role="{"group" if linked else "img"}" aria-labelledby="{label}-title" '
        f"aria-describedby=\"{label}-description\" font-family=\"'Source Sans 3', 'Segoe UI', Arial, sans-serif\" "
        f'font-size="{FONT_SIZE}"><title id="{label}-title">{escape(title)}</title>'
        f'<desc id="{label}-description">{escape(description)}</desc>{marks}</svg>'
    )


def wrapped(text: str, width: float, size: float) -> list[str]:
    """A text as lines of about that width, in pixels."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def banded(chart: Markup, head: Sequence[str], foot: Sequence[str]) -> Markup:
    """A chart that speaks for itself when it is alone: on white, between what it is and where it is from."""
    found = VIEW_BOX.search(chart)
    assert found
    width, height = int(found["width"]), int(found["height"])
    room = width - 16
    titles = [(text, "strong", 17) for text in wrapped(head[0], room, 17)]
    titles += [(text, "ink", 14) for part in head[1:] for text in wrapped(part, room, 14)]
    sources = [text for part in foot for text in wrapped(part, room, 12)]
    above, below = 22 * len(titles) + 16, 17 * len(sources) + 14
    drawn = [f'<rect x="0" y="{-above}" width="{width}" height="{above + height + below}" fill="#ffffff"/>']
    drawn += [words(8, 22 * (n + 1) - above, text, style, size=size) for n, (text, style, size) in enumerate(titles)]
    drawn.append(line(8, height + 2, width - 8, height + 2, "grid"))
    drawn += [words(8, height + 17 * (n + 1) + 2, text, "soft", size=12) for n, text in enumerate(sources)]
    begin, marks, end = str(chart).partition("</desc>")
    box = f'viewBox="0 {-above} {width} {above + height + below}"'
    return Markup(VIEW_BOX.sub(box, begin, count=1) + marks + "".join(drawn) + end)  # noqa: S704  escaped by `words`


@cache
def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _attribute(value: object) -> str:
    # A page has thousands of these, nearly all numbers, which need no escaping.
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value) if isinstance(value, int) else escape(str(value))


def _round_step(rough: float) -> float:
    """The round number (1, 2, 2.5 or 5 times a power of ten) next above."""
    power = float(10.0 ** math.floor(math.log10(rough)))
    return next((m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9)), 10 * power)
