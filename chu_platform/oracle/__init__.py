"""The oracle: the eight indicators, computed straight from the delivered files of a demonstration pack.

`chu demo-pack` writes its results beside the pack, and the tests compare the platform's indicators with them. It is
written from the definitions alone. Of the platform it uses only the embedded PostgreSQL, which restores the dump. It
shares no code or SQL with the recomputation of `chu verify`.
"""
