"""Dimensions of the star schema (pseudonymised). One module a table."""
