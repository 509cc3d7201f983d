"""Facts of the star schema (pseudonymised). One module declares one table."""
