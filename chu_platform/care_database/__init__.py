"""The care database: PostgreSQL as the group runs it, and the embedded server that stands in for it."""
