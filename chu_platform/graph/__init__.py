"""The Dagster graph: an asset per table, the step that makes a table, and the resources of a run."""
