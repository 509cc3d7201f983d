"""Restricted tables that map an identity to its pseudonym, or a number of a source to its surrogate. One module declares one table, or a function that they share."""
