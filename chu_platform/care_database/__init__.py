"""The care database: the PostgreSQL server of the hospital group, or an embedded server with the delivered dump."""
