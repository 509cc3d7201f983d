"""The lake: where tables lie, how they are read, and the one way in which they are written.

Here: paths, zones, staging, audit, commit, provenance. Not here: what rows a table has.
"""
