"""The graph: declarations as Dagster assets, and what runs them.

Here: the step that makes one table, its asset, the plan of a whole run. Not here: what any table is.
"""
