"""All uses of private APIs of Dagster and of PySpark's Connect client, each with its reason.

No other module imports a `dagster._*` module or reads a private attribute of a Connect client; a test checks this.
Review these modules at each upgrade of Dagster or PySpark.

Two names outside this package are to be reviewed too:

- `dagster.core.storage.noop_compute_log_manager` in `dagster.yaml`. In this file, Dagster reads `dagster.core` as
  `dagster._core`. The first spelling is the one of its documentation
  (https://docs.dagster.io/guides/deploy/dagster-yaml, https://github.com/dagster-io/dagster/pull/19665); `dagster`
  itself does not export the class. The test permits this one name.
- `DagsterInstance.event_log_storage`, in `graph.dagster_instance` and `graph.interruption`. The property has no
  underscore, but Dagster does not mark it as public. No public method frees the pool slots of a dead run.
"""
