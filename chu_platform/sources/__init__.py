"""Delivered sources: how each file or database table becomes one typed table of the restricted zone, with rejects.

One module a source declares it; the reading itself is in `delivered` (what a source is), `files`, `csv_files`,
`workbooks` and `care_tables` (the kinds of deliveries), and `typing` (text to types and rejects).
"""
