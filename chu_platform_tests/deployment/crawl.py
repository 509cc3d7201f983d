"""Everything that a webserver can be made to tell: questions made from its GraphQL schema, and its pages."""

from collections.abc import Iterator

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedOutputType,
    GraphQLObjectType,
    GraphQLUnionType,
    ast_from_value,
    get_named_type,
    is_leaf_type,
    print_ast,
)

from chu_platform_tests.deployment.arguments import Arguments
from chu_platform_tests.deployment.webservers import Webserver

# Levels below a root field. Each type is entered once on the way from the root, which cuts its circles.
DEPTH = 3


def questions(server: Webserver) -> Iterator[tuple[str, list[str]]]:
    """For every field of the root: a query for all below it, to a depth, and the same in parts.

    The parts are for where a resolver fails, which takes the whole answer with it.
    """
    root = server.schema.query_type
    assert root
    crawler = _Crawler(server)
    for name, field in root.fields.items():
        yield name, [f"{{ {asked} }}" for asked in crawler.root(name, field)]


def pages(server: Webserver, secret_file: str) -> Iterator[str]:
    """Addresses of all kinds of page, and attempts to have a file shown."""
    yield from ("/", "/server_info", "/dagit_info", "/graphql", "/config", "/deployment", f"/runs/{server.failed_run}")
    yield from (f"/download_debug/{run}" for run in (server.failed_run, server.started_run))
    yield from (f"/logs/{server.failed_run}/compute_logs/x.{kind}" for kind in ("out", "err"))
    for climb in ("../" * 12, "..%2f" * 12, "/"):
        yield f"/logs/{climb}{secret_file.lstrip('/')}"
        yield f"/notebook?repoLocName=chu_platform&path={climb}{secret_file.lstrip('/')}"
        yield f"/static/{climb}{secret_file.lstrip('/')}"


class _Crawler:
    def __init__(self, server: Webserver) -> None:
        self._schema = server.schema
        self._arguments = Arguments(server, reading=True)

    def root(self, name: str, field: GraphQLField) -> Iterator[str]:
        """The field of the root with all below it, then with one field below it at a time."""
        yield self.field(name, name, field, DEPTH, frozenset())
        called = self._called(name, name, field)
        type_ = get_named_type(field.type)
        if is_leaf_type(type_):
            return
        abstract = isinstance(type_, GraphQLUnionType | GraphQLInterfaceType)
        for possible in self._schema.get_possible_types(type_) if abstract else [type_]:
            for part in self._parts(possible, DEPTH - 1, frozenset()):
                yield f"{called} {{ ... on {possible.name} {{ {part} }} }}"

    def field(self, alias: str, name: str, field: GraphQLField, depth: int, above: frozenset[str]) -> str:
        """The field with plausible arguments and everything below it; empty when nothing is."""
        called = self._called(alias, name, field)
        type_ = get_named_type(field.type)
        if is_leaf_type(type_):
            return called
        below = self._below(type_, depth - 1, above)
        return f"{called} {{ {below} }}" if below else ""

    def _called(self, alias: str, name: str, field: GraphQLField) -> str:
        values = self._arguments.of(field, optional=False)
        given = ", ".join(
            f"{n}: {print_ast(node)}" for n, v in values.items() if (node := ast_from_value(v, field.args[n].type))
        )
        return f"{alias}: {name}{f'({given})' if given else ''}"

    def _below(self, type_: GraphQLNamedOutputType, depth: int, above: frozenset[str]) -> str:
        if isinstance(type_, GraphQLUnionType | GraphQLInterfaceType):
            parts = []
            for possible in self._schema.get_possible_types(type_):
                below = self._below(possible, depth, above)
                if below:
                    parts.append(f"... on {possible.name} {{ {below} }}")
            return " ".join(parts)
        return " ".join(self._parts(type_, depth, above))

    def _parts(self, type_: GraphQLNamedOutputType, depth: int, above: frozenset[str]) -> list[str]:
        assert isinstance(type_, GraphQLObjectType)
        if type_.name in above:
            return []
        # Names of the type before each field: in a union, fields of one name may have different types.
        fields = [
            self.field(f"{type_.name}_{name}", name, field, depth, above | {type_.name})
            for name, field in type_.fields.items()
            if depth > 0 or is_leaf_type(get_named_type(field.type))
        ]
        return [f for f in fields if f]
