"""The lake: reading tables, and writing them in three steps (write rows, run checks, commit)."""
