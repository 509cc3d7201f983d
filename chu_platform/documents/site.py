"""The documents: from a path to what is there, made anew each time from the declarations and the state of the lake.

Here: which documents there are, and what each is told. Not here: their words (templates), serving them (webserver).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from posixpath import dirname, relpath
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from chu_platform import urls
from chu_platform.catalogue import catalogue
from chu_platform.documents import french_labels
from chu_platform.documents.lineage_diagrams import chain_picture, columns_picture
from chu_platform.documents.table_status import MeasuredCheck, State
from chu_platform.lineage.influence import Influence
from chu_platform.lineage.sources import Ends, influences_of, values_of
from chu_platform.lineage.tables import ColumnOrigin, Field, lineage_of
from chu_platform.storage.lake import Lake
from chu_platform.tables.checks import Check
from chu_platform.tables.columns import Column
from chu_platform.tables.rows import ExternalSource
from chu_platform.tables.table import Layer, Table

MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".svg": "image/svg+xml",
    ".css": "text/css; charset=utf-8",
}


@dataclass(frozen=True)
class Document:
    """A document as it is sent or written."""

    text: str
    media_type: str


@dataclass(frozen=True)
class OriginShown:
    """What a column is made from, as a reader sees it."""

    text: str
    href: str | None
    kind: Influence

    @property
    def word(self) -> str:
        """The kind, in French."""
        return french_labels.KINDS[self.kind]


@dataclass(frozen=True)
class ColumnShown:
    """A line of a table's page."""

    column: Column
    type: str
    sensitivity: str
    origins: Sequence[OriginShown]
    masks: Sequence[OriginShown]
    conditions: Sequence[OriginShown]
    values: Sequence[str]
    influences: Sequence[str]


@dataclass(frozen=True)
class RuleShown:
    """A rule with its last result."""

    rule: Check
    kind: str
    check: MeasuredCheck | None

    @property
    def status(self) -> str:
        """As in `reports/check_result`."""
        return self.check.status if self.check else "not run"

    @property
    def word(self) -> str:
        """The status, in French."""
        return french_labels.STATUSES[self.status]

    @property
    def breaks(self) -> bool:
        """Whether the rule was broken the last time."""
        return self.status == "failed"


