"""Delivered sources: how each file or database table becomes one typed table of the restricted zone, with
rejects.

One module a source declares it. The reading is in `delivered` (what a source is), `delivered_files` and
`care_tables` (the kinds of deliveries), `csv_format`, `csv_records` and `workbook_format` (the formats of
files), `row_sql` (text to types) and `reading` (rows kept and rejected).
"""
