"""Pseudonyms: restricted tables that map an identity to its keyed hash. One module a table."""
