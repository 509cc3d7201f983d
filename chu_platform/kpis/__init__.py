"""The indicators: one module declares one indicator."""
