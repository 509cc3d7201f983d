"""Histories of delivered registers and lists, as they were delivered: restricted zone, one module each."""
