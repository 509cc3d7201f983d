"""The eight indicators, exact (pseudonymised). One module a table."""
