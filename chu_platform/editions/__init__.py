"""Editions: what is published together, at a date, and what a later publication may show beside an earlier one.

The path has one direction: candidate (what could be published now) -> decision (what of it may be shown, given what was
released before) -> edition (the rows, kept for ever in the pseudonymised zone) -> published (a copy of the rows of the
last edition). The manifest says which versions are the last edition. The decision 0040 explains it.
"""
