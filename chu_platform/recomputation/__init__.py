"""The published indicators, computed a second time from the delivered rows, in DuckDB.

`chu trace` and `chu verify` compare the lake's figures with these. The package shares the source tables, the packaged
references and the definitions with the pipeline, and no query: nothing here may import the modules that make facts,
indicators, masks or their SQL. It shares no code or SQL with the oracle of the demonstration pack either.
"""
