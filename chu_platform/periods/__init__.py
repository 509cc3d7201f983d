"""Periods of the indicators and number of patients in each period. One module declares one table."""
