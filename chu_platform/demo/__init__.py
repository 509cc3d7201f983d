"""A synthetic pack of delivered files, and an independent reckoning of its indicators."""
