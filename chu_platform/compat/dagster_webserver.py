"""What `dagster-webserver` needs to open a workspace, for a webserver with routes of its own.

`dagster_webserver` is a package of its own with public modules, but the command that starts it takes no subclass of its
server, and what the server is made with (the workspace and its context) has private modules only. Named here:
`WorkspaceProcessContext`, `WorkspaceRequestContext` and `WorkspaceFileTarget`; `configure_loggers` sets up the logs as
the command does. No public issue asks for these.
"""

from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.log import configure_loggers

__all__ = ["WorkspaceFileTarget", "WorkspaceProcessContext", "WorkspaceRequestContext", "configure_loggers"]
