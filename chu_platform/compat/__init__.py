"""Everything that uses private parts of Dagster or of PySpark's Connect client, each with its reason.

No other module imports a `dagster._*` module or reads a private attribute of a Connect client; a test scans for it.
An upgrade of Dagster or PySpark is checked here.
"""
