"""The source tables: what each delivered file or database table holds. One module declares one table."""
