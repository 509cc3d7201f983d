"""A second computation of the published indicators, from the delivered rows, in DuckDB.

`chu trace` and `chu verify` compare the figures of the lake with it. The package shares the source tables, the packaged
references and the definitions with the pipeline, but no query. It must not import the modules of facts, indicators,
masks or their SQL. It shares no code or SQL with the oracle of the demonstration pack either.
"""
