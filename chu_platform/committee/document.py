"""A report as a document: blocks, chapters, and what they show with the command that produces it.

`html_writer`, `markdown_writer` and `pdf_writer` write the same document in three formats.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chu_platform.committee.inputs import Inputs

# A4 between margins of 20 mm, in CSS pixels of 1/96 inch; the height leaves room for a caption and its command.
PAGE_WIDTH: Final = 642
PAGE_HEIGHT: Final = 860
WIDE_WIDTH: Final = 970
WIDE_HEIGHT: Final = 530
# Smallest text of a picture, in pixels: 7.5 points.
SMALLEST: Final = 10.0
FONT: Final = "CHU Sans"
_VIEW_BOX: Final = re.compile(r'<svg [^>]*viewBox="0 0 (?P<width>[0-9.]+) (?P<height>[0-9.]+)"')
_FONT_SIZE: Final = re.compile(r'font-size="(?P<size>[0-9.]+)"')
_INLINE: Final = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<bold>[^*]+)\*\*")


@dataclass(frozen=True)
class Span:
    """A part of a text: plain, `bold` or `code`."""

    text: str
    bold: bool = False
    code: bool = False


def spans(text: str) -> Iterator[Span]:
    """The parts of a text with `code` and **bold** as in Markdown."""
    end = 0
    for found in _INLINE.finditer(text):
        if found.start() > end:
            yield Span(text[end : found.start()])
        yield Span(found["code"], code=True) if found["code"] else Span(found["bold"], bold=True)
        end = found.end()
    if end < len(text):
        yield Span(text[end:])


@dataclass(frozen=True)
class Code:
    """A cell that is code: nothing in it is markup."""

    text: str


@dataclass(frozen=True)
class Link:
    """A cell that leads to a chapter: the name of a report and the slug of its chapter."""

    text: str
    report: str
    chapter: str


Cell = str | Code | Link


@dataclass(frozen=True)
class Heading:
    """A title within a chapter; `level` 2 is numbered and in the contents, 3 is not."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of points; `numbered` if their order matters."""

    points: Sequence[str]
    numbered: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table. `share` is its part of the width, in relation to the others; numbers stand at the right."""

    title: str
    share: float = 1.0
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A table with its title, and the command that gives its content."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    command: str

    def __post_init__(self) -> None:
        """Refuse rows that do not have the columns."""
        _require_command(self.command, self.title)
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of the table {self.title!r} has {len(row)} cells, not {len(self.columns)}")


@dataclass(frozen=True)
class Picture:
    """A diagram or a chart as SVG, with its caption and the command that gives what it shows.

    `wide` puts it on a page in landscape. `text` says in words what is seen, for readers who do not see it; without it,
    the caption does.
    """

    svg: str
    caption: str
    command: str
    wide: bool = False
    text: str = ""

    def __post_init__(self) -> None:
        """Refuse a picture that does not fit its page, or whose text is too small to be read there."""
        _require_command(self.command, self.caption)
        width, height = self.size
        most = (WIDE_WIDTH, WIDE_HEIGHT) if self.wide else (PAGE_WIDTH, PAGE_HEIGHT)
        if width > most[0] or height > most[1]:
            raise ValueError(f"the picture {self.caption!r} is {width:g} x {height:g}, more than the page: {most}")
        if small := [s for s in _FONT_SIZE.findall(self.svg) if float(s) < SMALLEST]:
            raise ValueError(f"the picture {self.caption!r} has text of {small[0]} pixels: too small to be read")

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in CSS pixels, from the `viewBox`, which must begin at 0."""
        found = _VIEW_BOX.match(self.svg)
        if found is None:
            raise ValueError(f'the picture {self.caption!r} does not begin with <svg ... viewBox="0 0 WIDTH HEIGHT">')
        return float(found["width"]), float(found["height"])


@dataclass(frozen=True)
class Listing:
    """Code or output of several lines; `language` is that of the highlighting of Markdown (sql, sh, text)."""

    text: str
    language: str
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """A measured figure: what it is, its value as shown, and the command that gives it."""

    what: str
    value: str
    command: str

    def __post_init__(self) -> None:
        """Refuse a figure that nothing produces."""
        _require_command(self.command, self.what)


@dataclass(frozen=True)
class Figures:
    """Measured figures, each with its command."""

    figures: Sequence[Figure]


@dataclass(frozen=True)
class Missing:
    """What is not there, why, and what would give it; shown as such, never left out in silence."""

    text: str


Block = Heading | Paragraph | Bullets | Table | Picture | Listing | Figures | Missing


@dataclass(frozen=True)
class Chapter:
    """A chapter: its anchor, its title, the sentences of the brief that it answers, and its blocks."""

    slug: str
    title: str
    answers: Sequence[str]
    blocks: "Callable[[Inputs], Iterable[Block]]"


@dataclass(frozen=True)
class Report:
    """A report. `name` is that of its files, `short` what the check-list calls it.

    `files` gives other files beside them by name, such as an archive.
    """

    name: str
    short: str
    title: str
    subtitle: str
    chapters: Sequence[Chapter]
    files: "Callable[[Inputs], Mapping[str, bytes]] | None" = None


@dataclass(frozen=True)
class MadeChapter:
    """A chapter with its number and its blocks."""

    slug: str
    number: int
    title: str
    blocks: Sequence[Block]

    @property
    def heading(self) -> str:
        """Number and title."""
        return f"{self.number}. {self.title}"

    @property
    def numbered(self) -> Iterator[tuple[str, Block]]:
        """The blocks with their anchors; headings of level 2 with their numbers."""
        n = 0
        for place, block in enumerate(self.blocks):
            if isinstance(block, Heading) and block.level == 2:
                n += 1
                yield f"{self.slug}-{n}", Heading(f"{self.number}.{n} {block.text}")
            else:
                yield f"{self.slug}-b{place}", block

    @property
    def pages(self) -> Iterator[tuple[bool, Sequence[tuple[str, Block]]]]:
        """The blocks in groups; whether a group is a page in landscape: a wide picture, with a heading before it."""
        group: list[tuple[str, Block]] = []
        for anchor, block in self.numbered:
            if isinstance(block, Picture) and block.wide:
                split = len(group) - bool(group and isinstance(group[-1][1], Heading))
                if split:
                    yield False, group[:split]
                yield True, [*group[split:], (anchor, block)]
                group = []
            else:
                group.append((anchor, block))
        if group:
            yield False, group


@dataclass(frozen=True)
class Document:
    """A report as it is written. `stated` says on the first page when and from what it was made."""

    name: str
    title: str
    subtitle: str
    stated: str
    chapters: Sequence[MadeChapter] = field(default=())


def _require_command(command: str, shown: str) -> None:
    if not command.strip():
        raise ValueError(f"{shown!r} has no command that produces it")
