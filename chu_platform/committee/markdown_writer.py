"""A document as Markdown, with its pictures as SVG files in a folder beside it."""

from collections.abc import Iterator, Mapping
from typing import Final

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

SUFFIX: Final = ".md"


def as_markdown(document: Document) -> tuple[str, Mapping[str, str]]:
    """The text, and the SVG of each picture by its path beside it."""
    pictures: dict[str, str] = {}
    lines = [f"# {_words(document.title)}", _words(document.subtitle), _words(document.stated), "## Sommaire"]
    lines.append("\n".join(f"- [{_words(c.heading)}](#{c.slug})" for c in document.chapters))
    for chapter in document.chapters:
        lines.append(f'<a id="{chapter.slug}"></a>\n\n## {_words(chapter.heading)}')
        for _, block in chapter.numbered:
            if isinstance(block, Picture):
                name = f"{document.name}-images/{chapter.slug}-{len(pictures) + 1}.svg"
                pictures[name] = block.svg
                alternative = _words(block.text or block.caption).replace("[", "(").replace("]", ")")
                lines += [f"![{alternative}]({name})", f"**{_words(block.caption)}**", _command(block.command)]
            else:
                lines += _lines(block)
    return "\n\n".join(lines) + "\n", pictures


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"{'#' * (block.level + 1)} {_words(block.text)}"
        case Paragraph():
            yield _words(block.text)
        case Bullets():
            yield "\n".join(
                f"{f'{n}.' if block.numbered else '-'} {_words(point)}" for n, point in enumerate(block.points, 1)
            )
        case Table():
            yield f"**{_words(block.title)}**"
            head = [_words(column.title) for column in block.columns]
            ends = ["---:" if column.number else "---" for column in block.columns]
            rows = [[_cell(cell) for cell in row] for row in block.rows]
            yield "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ends, *rows))
            yield _command(block.command)
        case Listing():
            if block.title:
                yield _words(block.title)
            yield f"```{block.language}\n{block.text.rstrip()}\n```"
        case Figures():
            yield "\n".join(
                f"- {_words(f.what)} : **{_words(f.value)}** ({_command(f.command)})" for f in block.figures
            )
        case Missing():
            yield f"> **Manque :** {_words(block.text)}"


def _words(text: str) -> str:
    """A text with its inline markup; what Markdown would read as its own is escaped."""
    return "".join(
        f"`{span.text}`" if span.code else f"**{_escaped(span.text)}**" if span.bold else _escaped(span.text)
        for span in spans(text)
    )


def _escaped(text: str) -> str:
    for sign in ("\\", "*", "_", "<", "|", "["):
        text = text.replace(sign, f"\\{sign}")
    return french.typeset(" ".join(text.split(" ")).replace("\n", " "))


def _cell(cell: Cell) -> str:
    if isinstance(cell, Code):
        return _code(" ".join(cell.text.split()).replace("|", "\\|"))
    if isinstance(cell, Link):
        return f"[{_escaped(cell.text)}]({cell.report}{SUFFIX}#{cell.chapter})"
    return _words(cell)


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _command(command: str) -> str:
    return f"Commande : {_code(command)}"
