"""Lineage of a query: the input columns of each result column, and the kind of influence.

sqlglot parses the query and qualifies its columns. The expressions are resolved to input columns here, scope by scope,
because `sqlglot.lineage` does not separate conditions from values and does not give the columns that decide the rows.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from chu_platform.errors import ChuError
from chu_platform.tables.influence import Influence, combined, merged

# Name of an input of the query, and of one of its columns.
InputColumn = tuple[str, str]
Uses = dict[InputColumn, Influence]


@dataclass(frozen=True)
class QueryLineage:
    """`columns`: origins of each result column. `rows`: input columns that decide which rows exist."""

    columns: Mapping[str, Mapping[InputColumn, Influence]]
    rows: Mapping[InputColumn, frozenset[Influence]]


def lineage_of_query(sql: str, inputs: Mapping[str, Mapping[str, str]], dialect: str = "spark") -> QueryLineage:
    """Lineage of a query. `{name}` stands for an input; `inputs` gives the column types of each input by name.

    Raises ChuError when the lineage of the query cannot be determined exactly.
    """
    try:
        tree = parse_one(re.sub(r"\{(\w+)\}", r"\1", sql), dialect=dialect)
        _expand_stacks(tree)
        # Column names are case-sensitive, as in the declarations.
        schema: dict[str, object] = {name: dict(columns) for name, columns in inputs.items()}
        scope = build_scope(qualify(tree, schema=schema, dialect=dialect, quote_identifiers=False))
    except SqlglotError as error:
        raise ChuError(f"the lineage of a query cannot be followed: {error}") from None
    if scope is None:
        raise ChuError("the lineage of a statement that is not a query cannot be followed")
    declared_names = {(n.lower(), c.lower()): (n, c) for n, columns in inputs.items() for c in columns}
    return _LineageBuilder(declared_names).lineage(scope)


def columns_in(expression: str, dialect: str) -> Sequence[str]:
    """Names of the columns in an expression, in order. The variable of a list comprehension is none."""
    tree = parse_one(expression, dialect=dialect)
    variables = {comprehension.expression.name for comprehension in tree.find_all(exp.Comprehension)}
    names = dict.fromkeys(column.name for column in tree.find_all(exp.Column))
    return [name for name in names if name not in variables]


def _expand_stacks(tree: exp.Expr) -> None:
    """Replace `stack(n, ...) AS (a, b)` in a SELECT with one expression per column, over the arguments of the column.

    sqlglot does not resolve the columns of such an alias.
    """
    for aliases in list(tree.find_all(exp.Aliases)):
        select = aliases.parent
        assert isinstance(select, exp.Select) and isinstance(aliases.this, exp.Stack)
        names = [identifier.name for identifier in aliases.args["expressions"]]
        expanded = [
            exp.alias_(exp.Array(expressions=[a.copy() for a in arguments]), name)
            for name, arguments in zip(names, _arguments_by_column(aliases.this, len(names)), strict=True)
        ]
        position = select.expressions.index(aliases)
        select.set("expressions", [*select.expressions[:position], *expanded, *select.expressions[position + 1 :]])


def _arguments_by_column(stack: exp.Stack, columns: int) -> Sequence[Sequence[exp.Expr]]:
    """The arguments of `stack(rows, ...)` for each of its columns."""
    return [stack.expressions[i::columns] for i in range(columns)]


class _LineageBuilder:
    """Builds the lineage of one query. `declared_names` maps lower-case names to inputs and columns as declared."""

    def __init__(self, declared_names: Mapping[InputColumn, InputColumn]) -> None:
        self._declared_names = declared_names
        self._outputs: dict[int, Sequence[tuple[str, Uses]]] = {}
        self._by_name: dict[int, Mapping[str, Uses]] = {}

    def lineage(self, root: Scope) -> QueryLineage:
        rows: dict[InputColumn, set[Influence]] = defaultdict(set)
        for scope in root.traverse():
            for kind, uses in self._row_influences(scope):
                for cell in uses:
                    rows[cell].add(kind)
        columns = dict(self._outputs_of(root))
        return QueryLineage(columns, {cell: frozenset(kinds) for cell, kinds in rows.items()})

    def _row_influences(self, scope: Scope) -> Iterator[tuple[Influence, Uses]]:
        """The columns that decide which rows exist in a scope."""
        node = scope.expression
        if node.args.get("distinct"):
            # DISTINCT keeps one of several rows that are equal in all columns.
            yield Influence.GROUPING, merged(*(uses for _, uses in self._outputs_of(scope)))
        if isinstance(node, exp.Select):
            conditions = [join.args["on"] for join in node.args.get("joins") or () if join.args.get("on")]
            yield Influence.JOIN, self._columns(scope, conditions)
            yield Influence.FILTER, self._columns(scope, [p for n in ("where", "having") if (p := node.args.get(n))])
            yield Influence.GROUPING, self._columns(scope, self._groups(node))

    @staticmethod
    def _groups(select: exp.Select) -> Sequence[exp.Expr]:
        group = select.args.get("group")
        return [group] if group else []

    def _columns(self, scope: Scope, expressions: Iterable[exp.Expr]) -> Uses:
        """Origins of all columns in expressions, however they are used."""
        return merged(*(self._resolved(scope, c) for e in expressions for c in e.find_all(exp.Column)))

    def _outputs_of(self, scope: Scope) -> Sequence[tuple[str, Uses]]:
        """The columns of a scope in order, with their origins. Several columns may have the same name."""
        known = self._outputs.get(id(scope))
        if known is None:
            known = self._outputs[id(scope)] = list(self._resolve_outputs(scope))
        return known

    def _resolve_outputs(self, scope: Scope) -> Iterator[tuple[str, Uses]]:
        node = scope.expression
        if isinstance(node, exp.SetOperation):
            # Columns of a union correspond by position; the names are those of the first.
            first, second = (self._outputs_of(s) for s in scope.set_operation_scopes)
            for (name, uses_of_first), (_, uses_of_second) in zip(first, second, strict=True):
                yield name, merged(uses_of_first, uses_of_second)
        elif isinstance(node, exp.Lateral):
            names = [identifier.name for identifier in node.args["alias"].columns]
            view = node.this
            parts = _arguments_by_column(view, len(names)) if isinstance(view, exp.Stack) else [[view]] * len(names)
            for name, part in zip(names, parts, strict=True):
                yield name, self._columns(scope, part)
        elif isinstance(node, exp.Values):
            for identifier in node.args["alias"].columns:
                yield identifier.name, {}
        elif isinstance(node, exp.Select):
            for projection in node.selects:
                yield projection.alias_or_name, self._uses(scope, projection)
        else:
            raise ChuError(f"the lineage of a query cannot be followed through {type(node).__name__}")

    def _resolved(self, scope: Scope, column: exp.Column) -> Uses:
        source = scope.sources.get(column.table)
        if isinstance(source, Scope):
            if id(source) not in self._by_name:
                self._by_name[id(source)] = dict(self._outputs_of(source))
            return self._by_name[id(source)][column.name]
        if source is None:
            raise ChuError(f"the lineage of a query cannot be followed: column {column.sql()} belongs to no input")
        return {self._declared_names[source.name.lower(), column.name.lower()]: Influence.IDENTITY}

    def _uses(self, scope: Scope, node: exp.Expr, kind: Influence = Influence.IDENTITY) -> Uses:
        """Origins of an expression. `kind` is the influence of the expressions that contain it."""
        if isinstance(node, exp.Column):
            return {cell: combined(inner, kind) for cell, inner in self._resolved(scope, node).items()}
        if isinstance(node, exp.Alias | exp.Paren):
            return self._uses(scope, node.this, kind)
        if isinstance(node, exp.Query):
            raise ChuError("the lineage of a query cannot be followed through a query in an expression")
        if isinstance(node, exp.Case):
            branches = node.args["ifs"]
            values = [branch.args["true"] for branch in branches] + [node.args.get("default")]
            conditions = [node.this, *(branch.this for branch in branches)]
            return self._conditional(scope, values, conditions, kind)
        if isinstance(node, exp.Filter):
            return self._conditional(scope, [node.this], [node.expression], combined(Influence.AGGREGATION, kind))
        if isinstance(node, exp.Window):
            conditions = [*(node.args.get("partition_by") or ()), node.args.get("order")]
            return self._conditional(scope, [node.this], conditions, combined(Influence.TRANSFORMATION, kind))
        if isinstance(node, exp.AggFunc):
            found = self._uses_of_children(scope, node, combined(Influence.AGGREGATION, kind))
            select = scope.expression
            if not found and isinstance(select, exp.Select) and not isinstance(node.parent, exp.Window | exp.Filter):
                # count(*): the origins are the grouping columns.
                found = dict.fromkeys(self._columns(scope, self._groups(select)), combined(Influence.AGGREGATION, kind))
            return _with_direct_kind(found, combined(Influence.AGGREGATION, kind))
        return self._uses_of_children(scope, node, combined(Influence.TRANSFORMATION, kind))

    def _uses_of_children(self, scope: Scope, node: exp.Expr, kind: Influence) -> Uses:
        return merged(*(self._uses(scope, child, kind) for child in node.iter_expressions()))

    def _conditional(
        self, scope: Scope, values: Sequence[exp.Expr | None], conditions: Sequence[exp.Expr | None], kind: Influence
    ) -> Uses:
        """Origins of values selected by conditions. If all values are constants, the conditions are direct origins."""
        found = merged(
            *(self._uses(scope, value, kind) for value in values if value),
            *(self._uses(scope, condition, Influence.CONDITION) for condition in conditions if condition),
        )
        return _with_direct_kind(found, combined(Influence.TRANSFORMATION, kind))


def _with_direct_kind(found: Uses, kind: Influence) -> Uses:
    """If there is no direct origin, give all origins this kind: the value is then computed from its conditions."""
    return found if any(k.direct for k in found.values()) or kind is Influence.CONDITION else dict.fromkeys(found, kind)
