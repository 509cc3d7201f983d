"""Pseudonyms: restricted tables that map an identity to its keyed hash. One module declares one table, or a function that they share."""
