"""The read-only webserver for auditors: `python -m chu_platform.read_only_webserver`. It executes no mutation.

With `dagster-webserver --read-only`, each mutation must refuse itself, and some do not (setNuxSeen, logTelemetry). This
webserver refuses all mutations, including those of later versions. Unless CHU_ACCESS is `open`, only auditors and
operators may use it, after they have signed in.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Final

import typer
from graphql import ASTValidationRule, GraphQLError, OperationDefinitionNode, OperationType
from starlette.routing import BaseRoute, Route

from chu_platform.tables.access_policy import Profile
from chu_platform.webserver import Webserver, host, run

REFUSAL: Final = "this webserver is read-only: no mutation is executed"
GRAPHQL: Final = "/graphql"


class NoMutation(ASTValidationRule):
    """Validation rule: a GraphQL document with a mutation is invalid, even if another operation of it is requested."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        """Report an error if the operation is a mutation."""
        if node.operation is OperationType.MUTATION:
            self.report_error(GraphQLError(REFUSAL, node))


class ReadOnlyWebserver(Webserver):
    """The webserver without mutations, with only the routes for reading."""

    profiles = frozenset({Profile.AUDITOR, Profile.OPERATOR})

    def build_graphql_validation_rules(self) -> Collection[type[ASTValidationRule]]:
        """The standard validation rules and `NoMutation`."""
        return (*super().build_graphql_validation_rules(), NoMutation)

    def build_routes(self) -> list[BaseRoute]:
        """The routes for GET and HEAD, and the GraphQL route. Others, such as those that report assets, are removed."""
        return [r for r in super().build_routes() if _path(r) == GRAPHQL or _methods(r) <= {"GET", "HEAD"}]


def _path(route: BaseRoute) -> str:
    return str(getattr(route, "path", ""))


def _methods(route: BaseRoute) -> set[str]:
    return (route.methods or set()) if isinstance(route, Route) else set()


def main(
    workspace: Annotated[Path, typer.Option("-w", help="workspace file")],
    address: Annotated[str, typer.Option("-h", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("-p", help="port to listen on")] = 3001,
) -> None:
    """Serve the Dagster UI of DAGSTER_HOME to readers, until interrupted."""
    # `read_only` also makes Dagster's UI hide the buttons for mutations.
    host(ReadOnlyWebserver, workspace, address, port, read_only=True)


if __name__ == "__main__":
    run(main)
