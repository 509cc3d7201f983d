"""A document as one HTML file that contains all it needs: French, accessible, printable on A4."""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from chu_platform import french
from chu_platform.committee.document import (
    FONT,
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
from chu_platform.committee.fonts_of_reports import font_faces

STYLE: Final = Path(__file__).parent / "data" / "report.css"
SUFFIX: Final = ".html"


def as_html(document: Document) -> str:
    """The file."""
    contents = "".join(
        f'<li><a href="#{chapter.slug}">{_words(chapter.heading)}</a><ul>'
        + "".join(
            f'<li><a href="#{anchor}">{_words(block.text)}</a></li>'
            for anchor, block in chapter.numbered
            if isinstance(block, Heading) and block.level == 2
        )
        + "</ul></li>"
        for chapter in document.chapters
    )
    chapters = "\n".join(
        f'<section><h2 id="{chapter.slug}">{_words(chapter.heading)}</h2>\n'
        + "\n".join(_group(blocks, wide) for wide, blocks in chapter.pages)
        + "\n</section>"
        for chapter in document.chapters
    )
    style = font_faces(FONT) + STYLE.read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_plain(document.title)}</title>
<style>
{style}</style>
</head>
<body>
<header><h1>{_plain(document.title)}</h1>
<p class="subtitle">{_words(document.subtitle)}</p>
<p class="stated">{_words(document.stated)}</p></header>
<nav aria-label="Sommaire"><h2>Sommaire</h2><ul>{contents}</ul></nav>
<main>
{chapters}
</main>
</body>
</html>
"""


def _group(blocks: Sequence[tuple[str, Block]], wide: bool) -> str:
    """Blocks; together on a page in landscape, when printed, if they are wide."""
    made = "\n".join(_BLOCKS[type(block)](block, anchor) for anchor, block in blocks)
    return f'<div class="wide">{made}</div>' if wide else made


def _plain(text: str) -> str:
    return escape(french.typeset(text))


def _words(text: str) -> str:
    """A text with its inline markup."""
    return "".join(
        f"<code>{_breakable(span.text)}</code>"
        if span.code
        else f"<strong>{_plain(span.text)}</strong>"
        if span.bold
        else _plain(span.text)
        for span in spans(text)
    )


def _breakable(code: str) -> str:
    """Code that may be broken after its signs."""
    text = escape(code)
    for sign in ("_", "/", ".", ",", "("):
        text = text.replace(sign, f"{sign}<wbr>")
    return text


def _cell(cell: Cell) -> str:
    if isinstance(cell, Code):
        return f"<code>{_breakable(cell.text)}</code>"
    if isinstance(cell, Link):
        return f'<a href="{escape(cell.report)}{SUFFIX}#{escape(cell.chapter)}">{_plain(cell.text)}</a>'
    return _words(cell)


def _scrolled(name: str) -> str:
    """Attributes of what may be wider than a small screen, so that a keyboard can scroll it."""
    return f'tabindex="0" role="group" aria-label="{"".join(_plain(span.text) for span in spans(name))}"'


def _command(command: str) -> str:
    return f'<p class="command">Commande : <code>{_breakable(command)}</code></p>'


def _heading(block: Heading, anchor: str) -> str:
    return f'<h{block.level + 1} id="{anchor}">{_words(block.text)}</h{block.level + 1}>'


def _paragraph(block: Paragraph, _anchor: str) -> str:
    return f"<p>{_words(block.text)}</p>"


def _bullets(block: Bullets, _anchor: str) -> str:
    tag = "ol" if block.numbered else "ul"
    return f"<{tag}>{''.join(f'<li>{_words(point)}</li>' for point in block.points)}</{tag}>"


def _table(block: Table, _anchor: str) -> str:
    total = sum(column.share for column in block.columns)
    numbers = ["number" if column.number else "" for column in block.columns]
    widths = "".join(f'<col style="width:{100 * column.share / total:.1f}%">' for column in block.columns)
    head = "".join(
        f'<th scope="col" class="{kind}">{_words(column.title)}</th>'
        for column, kind in zip(block.columns, numbers, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(f'<td class="{kind}">{_cell(cell)}</td>' for cell, kind in zip(row, numbers, strict=True))
        + "</tr>\n"
        for row in block.rows
    )
    return (
        f'<div class="shown" {_scrolled(block.title)}><table><caption>{_words(block.title)}</caption>'
        f"<colgroup>{widths}</colgroup>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>{_command(block.command)}</div>"
    )


def _picture(block: Picture, _anchor: str) -> str:
    return (
        f'<figure class="shown" {_scrolled(block.caption)}>{block.svg}<figcaption>{_words(block.caption)}</figcaption>'
        f"{_command(block.command)}</figure>"
    )


def _listing(block: Listing, _anchor: str) -> str:
    title = f'<p class="listing">{_words(block.title)}</p>' if block.title else ""
    return f'{title}<pre tabindex="0"><code>{escape(block.text)}</code></pre>'


def _figures(block: Figures, _anchor: str) -> str:
    shown = "".join(
        f"<div><dt>{_words(figure.what)}</dt><dd><strong>{_plain(figure.value)}</strong>"
        f"{_command(figure.command)}</dd></div>"
        for figure in block.figures
    )
    return f'<dl class="figures">{shown}</dl>'


def _missing(block: Missing, _anchor: str) -> str:
    return f'<p class="missing"><strong>Manque : </strong>{_words(block.text)}</p>'


_BLOCKS: Final[dict[type[Block], Callable[..., str]]] = {
    Heading: _heading,
    Paragraph: _paragraph,
    Bullets: _bullets,
    Table: _table,
    Picture: _picture,
    Listing: _listing,
    Figures: _figures,
    Missing: _missing,
}
