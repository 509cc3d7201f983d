"""A synthetic pack of delivered files."""
