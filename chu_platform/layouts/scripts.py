"""The scripts of the physical model, as Spark SQL from the declarations: all that a fresh Spark with Delta needs.

Each table of a layer L is `chu_L.name`. The scripts read the lake at the place `${chu.lac}`, a setting of the session.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chu_platform.catalogue import catalogue
from chu_platform.layouts.ddl import create_table, insert_rows, optimize, replace_rows, spark_literal
from chu_platform.layouts.declarations import LARGE_TABLES, LAYOUTS, ComparedLayout, Kind, TableLayout
from chu_platform.layouts.queries import QUERIES, EvidenceQuery
from chu_platform.storage.delta_properties import STATISTICS, statistics_columns, table_properties
from chu_platform.tables.columns import BOOLEAN, DOUBLE, INTEGER, LONG
from chu_platform.tables.rows import Computed, DeliveredRows, Query, RowsVisitor
from chu_platform.tables.table import Table, Zone

LAKE: Final = "${chu.lac}"
LAYOUT_SCHEMA: Final = "chu_dispositions"
# Two sums of floating-point numbers that differ in the order of their terms are this near, as a part of their size.
TOLERANCE: Final = "1e-9"


@dataclass(frozen=True)
class Script:
    """A file of SQL statements. `purpose` is French."""

    name: str
    purpose: str
    statements: Sequence[str]

    @property
    def text(self) -> str:
        """The text of the file. A statement ends with a semicolon at the end of a line."""
        return "".join([f"-- {self.purpose}\n", *(f"\n{statement};\n" for statement in self.statements)])


def scripts() -> Sequence[Script]:
    """The scripts, in the order in which they run."""
    tables = [made for table in catalogue() for made in table.outputs]
    return [
        Script("01_creation.sql", "Création des tables de toutes les couches, avec Delta", list(_creation(tables))),
        Script(
            "02_chargement.sql",
            "Chargement : les requêtes déclarées, et les tables du lac que Python ou une livraison remplit",
            [replace_rows(warehouse_name(t), t, _rows(t)) for t in tables],
        ),
        Script("03_peuplement.sql", "Peuplement : lignes de chaque table, et lectures d’exemples", _population(tables)),
        Script(
            "04_verification.sql",
            "Vérification : nombres, clés, sommes et empreintes de chaque table ; échoue si une table est fausse",
            [_verification(t) for t in tables],
        ),
        Script(
            "05_partitionnement_et_compartiments.sql",
            "Partitions, ordre Z, regroupement et compartiments (buckets) des grandes tables",
            [
                f"CREATE SCHEMA IF NOT EXISTS {LAYOUT_SCHEMA}",
                *(s for layout in LAYOUTS if layout.kind is not Kind.IN_PLACE for s in _layout(layout)),
            ],
        ),
        Script("06_requetes.sql", "Requêtes faisant foi, et le plan de la jointure", list(_queries())),
    ]


def warehouse_name(table: Table) -> str:
    """Name of the table in Spark."""
    return f"chu_{table.layer}.`{table.name}`"


def layout_name(layout: ComparedLayout, table: Table) -> str:
    """Name in Spark of the copy of a table in a layout."""
    return f"{LAYOUT_SCHEMA}.`{table.name}_{layout.name}`"


def _lake_rows(table: Table) -> str:
    return f"delta.`{LAKE}/{table.folder}`"


def _creation(tables: Sequence[Table]) -> Iterator[str]:
    for layer in dict.fromkeys(table.layer for table in tables):
        yield f"CREATE SCHEMA IF NOT EXISTS chu_{layer}"
    for table in tables:
        properties = table_properties(table, table.maintenance)
        # Spark reads them as identifiers, and names of columns may be numbers. It refuses those of truth values.
        types = {c.name: c.type for c in table.columns}
        columns = [f"`{name}`" for name in statistics_columns(table) if types[name] != BOOLEAN]
        properties |= {STATISTICS: ",".join(columns)}
        if not columns:
            del properties[STATISTICS]
        yield create_table(
            warehouse_name(table), table, TableLayout(table.partition_by), Kind.DELTA, properties=properties
        )


class _DeclaredSql(RowsVisitor[str | None]):
    """The declared SQL of a table, if SQL alone makes its rows."""

    def visit_query(self, rows: Query) -> str | None:
        """See `RowsVisitor`."""
        return None if rows.finish else rows.sql

    def visit_computed(self, _rows: Computed) -> str | None:
        """See `RowsVisitor`."""
        return None

    def visit_delivered(self, _rows: DeliveredRows) -> str | None:
        """See `RowsVisitor`."""
        return None


def _rows(table: Table) -> str:
    """A relation with the rows of a table: its declared SQL over the other tables, or the table of the lake."""
    sql = table.rows.accept(_DeclaredSql())
    if sql is None:
        return _lake_rows(table)
    return f"({sql.format_map({name: warehouse_name(read) for name, read in table.reads.items()})})"


def _population(tables: Sequence[Table]) -> Sequence[str]:
    # Rows of the restricted zone name persons: they are counted, and not shown.
    shown = [table for table in tables if table.zone is not Zone.RESTRICTED]
    return [
        # One statement a table: Spark needs many minutes to analyse a union of two hundred.
        *(
            f"SELECT '{table.layer}' AS couche, '{table.name}' AS nom, count(*) AS lignes FROM {warehouse_name(table)}"
            for table in tables
        ),
        *(f"DESCRIBE DETAIL {warehouse_name(table)}" for table in LARGE_TABLES),
        *(f"SELECT * FROM {warehouse_name(table)} LIMIT 3" for table in shown),
    ]


def _verification(table: Table) -> str:
    """A statement that fails if the table has not the rows of the lake, or two rows with the same key."""
    numbers = [c.name for c in table.columns if c.type in (INTEGER, LONG)]
    fractions = [c.name for c in table.columns if c.type == DOUBLE]
    hashed = ", ".join(f"`{c.name}`" for c in table.columns if c.type != DOUBLE)
    exact = {
        "nombre de lignes": "count(*)",
        "empreinte des lignes": f"coalesce(sum(CAST(xxhash64({hashed}) AS DECIMAL(38, 0))), 0)",
        **{f"somme de {name}": f"coalesce(sum(CAST(`{name}` AS DECIMAL(38, 0))), 0)" for name in numbers},
    }
    near = {f"somme de {name}": f"coalesce(sum(`{name}`), 0)" for name in fractions}
    figures = ",\n    ".join(f"{sql} AS v{n}" for n, sql in enumerate([*exact.values(), *near.values()]))
    name = f"{table.layer}.{table.name}"
    tests = [(f"e.v{n} <=> l.v{n}", what) for n, what in enumerate(exact)]
    tests += [
        (f"abs(e.v{n} - l.v{n}) <= {TOLERANCE} * greatest(1, abs(l.v{n})) OR (isnan(e.v{n}) AND isnan(l.v{n}))", what)
        for n, what in enumerate(near, len(exact))
    ]
    if table.key:
        keys = ", ".join(f"`{column}`" for column in table.key)
        tests.append((f"e.v0 = (SELECT count(DISTINCT {keys}) FROM {warehouse_name(table)})", "clé en double"))
    asserted = ",\n  ".join(f"assert_true({test}, {spark_literal(f'{name} : {what}')})" for test, what in tests)
    return (
        f"SELECT '{name}' AS verifiee,\n  {asserted}\n"
        f"FROM (SELECT\n    {figures}\n  FROM {warehouse_name(table)}) e\n"
        f"CROSS JOIN (SELECT\n    {figures}\n  FROM {_lake_rows(table)}) l"
    )


def _layout(layout: ComparedLayout) -> Iterator[str]:
    for table, of_table in layout.tables.items():
        name = layout_name(layout, table)
        yield f"DROP TABLE IF EXISTS {name}"
        yield create_table(name, table, of_table, layout.kind)
        yield insert_rows(name, table, warehouse_name(table), of_table)
        if statement := optimize(name, of_table, layout.kind):
            yield statement


def _queries() -> Iterator[str]:
    for query in QUERIES:
        yield f"-- {query.label}\n{_on_warehouse(query)}"
    join = next(query for query in QUERIES if query.name == "large_join")
    layouts = {layout.name: layout for layout in LAYOUTS}
    for name in ("flat", "spark_buckets"):
        names = {n: layout_name(layouts[name], table) for n, table in join.tables.items()}
        yield f"-- Plan de la grande jointure : {layouts[name].label}\nEXPLAIN {join.sql({}, {}).format_map(names)}"


def _on_warehouse(query: EvidenceQuery) -> str:
    return query.sql({}, {}).format_map({name: warehouse_name(table) for name, table in query.tables.items()})
