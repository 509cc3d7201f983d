"""Reports on the platform itself: checks, deliveries. One module a table."""
