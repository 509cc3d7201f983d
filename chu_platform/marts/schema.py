"""The SQL of the schemas of the marts: tables with French comments, foreign keys, views, and who reads which rows.

The names of columns are those of the lake. The views have French titles, which BI tools show.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chu_platform.marts.content import AXES, PROFILES, Axis, Mart, MartTable, mart_tables
from chu_platform.marts.roles import RIGHTS, group_of
from chu_platform.marts.semantics import CALENDAR, DAY, value_labels
from chu_platform.tables.access_policy import Grant, Profile, RowsOf
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, STRING, WEIGHT, Column
from chu_platform.tables.duckdb_sql import sql_name, sql_text

TYPES: Final = {
    STRING: "text",
    INTEGER: "integer",
    LONG: "bigint",
    DOUBLE: "double precision",
    BOOLEAN: "boolean",
    DATE: "date",
    WEIGHT: f"numeric({WEIGHT.precision}, {WEIGHT.scale})",
}
# A load fills schemas with this suffix; they then take the place of those that readers see, which get the other one.
NEW: Final = "__nouveau"
OLD: Final = "__ancien"
MAX_TITLE_BYTES: Final = 63
_PERIOD: Final = next(axis for axis in AXES if axis.made_label)


def new_schema(mart: Mart) -> str:
    """The schema that a load fills."""
    return f"{mart}{NEW}"


def tables_sql(mart: Mart) -> Iterator[str]:
    """The schema with its empty tables."""
    yield f"CREATE SCHEMA {new_schema(mart)}"
    for table in mart_tables(mart):
        yield f"CREATE TABLE {_place(table)} ({', '.join(map(_column, table.columns))})"


def finish_sql(mart: Mart, edition: str) -> Iterator[str]:
    """What follows when the tables are filled: keys, axes, comments, views, rights. `edition` is French text."""
    tables = mart_tables(mart)
    for table in tables:
        yield f"ALTER TABLE {_place(table)} ADD PRIMARY KEY ({_names(table.table.key)})"
        if table.own:
            yield f"CREATE INDEX ON {_place(table)} ({sql_name(table.own)})"
        yield from _comments("TABLE", _place(table), table.table.full_description, _described(table.columns))
    for axis in AXES:
        if readers := axis.read_by(tables):
            yield from _axis(mart, axis, readers)
    if mart is Mart.PUBLISHED:
        yield from _calendar(mart)
    for table in tables:
        if table.indicator:
            yield from _view(table)
    yield from _rights(mart, tables)
    yield f"COMMENT ON SCHEMA {new_schema(mart)} IS {sql_text(f'{mart.label}. {edition}.')}"


def swap_sql() -> Iterator[str]:
    """What lets readers see the new schemas, all at once: for one transaction."""
    for mart in Mart:
        yield (
            f"DO $$ BEGIN IF to_regnamespace('{mart}') IS NOT NULL THEN "
            f"ALTER SCHEMA {mart} RENAME TO {mart}{OLD}; END IF; END $$"
        )
        yield f"ALTER SCHEMA {new_schema(mart)} RENAME TO {mart}"


def removal_sql(suffix: str) -> Iterator[str]:
    """What removes the schemas of a load that was killed, or of the former edition."""
    for mart in Mart:
        yield f"DROP SCHEMA IF EXISTS {mart}{suffix} CASCADE"


def _column(column: Column) -> str:
    return f"{sql_name(column.name)} {TYPES[column.type]}{' NOT NULL' if column.required else ''}"


def _place(table: MartTable) -> str:
    return f"{new_schema(table.mart)}.{sql_name(table.name)}"


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(sql_name, names))


def _described(columns: Sequence[Column]) -> Mapping[str, str]:
    return {c.name: c.full_description for c in columns}


def _comments(kind: str, place: str, text: str, columns: Mapping[str, str]) -> Iterator[str]:
    yield f"COMMENT ON {kind} {place} IS {sql_text(text)}"
    for name, description in columns.items():
        yield f"COMMENT ON COLUMN {place}.{sql_name(name)} IS {sql_text(description)}"


def _axis(mart: Mart, axis: Axis, tables: Sequence[MartTable]) -> Iterator[str]:
    """The values of an axis in the tables that refer to it, and their foreign keys."""
    place = f"{new_schema(mart)}.{axis.name}"
    columns = (*axis.columns, axis.label)
    label = f"({axis.made_label})" if axis.made_label else sql_name(axis.label.name)
    there = " AND ".join(f"{sql_name(name)} IS NOT NULL" for name in axis.key)
    values = " UNION ALL ".join(
        f"SELECT {_names(axis.key)}, {label} AS found FROM {_place(t)} WHERE {there}" for t in tables
    )
    yield f"CREATE TABLE {place} ({', '.join(map(_column, columns))}, PRIMARY KEY ({_names(axis.key)}))"
    yield f"INSERT INTO {place} SELECT {_names(axis.key)}, min(found) FROM ({values}) v GROUP BY {_names(axis.key)}"
    yield from _comments("TABLE", place, axis.title, _described(columns))
    for table in tables:
        yield f"ALTER TABLE {_place(table)} ADD FOREIGN KEY ({_names(axis.key)}) REFERENCES {place}"


def _calendar(mart: Mart) -> Iterator[str]:
    """Each day between the first period and the end of the year of the last one."""
    place = f"{new_schema(mart)}.{CALENDAR}"
    first = "date_trunc('year', min(period_start))"
    last = "date_trunc('year', max(period_start)) + interval '1 year - 1 day'"
    yield f"CREATE TABLE {place} ({DAY} date PRIMARY KEY)"
    yield (
        f"INSERT INTO {place} SELECT generate_series({first}, {last}, interval '1 day')::date "
        f"FROM {new_schema(mart)}.periode HAVING count(*) > 0"
    )
    yield from _comments(
        "TABLE", place, "Les jours des périodes, pour les outils", {DAY: "Jour – un jour du calendrier"}
    )


@dataclass(frozen=True)
class ViewColumn:
    """A column of the view of a question: its French title, its description, its SQL, and the column that it shows.

    The label of the period shows none.
    """

    title: str
    description: str
    sql: str
    column: Column | None


def view_columns(table: MartTable) -> Sequence[ViewColumn]:
    """The columns of the view of a question, with French titles: the label of the period, and all of the table.

    A column whose label is taken or too long for PostgreSQL has its own name.
    """
    shown: dict[str, ViewColumn] = {}
    if table in _PERIOD.read_by([table]):
        label = _PERIOD.label
        shown[label.label] = ViewColumn(label.label, label.full_description, f"p.{label.name}", None)
    for column in table.readable:
        taken = column.label in shown or len(column.label.encode()) > MAX_TITLE_BYTES
        title = column.name if taken else column.label
        shown[title] = ViewColumn(title, column.full_description, _shown(table, column), column)
    return list(shown.values())


def _view(table: MartTable) -> Iterator[str]:
    """The question of an indicator.

    It reads with the rights of who asks: those of the owner would show all rows.
    """
    question = table.indicator.question if table.indicator else None
    assert question
    place = f"{new_schema(table.mart)}.{sql_name(view_name(table))}"
    shown = view_columns(table)
    listed = ", ".join(f"{column.sql} AS {sql_name(column.title)}" for column in shown)
    axis = f"{new_schema(table.mart)}.{_PERIOD.name}"
    joined = f" JOIN {axis} p USING ({_names(_PERIOD.key)})" if table in _PERIOD.read_by([table]) else ""
    yield f"CREATE VIEW {place} WITH (security_invoker = true) AS SELECT {listed} FROM {_place(table)} t{joined}"
    text = "\n".join([question.title, *question.definition, f"Attention : {question.caution}"])
    yield from _comments("VIEW", place, text, {column.title: column.description for column in shown})


def view_name(table: MartTable) -> str:
    """The name of the view of a question."""
    question = table.indicator.question if table.indicator else None
    assert question
    return f"question_{question.number:02}_{question.slug.replace('-', '_')}"


def _shown(table: MartTable, column: Column) -> str:
    """A column, with the French words for its values if it has few of them."""
    name = f"t.{sql_name(column.name)}"
    words = value_labels(column.name, table.indicator.question if table.indicator else None)
    if not words:
        return name
    cases = " ".join(f"WHEN {sql_text(value)} THEN {sql_text(word)}" for value, word in words.items())
    return f"CASE {name} {cases} ELSE {name} END"


def _rights(mart: Mart, tables: Sequence[MartTable]) -> Iterator[str]:
    """Who reads what. Nobody reads anything else: PostgreSQL gives no right to a new table by itself."""
    schema = new_schema(mart)
    groups = ", ".join(sql_name(group_of(profile)) for profile in PROFILES[mart])
    yield f"GRANT USAGE ON SCHEMA {schema} TO {groups}"
    for table in tables:
        yield from _readers(_place(table), table.grants)
        if table.indicator:
            yield from (f"GRANT SELECT ON {schema}.{sql_name(view_name(table))} TO {_group(g)}" for g in table.grants)
    for axis in AXES:
        if readers := axis.read_by(tables):
            yield from _readers(f"{schema}.{axis.name}", _axis_grants(axis, readers))
    if mart is Mart.PUBLISHED:
        yield f"GRANT SELECT ON {schema}.{CALENDAR} TO {groups}"


def _axis_grants(axis: Axis, tables: Sequence[MartTable]) -> Sequence[Grant]:
    """The grants on an axis: own rows if it has the column that tells them, otherwise all: it has no figures."""
    grants = [grant for table in tables for grant in table.grants]
    if any(grant.own in axis.key for grant in grants):
        return list(dict.fromkeys(g for g in grants if g.own in axis.key))
    return list(dict.fromkeys(replace(g, rows=RowsOf.EVERYBODY, own=None, columns=None) for g in grants))


def _readers(place: str, grants: Sequence[Grant]) -> Iterator[str]:
    """The rights on a table, and which rows each profile reads, unless everybody reads all of it."""
    for grant in grants:
        columns = f" ({_names(grant.columns)})" if grant.columns is not None else ""
        yield f"GRANT SELECT{columns} ON {place} TO {_group(grant)}"
    if all(g.profile is Profile.PUBLIC and g.rows is RowsOf.EVERYBODY for g in grants):
        return
    yield f"ALTER TABLE {place} ENABLE ROW LEVEL SECURITY"
    for grant in grants:
        what = f"'{grant.profile}', '{grant.purpose}'"
        # A subquery is computed once for a query, a function once for a row.
        opened = f"(SELECT {RIGHTS}.tient({what}))"
        if grant.own is not None:
            opened = f"{sql_name(grant.own)} = ANY ((SELECT {RIGHTS}.cles({what}))::text[])"
        name = sql_name(f"{grant.profile} {grant.purpose}")
        yield f"CREATE POLICY {name} ON {place} FOR SELECT TO {_group(grant)} USING ({opened})"


def _group(grant: Grant) -> str:
    return sql_name(group_of(grant.profile))
