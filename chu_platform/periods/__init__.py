"""The periods of the indicators, and the patients observed in each. One module a table."""
