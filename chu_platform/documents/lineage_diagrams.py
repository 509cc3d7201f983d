"""Lineage as SVG: the columns of a table with what they are made from, and the chain of tables back to the deliveries.

Colours and sizes are attributes, so that a picture is the same in a page and as a file of its own, without a style.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from chu_platform.description.described_tables import DescribedCatalogue, DescribedTable
from chu_platform.documents.french_labels import KINDS, LAYERS
from chu_platform.tables.column_origins import Field
from chu_platform.tables.influence import Influence
from chu_platform.tables.rows import ExternalSource
from chu_platform.tables.table import Layer

ROW: Final = 20
HEAD: Final = 40
GAP: Final = 18
BOX: Final = 300
BETWEEN: Final = 220
NODE: Final = 210
NODE_HEIGHT: Final = 40
STEP: Final = 50
MARGIN: Final = 12
FONT: Final = "system-ui, 'DejaVu Sans', sans-serif"
INK: Final = "#1b1b1b"
FAINT: Final = "#595959"
# A dark border and a pale fill of one hue for each group of layers.
HUES: Final[Mapping[str, tuple[str, str]]] = {
    "outside": ("#5f5f5f", "#f3f3f3"),
    Layer.SOURCES: ("#5f5f5f", "#f3f3f3"),
    Layer.REJECTS: ("#5f5f5f", "#f3f3f3"),
    Layer.HISTORY: ("#5f5f5f", "#f3f3f3"),
    Layer.PSEUDONYMS: ("#8a3b12", "#fbefe8"),
    Layer.REFERENCES: ("#3f5f2a", "#eff5ea"),
    Layer.DIMENSIONS: ("#3f5f2a", "#eff5ea"),
    Layer.FACTS: ("#1f4e79", "#eaf2fa"),
    Layer.KPIS: ("#1f4e79", "#eaf2fa"),
    Layer.CANDIDATES: ("#1f4e79", "#eaf2fa"),
    Layer.DISCLOSURE: ("#7a1f4e", "#faeaf2"),
    Layer.EDITIONS: ("#7a1f4e", "#faeaf2"),
    Layer.PUBLISHED: ("#1f4e79", "#dceaf7"),
    Layer.REPORTS: ("#1f4e79", "#eaf2fa"),
}
VALUE: Final = 'stroke="#1f4e79" stroke-width="1.3"'
MASK: Final = 'stroke="#7a1f4e" stroke-width="1.3" stroke-dasharray="6 3"'
CONDITION: Final = 'stroke="#8a5a00" stroke-width="1.1" stroke-dasharray="2 3"'
ROWS: Final = 'stroke="#8c8c8c" stroke-width="1" stroke-dasharray="1 4"'
EVERY_ROW_LABEL: Final = "choix des lignes"

# The address of a table's page, seen from the picture.
Link = Callable[[DescribedTable], str]
# A table, or the name of an external source.
Node = DescribedTable | str
ColumnOrigin = Field[str] | ExternalSource


@dataclass
class _Box:
    """A table, or a place outside the lake, with some columns; `ys` are the middles of their lines."""

    title: str
    subtitle: str
    hue: tuple[str, str]
    columns: list[str]
    href: str | None = None
    x: int = 0
    y: int = 0
    ys: dict[str, int] = field(default_factory=dict)

    @property
    def height(self) -> int:
        return HEAD + ROW * len(self.columns) + 6

    def place(self, x: int, y: int) -> None:
        self.x, self.y = x, y
        self.ys = {name: y + HEAD + ROW * i + ROW // 2 for i, name in enumerate(self.columns)}

    def drawn(self) -> str:
        border, fill = self.hue
        head = (
            f'<text x="{self.x + 10}" y="{self.y + 17}" {_title(self.href)}>{_cut(self.title, 40)}</text>'
            f'<text x="{self.x + 10}" y="{self.y + 32}" font-size="11" fill="{FAINT}">{_cut(self.subtitle, 44)}</text>'
        )
        lines = "".join(
            f'<text x="{self.x + 10}" y="{y + 4}" fill="{INK}">{_cut(name, 42)}</text>' for name, y in self.ys.items()
        )
        frame = (
            f'<rect x="{self.x}" y="{self.y}" width="{BOX}" height="{self.height}" rx="4" fill="{fill}" '
            f'stroke="{border}"/>'
        )
        return _linked(frame + head + lines, self.href)


def columns_picture(catalogue: DescribedCatalogue, table: DescribedTable, link: Link) -> str:
    """The columns of a table at the right, what each is made from at the left."""
    lineage = table.lineage
    used: dict[Node, dict[str, None]] = defaultdict(dict)
    for origin in lineage.origins:
        if (node := _node_of(catalogue, origin)) is not table:
            used[node][_name(origin)] = None
    left = {node: _origin_box(node, list(names), link) for node, names in used.items()}
    y = MARGIN
    for box in left.values():
        box.place(MARGIN, y)
        y += box.height + GAP
    columns = [*([EVERY_ROW_LABEL] if lineage.rows else []), *(c.name for c in table.columns)]
    subtitle = f"{LAYERS[table.layer]} · {table.label}"
    target = _Box(table.name, subtitle, HUES[table.layer], columns)
    height = max(y - GAP, target.height + MARGIN) + MARGIN
    target.place(MARGIN + BOX + BETWEEN, max(MARGIN, min((height - target.height) // 2, 80)))
    lines = []
    for origin, kinds in lineage.rows.items():
        lines.append(
            _column_line(left.get(_node_of(catalogue, origin)), target, origin, EVERY_ROW_LABEL, ROWS, sorted(kinds))
        )
    for name, found in lineage.columns.items():
        for origin, kind in found.items():
            lines.append(
                _column_line(left.get(_node_of(catalogue, origin)), target, origin, name, _stroke(kind), [kind])
            )
    boxes = "".join(box.drawn() for box in left.values()) + target.drawn()
    title = f"D’où viennent les colonnes de {table.layer}/{table.name}"
    return _svg(target.x + BOX + MARGIN + 40, height, title, "".join(sorted(lines, key=_behind)) + boxes)


def _behind(line: str) -> bool:
    """Values are drawn over the rest."""
    return VALUE in line


def _column_line(
    box: _Box | None,
    target: _Box,
    origin: ColumnOrigin,
    column: str,
    stroke: str,
    kinds: Sequence[Influence],
) -> str:
    y2 = target.ys[column]
    tooltip = f"<title>{escape(_name(origin))} → {escape(column)} ({', '.join(KINDS[kind] for kind in kinds)})</title>"
    if box is None:  # derived from another column of the same table: an arc at its right
        x, y1 = target.x + BOX, target.ys[_name(origin)]
        return f'<path d="M{x} {y1} C{x + 36} {y1} {x + 36} {y2} {x} {y2}" fill="none" {stroke}>{tooltip}</path>'
    x1, x2, y1 = box.x + BOX, target.x, box.ys[_name(origin)]
    middle = (x1 + x2) // 2
    return f'<path d="M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}" fill="none" {stroke}>{tooltip}</path>'


def _stroke(kind: Influence) -> str:
    return VALUE if kind.direct else MASK if kind is Influence.MASK else CONDITION


def _origin_box(node: Node, columns: list[str], link: Link) -> _Box:
    if isinstance(node, DescribedTable):
        subtitle = f"{LAYERS[node.layer]} · {node.label}"
        return _Box(node.name, subtitle, HUES[node.layer], columns, link(node))
    return _Box(node, "hors du lac", HUES["outside"], columns)


def _node_of(catalogue: DescribedCatalogue, origin: ColumnOrigin) -> Node:
    return catalogue.table(origin.table) if isinstance(origin, Field) else origin.name


def _name(origin: ColumnOrigin) -> str:
    return origin.column or "–"


def chain_picture(catalogue: DescribedCatalogue, table: DescribedTable, link: Link) -> str:
    """All tables on the way from the deliveries to a table, deliveries at the left."""
    parents = _ancestry(catalogue, table)
    depth = _depths(parents)
    levels: list[list[Node]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in parents:
        levels[depth[node]].append(node)
    height = max(2, *(len(level) for level in levels)) * (NODE_HEIGHT + 12) + 2 * MARGIN
    at: dict[Node, tuple[int, int]] = {}
    for i, level in enumerate(levels):
        # Each beside what it comes from: the mean height of its parents decides.
        level.sort(key=lambda n: sum(at[p][1] for p in parents[n]) / len(parents[n]) if parents[n] else 0)
        step = (height - 2 * MARGIN) / len(level)
        for j, node in enumerate(level):
            at[node] = (MARGIN + i * (NODE + STEP), int(MARGIN + step * (j + 0.5) - NODE_HEIGHT / 2))
    lines = "".join(
        _node_line(at[parent], at[node], _is_mask(parent) and node is table)
        for node, found in parents.items()
        for parent in found
    )
    nodes = "".join(_node(node, *place, link, node is table) for node, place in at.items())
    title = f"De la livraison à {table.layer}/{table.name}"
    return _svg(MARGIN * 2 + len(levels) * (NODE + STEP) - STEP, height, title, lines + nodes)


def _is_mask(node: Node) -> bool:
    """Whether a node is a mask, or the decisions of the editions on it."""
    masks = {Layer.DISCLOSURE: "mask", Layer.EDITIONS: "mask_release"}
    return isinstance(node, DescribedTable) and node.name.endswith(masks.get(node.layer, "\n"))


def _ancestry(catalogue: DescribedCatalogue, table: DescribedTable) -> dict[Node, list[Node]]:
    """The table and all it is made from, directly or not, each with what it is made from itself."""
    found: dict[Node, list[Node]] = {}
    waiting: list[Node] = [table]
    while waiting:
        node = waiting.pop(0)
        if node in found:
            continue
        origins = node.lineage.origins if isinstance(node, DescribedTable) else ()
        nodes = (_node_of(catalogue, o) for o in origins)
        found[node] = [n for n in dict.fromkeys(nodes) if n is not node]
        waiting += found[node]
    return found


def _depths(parents: Mapping[Node, Sequence[Node]]) -> dict[Node, int]:
    """Length of the longest way to each from a delivery."""
    depth: dict[Node, int] = {}

    def of(node: Node) -> int:
        if node not in depth:
            depth[node] = max((of(p) + 1 for p in parents[node]), default=0)
        return depth[node]

    for node in parents:
        of(node)
    return depth


def _node(node: Node, x: int, y: int, link: Link, strong: bool) -> str:
    if isinstance(node, DescribedTable):
        title, subtitle, hue, href = node.name, LAYERS[node.layer], HUES[node.layer], None if strong else link(node)
    else:
        title, subtitle, hue, href = node, "hors du lac", HUES["outside"], None
    border, fill = hue
    drawn = (
        f'<rect x="{x}" y="{y}" width="{NODE}" height="{NODE_HEIGHT}" rx="4" fill="{fill}" stroke="{border}" '
        f'stroke-width="{2.5 if strong else 1}"/>'
        f'<text x="{x + 8}" y="{y + 17}" {_title(href)}>{_cut(title, 26)}</text>'
        f'<text x="{x + 8}" y="{y + 32}" font-size="11" fill="{FAINT}">{_cut(subtitle, 32)}</text>'
    )
    return _linked(drawn, href)


def _node_line(start: tuple[int, int], end: tuple[int, int], masks: bool) -> str:
    x1, y1, x2, y2 = start[0] + NODE, start[1] + NODE_HEIGHT // 2, end[0], end[1] + NODE_HEIGHT // 2
    # Past a level, the line goes over what stands in between.
    over = 0 if x2 - x1 <= STEP else NODE_HEIGHT * 3 // 2
    bend = STEP // 2 if not over else (x2 - x1) // 3
    stroke = MASK if masks else 'stroke="#8c8c8c" stroke-width="1"'
    return f'<path d="M{x1} {y1} C{x1 + bend} {y1 - over} {x2 - bend} {y2 - over} {x2} {y2}" fill="none" {stroke}/>'


def _title(href: str | None) -> str:
    return f'font-weight="600" fill="{INK}"' + (' text-decoration="underline"' if href else "")


def _linked(drawn: str, href: str | None) -> str:
    return f'<a href="{escape(href)}">{drawn}</a>' if href else drawn


def _cut(text: str, longest: int) -> str:
    return escape(text if len(text) <= longest else text[: longest - 1] + "…")


def _svg(width: int, height: int, title: str, content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="group" aria-label="{escape(title)}" font-family="{FONT}" font-size="12"><title>{escape(title)}</title>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{content}</svg>'
    )
