"""The eight indicators as published, masked. One module a table."""
