"""The webserver for auditors: the platform's own, which refuses whatever would change something.

`dagster-webserver --read-only` leaves refusing to each mutation, and some do not ask (setNuxSeen, logTelemetry). Here
no mutation is executed, whichever it is and whatever a later version adds.

It is started by `python -m chu_platform.read_only_webserver`. Who may use it is decided by a proxy before it.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Final

import typer
from graphql import ASTValidationRule, GraphQLError, OperationDefinitionNode, OperationType
from starlette.routing import BaseRoute, Route

from chu_platform.webserver import Webserver, host

REFUSAL: Final = "this webserver is read-only: no mutation is executed"
GRAPHQL: Final = "/graphql"


class NoMutation(ASTValidationRule):
    """A GraphQL document that holds a mutation is not valid here, also when another operation of it is asked for."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        """Refuse the operation if it is a mutation."""
        if node.operation is OperationType.MUTATION:
            self.report_error(GraphQLError(REFUSAL, node))


class ReadOnlyWebserver(Webserver):
    """The webserver without mutations, and without routes that take anything but questions."""

    def build_graphql_validation_rules(self) -> Collection[type[ASTValidationRule]]:
        """The rules of GraphQL, and ours."""
        return (*super().build_graphql_validation_rules(), NoMutation)

    def build_routes(self) -> list[BaseRoute]:
        """The webserver's routes; those for reporting assets are left out, and any other that is not for reading."""
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
    # Dagster's own refusals too: its UI then shows no buttons that would not work.
    host(ReadOnlyWebserver, workspace, address, port, read_only=True)


if __name__ == "__main__":
    typer.run(main)
