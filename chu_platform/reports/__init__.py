"""Reports on the platform itself: checks, deliveries. One module declares one table."""
