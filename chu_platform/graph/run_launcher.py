"""Where the runs of a Dagster instance start, told without making its launcher."""

import dagster as dg


def starts_runs_elsewhere(instance: dg.DagsterInstance) -> bool:
    """Whether the launcher of an instance is another one than Dagster's default, which starts processes here.

    `DagsterInstance.run_launcher` makes the launcher, and that of Kubernetes connects to the cluster then, which the
    code location may not do. No public interface tells which one is configured: the reference of the instance does.
    """
    launcher = instance.get_ref().run_launcher_data if instance.is_persistent else None
    return launcher is not None and launcher.class_name != dg.DefaultRunLauncher.__name__