class Site:
    """All documents on a lake. `in_ui` says that they are served beside the Dagster UI, to which they link then."""

    def __init__(self, lake: Lake, in_ui: bool) -> None:
        self._lake = lake
        self._in_ui = in_ui

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """Every table by the path of its page, in the order of the layers a reader looks for."""
        every = [made for table in catalogue() for made in table.outputs]
        order = list(french_labels.LAYERS)
        every.sort(key=lambda t: (order.index(t.layer), t.name.lower()))
        return {urls.page_of(table): table for table in every}

    def paths(self) -> Sequence[str]:
        """The paths of all documents."""
        whole = (urls.DICTIONARY, urls.QUALITY, urls.DICTIONARY_TEXT, urls.QUALITY_TEXT, urls.STYLE)
        of_tables = (
            path
            for table in self.tables.values()
            for path in (urls.page_of(table), urls.column_lineage_diagram_of(table), urls.upstream_diagram_of(table))
        )
        return [*whole, *of_tables]

    def document(self, path: str) -> Document | None:
        """The document at a path; None where there is none."""
        return self._document(path, State(self._lake))

    def write(self, folder: Path) -> int:
        """Write all documents below a folder; their number."""
        paths = self.paths()
        state = State(self._lake)
        for path in paths:
            document = self._document(path, state)
            assert document
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(document.text, encoding="utf-8")
        return len(paths)

    def _document(self, path: str, state: State) -> Document | None:
        text = self._text(path, state)
        return None if text is None else Document(text, MEDIA_TYPES[Path(path).suffix])

    def _text(self, path: str, state: State) -> str | None:
        if path == urls.STYLE:
            return files("chu_platform.documents").joinpath("templates", urls.STYLE).read_text(encoding="utf-8")
        if path in (urls.DICTIONARY, urls.DICTIONARY_TEXT):
            return self._rendered(path, **self._dictionary(state))
        if path in (urls.QUALITY, urls.QUALITY_TEXT):
            return self._rendered(path, **self._quality(state))
        if path in self.tables:
            return self._rendered(path, "table.html", **self._table(path, state))
        for suffix, picture in (("-chaine.svg", chain_picture), (".svg", columns_picture)):
            page = path.removesuffix(suffix) + ".html"
            if path.endswith(suffix) and page in self.tables:
                return picture(self.tables[page], lambda t: _relative(path, urls.page_of(t)))
        return None

    def _rendered(self, path: str, template: str | None = None, **said: object) -> str:
        return (
            _environment()
            .get_template(template or path)
            .render(
                root=_relative(path, ""),
                link=lambda target: _relative(path, target),
                page_of=urls.page_of,
                places=urls,
                words=french_labels,
                in_ui=self._in_ui,
                **said,
            )
        )

    def _dictionary(self, state: State) -> dict[str, Any]:
        checks = state.checks
        rows = {table: state.rows(table) for table in self.tables.values()}
        layers = {layer: [t for t in rows if t.layer is layer] for layer in french_labels.LAYERS}
        columns = {table: list(self._columns(table, urls.DICTIONARY)) for table in rows}
        rules = {table: self._rules(table, checks) for table in rows}
        return {"layers": layers, "rows": rows, "columns": columns, "rules": rules}

    def _quality(self, state: State) -> dict[str, Any]:
        checks = state.checks
        rules = {table: self._rules(table, checks) for table in self.tables.values()}
        every = [rule for found in rules.values() for rule in found]
        broken = [(t, r) for t, found in rules.items() for r in found if r.breaks]
        return {
            "rules": rules,
            "count": len(every),
            "statuses": Counter(rule.status for rule in every),
            "broken": sorted(broken, key=lambda one: not one[1].rule.blocking),
            "evaluated_at": max((c.evaluated_at for c in checks.values() if c.evaluated_at), default=None),
            "deliveries": list(self._deliveries(state)),
        }

    def _deliveries(self, state: State) -> Iterator[tuple[str, Table, Mapping[str, Any]]]:
        """The page of each source, the source, and how it was read."""
        for path, table in self.tables.items():
            if table.layer is Layer.SOURCES and table.name in state.sources:
                yield path, table, state.sources[table.name]

    def _table(self, path: str, state: State) -> dict[str, Any]:
        table = self.tables[path]

        def link(other: Table) -> str:
            return _relative(path, urls.page_of(other))

        rows = [
            _origin(origin, kind, path) for origin, kinds in lineage_of(table).rows.items() for kind in sorted(kinds)
        ]
        return {
            "table": table,
            "rows": state.rows(table),
            "columns": list(self._columns(table, path)),
            "deciding": rows,
            "rules": self._rules(table, state.checks),
            "feeds": [t for t in self.tables.values() if any(read is table for read in t.reads.values())],
            "columns_picture": columns_picture(table, link),
            "chain_picture": chain_picture(table, link),
            "columns_file": urls.column_lineage_diagram_of(table),
            "chain_file": urls.upstream_diagram_of(table),
        }

    @staticmethod
    def _columns(table: Table, path: str) -> Iterator[ColumnShown]:
        lineage = lineage_of(table)
        for column in table.columns:
            shown = [_origin(origin, kind, path) for origin, kind in lineage.columns[column.name].items()]
            field = Field(table, column.name)
            yield ColumnShown(
                column,
                french_labels.type_word(column.type),
                french_labels.sensitivity(table.zone, column.identifying),
                [o for o in shown if o.kind.direct],
                [o for o in shown if o.kind is Influence.MASK],
                [o for o in shown if o.kind is Influence.CONDITION],
                _ends(values_of(field)),
                _ends(influences_of(field)),
            )

    @staticmethod
    def _rules(table: Table, checks: Mapping[tuple[str, str, str], MeasuredCheck]) -> Sequence[RuleShown]:
        return [
            RuleShown(rule, french_labels.RULES[rule.kind], checks.get((table.layer.value, table.name, rule.name)))
            for rule in table.all_checks
        ]


def _origin(origin: ColumnOrigin, kind: Influence, path: str) -> OriginShown:
    if isinstance(origin, ExternalSource):
        text = f"{origin.name} : {origin.column}" if origin.column else origin.name
        return OriginShown(text, None, kind)
    href = _relative(path, urls.page_of(origin.table)) + f"#colonne-{origin.column}"
    return OriginShown(f"{origin.table.layer}/{origin.table.name}.{origin.column}", href, kind)


def _ends(ends: Ends) -> Sequence[str]:
    """Where lineages end, as a reader knows it: the delivery and the column in it."""
    return sorted({f"{e.outside.name} : {e.outside.column}" if e.outside.column else e.outside.name for e in ends})


def _relative(path: str, target: str) -> str:
    """A link from one document to another, the same in a folder of files and on a server."""
    return relpath(target or ".", dirname(path) or ".") + ("" if target else "/")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("chu_platform.documents"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = french_labels.number
    environment.filters["percent"] = french_labels.percent
    environment.filters["moment"] = french_labels.moment
    return environment
