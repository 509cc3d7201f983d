"""A document as PDF, by Typst: its fonts and pictures are inside, and nothing of the machine, not even its clock."""

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import typst

from chu_platform import french
from chu_platform.committee.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Document,
    Figures,
    Heading,
    Link,
    Listing,
    Missing,
    Paragraph,
    Picture,
    Table,
    spans,
)
from chu_platform.committee.fonts_of_reports import FOLDER

SUFFIX: Final = ".pdf"
TEMPLATE: Final = Path(__file__).parent / "data" / "report.typ"
MAIN: Final = "main.typ"
# What has no place to break a line, such as the name of a file, and the signs after which it may have one.
LONG_NAME: Final = re.compile(r"\S{20,}")
SIGN: Final = re.compile(r"[_./-]")
# PDF/UA-1: tagged, so that a screen reader reads it. Typst refuses a document that does not keep to it.
ACCESSIBLE: Final = "ua-1"
FONTS: Final[dict[str, Any]] = {"font_paths": [FOLDER], "ignore_system_fonts": True}
# Name of the mark in the source at which a chapter begins.
BEGINS: Final = "chapter-begins"


def as_pdf(document: Document, date: datetime.date) -> tuple[bytes, Mapping[str, int]]:
    """The file, and the page on which each chapter begins, by slug. `date` is the only date in it."""
    pictures: dict[str, bytes] = {}
    source = "\n".join(_source(document, date, pictures))
    files: dict[str, bytes] = {MAIN: source.encode(), "report.typ": TEMPLATE.read_bytes(), **pictures}
    made = typst.compile(files, format="pdf", pdf_standards=[ACCESSIBLE], **FONTS)
    assert isinstance(made, bytes)
    found = json.loads(typst.query(files, f"<{BEGINS}>", field="value", **FONTS))
    return made, {mark["slug"]: mark["page"] for mark in found}


def _source(document: Document, date: datetime.date, pictures: dict[str, bytes]) -> Iterator[str]:
    """The Typst source; its pictures are added to `pictures` by their names."""
    yield '#import "report.typ": *'
    yield (
        f"#show: report.with(title: {_text(document.title)}, subtitle: [{_words(document.subtitle)}], "
        f"stated: [{_words(document.stated)}], date: datetime(year: {date.year}, month: {date.month}, "
        f"day: {date.day}))"
    )
    for chapter in document.chapters:
        yield f"#chapter({_text(chapter.slug)}, [{_words(chapter.heading)}])"
        for wide, blocks in chapter.pages:
            parts = [_picture(b, pictures) if isinstance(b, Picture) else _block(b) for _, b in blocks]
            yield f"#page(flipped: true)[{' '.join(parts)}]" if wide else "\n".join(parts)


def _picture(block: Picture, pictures: dict[str, bytes]) -> str:
    name = f"{len(pictures) + 1}.svg"
    pictures[name] = block.svg.encode()
    width, height = block.size
    return (
        f"#picture({_text(name)}, {width}, {height}, [{_words(block.caption)}], "
        f"{_text(block.text or block.caption)}, {_command(block.command)})"
    )


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"#heading(level: {block.level}, outlined: {str(block.level == 2).lower()})[{_words(block.text)}]"
        case Paragraph():
            return f"#par[{_words(block.text)}]"
        case Bullets():
            points = ", ".join(f"[{_words(point)}]" for point in block.points)
            return f"#{'enum' if block.numbered else 'list'}({points})"
        case Table():
            return _table(block)
        case Listing():
            title = f"[{_words(block.title)}]" if block.title else "none"
            return f"#listing({title}, {_text(block.text.rstrip())}, {_text(block.language)})"
        case Figures():
            return "\n".join(
                f"#measured([{_words(f.what)}], [{_words(f.value)}], {_command(f.command)})" for f in block.figures
            )
        case Missing():
            return f"#missing[{_words(block.text)}]"
    raise TypeError(f"{type(block)} is no block of a page")


def _table(block: Table) -> str:
    widths = ", ".join(f"{column.share}fr" for column in block.columns)
    ends = ", ".join("right" if column.number else "left" for column in block.columns)
    head = ", ".join(f"[{_words(column.title)}]" for column in block.columns)
    rows = ",\n".join(", ".join(f"[{_cell(cell)}]" for cell in row) for row in block.rows)
    shown = f"[{_words(block.title)}], ({widths},), ({ends},), ({head},), {_command(block.command)}"
    return f"#shown-table({shown},\n{rows}\n)"


def _cell(cell: Cell) -> str:
    if isinstance(cell, Code):
        return f"#{_code(' '.join(cell.text.split()))}"
    # A file does not know where the others are read: the text names report, chapter and page.
    return f"#{_text(french.typeset(cell.text))}" if isinstance(cell, Link) else _words(cell)


def _words(text: str) -> str:
    """A text with its inline markup, as content of Typst in which nothing else is markup."""
    return "".join(
        f"#{_code(span.text)}"
        if span.code
        else f"#strong({_plain(span.text)})"
        if span.bold
        else f"#{_plain(span.text)}"
        for span in spans(text)
    )


def _plain(text: str) -> str:
    """A string of Typst in French, in which long names may be broken after their signs."""
    return _text(LONG_NAME.sub(lambda name: SIGN.sub("\\g<0>\u200b", name[0]), french.typeset(text)))


def _code(text: str) -> str:
    return f"code({_text(text)})"


def _command(text: str) -> str:
    """A command, which is copied as it is written: only its blanks break a line."""
    return f"as-written({_text(text)})"


def _text(text: str) -> str:
    """A string of Typst."""
    written = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{written}"'
