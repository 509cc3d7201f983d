"""All uses of private APIs of Dagster and of PySpark's Connect client, each with its reason.

No other module imports a `dagster._*` module or reads a private attribute of a Connect client; a test checks this.
Review these modules at each upgrade of Dagster or PySpark.
"""
