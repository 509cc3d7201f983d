"""Private names that a webserver with additional routes needs to open a workspace.

The modules of `dagster_webserver` are public, but its command accepts no subclass of its server. The arguments of the
server (the workspace and its context) are in private modules only: `WorkspaceProcessContext`,
`WorkspaceRequestContext` and `WorkspaceFileTarget`. `configure_loggers` configures logging as the command does. No
public issue asks for these.
"""

from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.log import configure_loggers

__all__ = ["WorkspaceFileTarget", "WorkspaceProcessContext", "WorkspaceRequestContext", "configure_loggers"]
