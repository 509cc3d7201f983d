"""The oracle: an independent computation of the indicators from the delivered files of a demonstration pack.

`chu demo-pack` writes its results beside the pack, and the tests compare the platform's indicators with them. It is
written from the definitions of the indicators only. It uses no code of the platform except the embedded PostgreSQL,
which restores the dump, and shares no code or SQL with the recomputation of `chu verify`.
"""
