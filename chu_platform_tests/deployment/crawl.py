"""Requests for everything that a webserver can show: queries made from its GraphQL schema, and its pages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

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

# Levels below a root field, and below the fields with error causes and configuration. Each type is entered once on the
# path from the root, so that cycles end.
DEPTH = 2
DEEPER = {"logsForRun": 3, "runOrError": 3, "instance": 3, "workspaceOrError": 3}


@dataclass(frozen=True)
class Question:
    """A field with its arguments, or a type of a union, and the fields requested below it."""

    called: str
    below: Sequence["Question"] = ()

    def __str__(self) -> str:
        return f"{self.called} {{ {' '.join(map(str, self.below))} }}" if self.below else self.called

    def ask(self, server: Webserver, above: Sequence[str] = ()) -> bytes:
        """All answers. If a resolver fails, the whole answer is an error; the parts are then requested one by one."""
        document = "{ " + " { ".join((*above, str(self))) + " }" * (len(above) + 1)
        status, answer = server.post("/graphql", document.encode(), "application/graphql")
        if status == HTTPStatus.OK:
            return answer
        return answer + b"".join(part.ask(server, (*above, self.called)) for part in self.below)


def questions(server: Webserver) -> Iterator[tuple[str, Question]]:
    """For every root field of the schema, a query of all fields below it, down to a depth."""
    root = server.schema.query_type
    assert root
    crawler = _Crawler(server)
    for name, field in root.fields.items():
        found = crawler.field(name, name, field, DEEPER.get(name, DEPTH), frozenset())
        if found:
            yield name, found


def pages(server: Webserver, secret_file: str) -> Iterator[str]:
    """The addresses of all kinds of pages, and attempts to read a file."""
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

    def field(self, alias: str, name: str, field: GraphQLField, depth: int, above: frozenset[str]) -> Question | None:
        """The field with plausible arguments and all fields below it; None when there is no field below it."""
        values = self._arguments.of(field, optional=False)
        given = ", ".join(
            f"{n}: {print_ast(node)}" for n, v in values.items() if (node := ast_from_value(v, field.args[n].type))
        )
        called = f"{alias}: {name}{f'({given})' if given else ''}"
        type_ = cast(GraphQLNamedOutputType, get_named_type(field.type))
        if is_leaf_type(type_):
            return Question(called)
        below = self._below(type_, depth - 1, above)
        return Question(called, below) if below else None

    def _below(self, type_: GraphQLNamedOutputType, depth: int, above: frozenset[str]) -> list[Question]:
        if isinstance(type_, GraphQLUnionType | GraphQLInterfaceType):
            parts = [(t.name, self._below(t, depth, above)) for t in self._schema.get_possible_types(type_)]
            return [Question(f"... on {name}", below) for name, below in parts if below]
        assert isinstance(type_, GraphQLObjectType)
        if type_.name in above:
            return []
        # The alias of a field contains the type: in a union, fields with the same name may have different types.
        fields = [
            self.field(f"{type_.name}_{name}", name, field, depth, above | {type_.name})
            for name, field in type_.fields.items()
            if depth > 0 or is_leaf_type(get_named_type(field.type))
        ]
        return [f for f in fields if f]
