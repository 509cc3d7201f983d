"""The lake: reading tables, and writing them in three steps (stage rows, run checks, commit)."""
