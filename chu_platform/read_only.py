"""The webserver for auditors: Dagster's own, which refuses whatever would change something.

`dagster-webserver --read-only` leaves refusing to each mutation, and some do not ask (setNuxSeen, logTelemetry). Here
no mutation is executed, whichever it is and whatever a later version adds.

Here: what is refused, and the command `python -m chu_platform.read_only`. Not here: who may come (a proxy before it).
"""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Final

import dagster as dg
import typer
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.cli import DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_MAX_OVERFLOW, DEFAULT_POOL_RECYCLE
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from graphql import ASTValidationRule, GraphQLError, OperationDefinitionNode, OperationType
from starlette.routing import BaseRoute, Route

REFUSAL: Final = "this webserver is read-only: no mutation is executed"
GRAPHQL: Final = "/graphql"


class NoMutation(ASTValidationRule):
    """A GraphQL document that holds a mutation is not valid here, also when another operation of it is asked for."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        """Refuse the operation if it is a mutation."""
        if node.operation is OperationType.MUTATION:
            self.report_error(GraphQLError(REFUSAL, node))


class ReadOnlyWebserver(DagsterWebserver[WorkspaceProcessContext, WorkspaceRequestContext]):
    """Dagster's webserver without mutations, and without routes that take anything but questions."""

    def build_graphql_validation_rules(self) -> Collection[type[ASTValidationRule]]:
        """The rules of GraphQL, and ours."""
        return (*super().build_graphql_validation_rules(), NoMutation)

    def build_routes(self) -> list[BaseRoute]:
        """Dagster's routes; those for reporting assets are left out, and any other that is not for reading."""
        routes: list[BaseRoute] = super().build_routes()  # type: ignore[no-untyped-call]
        return [r for r in routes if _path(r) == GRAPHQL or _methods(r) <= {"GET", "HEAD"}]


def _path(route: BaseRoute) -> str:
    return str(getattr(route, "path", ""))


def _methods(route: BaseRoute) -> set[str]:
    return (route.methods or set()) if isinstance(route, Route) else set()


def main(
    workspace: Annotated[Path, typer.Option("-w", help="workspace file")],
    host: Annotated[str, typer.Option("-h", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("-p", help="port to listen on")] = 3001,
) -> None:
    """Serve the Dagster UI of DAGSTER_HOME to readers, until interrupted."""
    target = WorkspaceFileTarget([str(workspace)])
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW)
        # Dagster's own refusals too: its UI then shows no buttons that would not work.
        with WorkspaceProcessContext(instance, target, version=__version__, read_only=True) as context:
            app: Any = ReadOnlyWebserver(context).create_asgi_app()
            uvicorn.run(app, host=host, port=port, log_level="warning")


if __name__ == "__main__":
    typer.run(main)
