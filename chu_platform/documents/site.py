"""The documents: dictionary, quality report and lineage. Each request makes them from described tables and lake."""

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
from chu_platform.description.described_tables import (
    DescribedCatalogue,
    DescribedCheck,
    DescribedColumn,
    DescribedTable,
)
from chu_platform.documents import french_labels
from chu_platform.documents.lineage_diagrams import chain_picture, columns_picture
from chu_platform.documents.table_status import MeasuredCheck, State
from chu_platform.storage.lake import Lake
from chu_platform.tables.column_origins import End, Field
from chu_platform.tables.influence import Influence
from chu_platform.tables.rows import ExternalSource
from chu_platform.tables.table import Layer

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

    column: DescribedColumn
    type: str
    sensitivity: str
    origins: Sequence[OriginShown]
    masks: Sequence[OriginShown]
    conditions: Sequence[OriginShown]
    values: Sequence[str]
    influences: Sequence[str]


@dataclass(frozen=True)
class CheckShown:
    """A check with its last result; `type` is French."""

    check: DescribedCheck
    type: str
    result: MeasuredCheck | None

    @property
    def status(self) -> str:
        """As in `reports/check_result`."""
        return self.result.status if self.result else "not run"

    @property
    def word(self) -> str:
        """The status, in French."""
        return french_labels.STATUSES[self.status]

    @property
    def fails(self) -> bool:
        """Whether the check failed the last time."""
        return self.status == "failed"


class Site:
    """All documents on a lake and its tables. `in_ui`: they are served beside the Dagster UI, and link to it."""

    def __init__(self, lake: Lake, catalogue: DescribedCatalogue, in_ui: bool) -> None:
        self._lake = lake
        self._catalogue = catalogue
        self._in_ui = in_ui

    @cached_property
    def tables(self) -> Mapping[str, DescribedTable]:
        """Every table by the path of its page, in the order of the layers a reader looks for."""
        order = list(french_labels.LAYERS)
        every = sorted(self._catalogue.tables, key=lambda t: (order.index(t.layer), t.name.lower()))
        return {urls.page_of(table): table for table in every}

    def prepare(self) -> None:
        """Compute what the dictionary shows of the declarations, so that its first reader does not wait for it."""
        _ = self._dictionary_columns

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
        return self._document(path, State(self._lake, self._catalogue))

    def write(self, folder: Path) -> int:
        """Write all documents below a folder; their number."""
        paths = self.paths()
        state = State(self._lake, self._catalogue)
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
                return picture(self._catalogue, self.tables[page], lambda t: _relative(path, urls.page_of(t)))
        return None

    def _rendered(self, path: str, template: str | None = None, **context: object) -> str:
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
                **context,
            )
        )

    def _dictionary(self, state: State) -> dict[str, Any]:
        checks = state.checks
        rows = {table: state.rows(table) for table in self.tables.values()}
        layers = {layer: [t for t in rows if t.layer is layer] for layer in french_labels.LAYERS}
        shown = {table: self._checks(table, checks) for table in rows}
        return {"layers": layers, "rows": rows, "columns": self._dictionary_columns, "checks": shown}

    @cached_property
    def _dictionary_columns(self) -> Mapping[DescribedTable, Sequence[ColumnShown]]:
        return {table: list(self._columns(table, urls.DICTIONARY)) for table in self.tables.values()}

    def _quality(self, state: State) -> dict[str, Any]:
        checks = state.checks
        shown = {table: self._checks(table, checks) for table in self.tables.values()}
        every = [check for found in shown.values() for check in found]
        broken = [(t, c) for t, found in shown.items() for c in found if c.fails]
        return {
            "checks": shown,
            "count": len(every),
            "statuses": Counter(check.status for check in every),
            "broken": sorted(broken, key=lambda one: not one[1].check.blocking),
            "evaluated_at": max((c.evaluated_at for c in checks.values() if c.evaluated_at), default=None),
            "deliveries": list(self._deliveries(state)),
        }

    def _deliveries(self, state: State) -> Iterator[tuple[str, DescribedTable, Mapping[str, Any]]]:
        """The page of each source, the source, and how it was read."""
        for path, table in self.tables.items():
            if table.layer is Layer.SOURCES and table.name in state.sources:
                yield path, table, state.sources[table.name]

    def _table(self, path: str, state: State) -> dict[str, Any]:
        table = self.tables[path]

        def link(other: DescribedTable) -> str:
            return _relative(path, urls.page_of(other))

        rows = [
            self._origin(origin, kind, path) for origin, kinds in table.lineage.rows.items() for kind in sorted(kinds)
        ]
        return {
            "table": table,
            "rows": state.rows(table),
            "columns": list(self._columns(table, path)),
            "deciding": rows,
            "checks": self._checks(table, state.checks),
            "feeds": [t for t in self.tables.values() if table.identifier in t.reads.values()],
            "columns_picture": columns_picture(self._catalogue, table, link),
            "chain_picture": chain_picture(self._catalogue, table, link),
            "columns_file": urls.column_lineage_diagram_of(table),
            "chain_file": urls.upstream_diagram_of(table),
        }

    def _columns(self, table: DescribedTable, path: str) -> Iterator[ColumnShown]:
        lineage, way_back = table.lineage, self._catalogue.way_back
        for column in table.columns:
            shown = [self._origin(origin, kind, path) for origin, kind in lineage.columns[column.name].items()]
            field = Field(table.identifier, column.name)
            yield ColumnShown(
                column,
                french_labels.type_word(column.type),
                french_labels.sensitivity(table.zone, column),
                [o for o in shown if o.kind.direct],
                [o for o in shown if o.kind is Influence.MASK],
                [o for o in shown if o.kind is Influence.CONDITION],
                _ends(way_back.values_of(field)),
                _ends(way_back.influences_of(field)),
            )

    @staticmethod
    def _checks(table: DescribedTable, results: Mapping[tuple[str, str, str], MeasuredCheck]) -> Sequence[CheckShown]:
        return [
            CheckShown(c, french_labels.CHECK_TYPES[c.type], results.get((table.layer.value, table.name, c.name)))
            for c in table.checks
        ]

    def _origin(self, origin: Field[str] | ExternalSource, kind: Influence, path: str) -> OriginShown:
        if isinstance(origin, ExternalSource):
            text = f"{origin.name} : {origin.column}" if origin.column else origin.name
            return OriginShown(text, None, kind)
        href = _relative(path, urls.page_of(self._catalogue.table(origin.table))) + f"#colonne-{origin.column}"
        return OriginShown(f"{origin.table}.{origin.column}", href, kind)


def _ends(ends: frozenset[End[str]]) -> Sequence[str]:
    """Where lineages end, as a reader knows it: the delivery and the column in it."""
    return sorted({f"{e.source.name} : {e.source.column}" if e.source.column else e.source.name for e in ends})


@cache
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
