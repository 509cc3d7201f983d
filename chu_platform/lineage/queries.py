"""The lineage of a query: which columns of its inputs each of its columns is made from, and how.

sqlglot parses and qualifies; the way from an expression to columns of inputs is followed here, scope by scope, since
`sqlglot.lineage` tells neither conditions from values nor which columns decide the rows.

Here: SQL text in, columns of inputs out. Not here: tables and their declarations (tables).
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
from chu_platform.tables.influence import Influence, merged, through

# An input of the query, and a column of it.
Cell = tuple[str, str]
Uses = dict[Cell, Influence]


@dataclass(frozen=True)
class QueryLineage:
    """`columns`: what each column of the result is made from; `rows`: what decides which rows there are."""

    columns: Mapping[str, Mapping[Cell, Influence]]
    rows: Mapping[Cell, frozenset[Influence]]


def lineage_of_query(sql: str, inputs: Mapping[str, Mapping[str, str]], dialect: str = "spark") -> QueryLineage:
    """The lineage of a query in which `{name}` stands for an input; `inputs` gives the types of their columns by name.

    Raises ChuError for a query that cannot be followed: nothing is guessed.
    """
    try:
        tree = parse_one(re.sub(r"\{(\w+)\}", r"\1", sql), dialect=dialect)
        _spread_stacks(tree)
        # Names are compared as they are written in the declarations.
        schema: dict[str, object] = {name: dict(columns) for name, columns in inputs.items()}
        scope = build_scope(qualify(tree, schema=schema, dialect=dialect, quote_identifiers=False))
    except SqlglotError as error:
        raise ChuError(f"the lineage of a query cannot be followed: {error}") from None
    if scope is None:
        raise ChuError("the lineage of a statement that is no query cannot be followed")
    spelled = {(n.lower(), c.lower()): (n, c) for n, columns in inputs.items() for c in columns}
    return _Follower(spelled).lineage(scope)


def columns_in(expression: str, dialect: str) -> Sequence[str]:
    """Names of the columns in an expression, in order."""
    found = parse_one(expression, dialect=dialect).find_all(exp.Column)
    return list(dict.fromkeys(column.name for column in found))


def _spread_stacks(tree: exp.Expr) -> None:
    """Turn `stack(n, ...) AS (a, b)` among the selected into a column each, over its own arguments.

    sqlglot does not see the columns of such an alias.
    """
    for aliases in list(tree.find_all(exp.Aliases)):
        select = aliases.parent
        assert isinstance(select, exp.Select) and isinstance(aliases.this, exp.Stack)
        names = [identifier.name for identifier in aliases.args["expressions"]]
        spread = [
            exp.alias_(exp.Array(expressions=[a.copy() for a in arguments]), name)
            for name, arguments in zip(names, _of_each(aliases.this, len(names)), strict=True)
        ]
        place = select.expressions.index(aliases)
        select.set("expressions", [*select.expressions[:place], *spread, *select.expressions[place + 1 :]])


def _of_each(stack: exp.Stack, columns: int) -> Sequence[Sequence[exp.Expr]]:
    """The arguments of `stack(rows, ...)` that make each of its columns."""
    return [stack.expressions[i::columns] for i in range(columns)]


class _Follower:
    """Follows one query. `spelled` gives inputs and columns as declared, by their names in small letters."""

    def __init__(self, spelled: Mapping[Cell, Cell]) -> None:
        self._spelled = spelled
        self._outputs: dict[int, Sequence[tuple[str, Uses]]] = {}
        self._by_name: dict[int, Mapping[str, Uses]] = {}

    def lineage(self, root: Scope) -> QueryLineage:
        rows: dict[Cell, set[Influence]] = defaultdict(set)
        for scope in root.traverse():
            for kind, uses in self._deciding(scope):
                for cell in uses:
                    rows[cell].add(kind)
        columns = dict(self._outputs_of(root))
        return QueryLineage(columns, {cell: frozenset(kinds) for cell, kinds in rows.items()})

    def _deciding(self, scope: Scope) -> Iterator[tuple[Influence, Uses]]:
        """The columns that decide in a scope which rows there are."""
        node = scope.expression
        if node.args.get("distinct"):
            # Of rows that agree in every column one is kept.
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
        """What the columns in expressions are made from, however they are used there."""
        return merged(*(self._resolved(scope, c) for e in expressions for c in e.find_all(exp.Column)))

    def _outputs_of(self, scope: Scope) -> Sequence[tuple[str, Uses]]:
        """The columns of a scope in their order, and what each is made from; several may have one name."""
        known = self._outputs.get(id(scope))
        if known is None:
            known = self._outputs[id(scope)] = list(self._followed(scope))
        return known

    def _followed(self, scope: Scope) -> Iterator[tuple[str, Uses]]:
        node = scope.expression
        if isinstance(node, exp.SetOperation):
            # Columns of a union correspond by position; the names are those of the first.
            first, second = (self._outputs_of(s) for s in scope.set_operation_scopes)
            for (name, ours), (_, theirs) in zip(first, second, strict=True):
                yield name, merged(ours, theirs)
        elif isinstance(node, exp.Lateral):
            names = [identifier.name for identifier in node.args["alias"].columns]
            made = node.this
            parts = _of_each(made, len(names)) if isinstance(made, exp.Stack) else [[made]] * len(names)
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
            raise ChuError(f"the lineage of a query cannot be followed: column {column.sql()} is of no input")
        return {self._spelled[source.name.lower(), column.name.lower()]: Influence.IDENTITY}

    def _uses(self, scope: Scope, node: exp.Expr, kind: Influence = Influence.IDENTITY) -> Uses:
        """What an expression is made from; `kind` is what happens to it in the expressions around."""
        if isinstance(node, exp.Column):
            return {cell: through(inner, kind) for cell, inner in self._resolved(scope, node).items()}
        if isinstance(node, exp.Alias | exp.Paren):
            return self._uses(scope, node.this, kind)
        if isinstance(node, exp.Query):
            raise ChuError("the lineage of a query cannot be followed through a query in an expression")
        if isinstance(node, exp.Case):
            branches = node.args["ifs"]
            values = [branch.args["true"] for branch in branches] + [node.args.get("default")]
            conditions = [node.this, *(branch.this for branch in branches)]
            return self._chosen(scope, values, conditions, kind)
        if isinstance(node, exp.Filter):
            return self._chosen(scope, [node.this], [node.expression], through(Influence.AGGREGATION, kind))
        if isinstance(node, exp.Window):
            conditions = [*(node.args.get("partition_by") or ()), node.args.get("order")]
            return self._chosen(scope, [node.this], conditions, through(Influence.TRANSFORMATION, kind))
        if isinstance(node, exp.AggFunc):
            found = self._made_from(scope, node, through(Influence.AGGREGATION, kind))
            select = scope.expression
            if not found and isinstance(select, exp.Select) and not isinstance(node.parent, exp.Window | exp.Filter):
                # A number of rows: what they are counted by.
                found = dict.fromkeys(self._columns(scope, self._groups(select)), through(Influence.AGGREGATION, kind))
            return _valued(found, through(Influence.AGGREGATION, kind))
        return self._made_from(scope, node, through(Influence.TRANSFORMATION, kind))

    def _made_from(self, scope: Scope, node: exp.Expr, kind: Influence) -> Uses:
        return merged(*(self._uses(scope, child, kind) for child in node.iter_expressions()))

    def _chosen(
        self, scope: Scope, values: Sequence[exp.Expr | None], conditions: Sequence[exp.Expr | None], kind: Influence
    ) -> Uses:
        """Values, one of which conditions choose. Where the values are constants, the conditions say which."""
        found = merged(
            *(self._uses(scope, value, kind) for value in values if value),
            *(self._uses(scope, condition, Influence.CONDITION) for condition in conditions if condition),
        )
        return _valued(found, through(Influence.TRANSFORMATION, kind))


def _valued(found: Uses, kind: Influence) -> Uses:
    """Conditions on constants are what the value is made from."""
    return found if any(k.direct for k in found.values()) or kind is Influence.CONDITION else dict.fromkeys(found, kind)
