"""The eight indicators: one module declares one indicator."""
